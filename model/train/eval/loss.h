/* loss.h - softmax cross-entropy with label smoothing (Szegedy et al., 2016). */
#ifndef MODEL_TRAIN_EVAL_LOSS_H
#define MODEL_TRAIN_EVAL_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/base/real.h"

/* Of one row: dlogits(L) = scale * (softmax(logits) - target), the target being 1 - smoothing on
 * truth and smoothing/L on all. Returns the plain cross-entropy with truth; *ret_hit: the largest
 * logit was truth. dlogits may be logits. */
double loss_row(const real *logits, uint32_t labels, uint32_t truth, double smoothing, double scale,
                real *dlogits, bool *ret_hit);

#endif
