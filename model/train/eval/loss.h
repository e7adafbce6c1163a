/* loss.h - softmax cross-entropy: with label smoothing (Szegedy et al., 2016), with a teacher's
 * distribution mixed in (Hinton et al., 2015), and the pull between two passes over the same row
 * (R-Drop, Liang et al., 2021). */
#ifndef MODEL_TRAIN_EVAL_LOSS_H
#define MODEL_TRAIN_EVAL_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/base/real.h"

/* What the softmax of a row should be: 1 - smoothing on truth and smoothing/L on all; of that,
 * share is replaced by soft. */
struct loss_target {
    uint32_t truth;
    double smoothing;
    const float *soft; /* (L) sums to 1; NULL: share is 0 */
    double share;
};

/* Of one row: dlogits(L) = scale * (softmax(logits) - target). Returns the plain cross-entropy with
 * truth; *ret_hit: the largest logit was truth. dlogits may be logits. */
double loss_row(const real *logits, uint32_t labels, const struct loss_target *target, double scale,
                real *dlogits, bool *ret_hit);

/* Adds to da(L) and db(L) the gradients of scale * (KL(p||q) + KL(q||p)) / 2 of two rows of logits,
 * p = softmax(a), q = softmax(b); p(L) and q(L) are room. Returns the divergence, unscaled. */
double loss_pull(const real *a, const real *b, uint32_t labels, double scale, real *p, real *q,
                 real *da, real *db);

#endif
