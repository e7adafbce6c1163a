/* distil.h - what teachers make of the rows: a distribution over the labels for each row (Hinton et
 * al., "Distilling the knowledge in a neural network", 2015).
 *
 * Rows from `labelled` on have no label of their own: there the teachers alone are learned from.
 * Kept as rows.h keeps rows: memory does not grow with them.
 */
#ifndef MODEL_TRAIN_DISTIL_H
#define MODEL_TRAIN_DISTIL_H

#include <stddef.h>
#include <stdint.h>

#include "model/net/net.h"
#include "model/train/rows/rows.h"
#include "model/train/rows/spool.h"
#include "model/train/update/team.h"

struct distil {
    struct spool mean; /* (n,L) float: of the teachers so far */
    size_t n;          /* rows */
    uint32_t labels;   /* L */
    unsigned teachers;
    size_t labelled; /* rows with a label of their own; they come first */
    double share;    /* of the teachers in the target of a labelled row, 0..1 */
};

void distil_init(struct distil *s); /* no teacher yet */
void distil_done(struct distil *s);

/* One more teacher: its probabilities for the rows of each of n lists in turn (as its own tokenizer
 * made them). Errors: INVAL (another number of rows or labels than the teachers before), IO, NOMEM.
 */
DIFFUSE_MUST_CHECK diffuse_err distil_add(struct distil *s, const struct net_config *c,
                                          const struct net_weights *w, struct team *team,
                                          const struct rows *const *rows, size_t n,
                                          struct reason *why);

/* target(L): the teachers' mean for row i. Any number of threads may read. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err distil_read(const struct distil *s, size_t i, float *target,
                                           struct reason *why);

#endif
