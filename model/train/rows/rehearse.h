/* rehearse.h - choose the training rows that a checkpoint keeps: a random sample, balanced over the
 * labels, so that a model that learns on rehearses the rare ones as often as the common ones. */
#ifndef MODEL_TRAIN_ROWS_REHEARSE_H
#define MODEL_TRAIN_ROWS_REHEARSE_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/ckpt/rehearsal.h"
#include "model/train/rows/rows.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct rehearse {
    struct arena arena;
    const struct rehearsal *kept; /* in it; NULL: none */
};

/* Of rows (labels < n_labels, ids < vocab), up to `count`, whose text takes
 * no more than max_bytes. Labels take turns, so that what is left out when bytes are short is
 * balanced too; a label of few rows gives all it has. Same seed, same rows. Walks the rows twice;
 * memory: 8 bytes a kept row and 12 a label, besides the text. Errors: IO, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err rehearse_pick(const struct rows *rows, uint32_t n_labels,
                                             uint32_t vocab, size_t count, size_t max_bytes,
                                             uint64_t seed, struct rehearse *ret_rehearse,
                                             struct reason *why);
void rehearse_done(struct rehearse *r); /* fine with all zero */

#endif
