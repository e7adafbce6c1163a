/* rehearsal.h - a sample of the training rows that is kept in the checkpoint, so that a model that
 * learns on does not forget (experience replay).
 *
 * In the file: the U8 tensor `rehearsal.rows`, a line a row: the label's id and the token ids,
 * decimal, apart by spaces. In memory: two bytes a token where the vocabulary allows, else four.
 */
#ifndef MODEL_CKPT_REHEARSAL_H
#define MODEL_CKPT_REHEARSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define REHEARSAL_ROWS_MAX 65536u

struct rehearsal {
    uint32_t rows;
    uint32_t longest;      /* tokens of the longest */
    const uint32_t *start; /* (rows+1) row r is the ids start[r] .. start[r+1]-1 */
    const uint32_t *label; /* (rows) */
    const void *ids;       /* (start[rows]) uint16_t or uint32_t */
    bool wide;             /* uint32_t */
};

/* Token i of row r. */
static inline uint32_t rehearsal_id(const struct rehearsal *h, uint32_t r, uint32_t i) {
    size_t at = (size_t)h->start[r] + i;
    return h->wide ? ((const uint32_t *)h->ids)[at] : ((const uint16_t *)h->ids)[at];
}

#endif
