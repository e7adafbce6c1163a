/* calibrate.h - the temperature that makes confidences honest (Guo et al., 2017, "On calibration of
 * modern neural networks"): softmax(logits / T) with the one T that fits held-out rows best.
 *
 * Labels given do not change, only how sure the model says it is.
 */
#ifndef MODEL_TRAIN_EVAL_CALIBRATE_H
#define MODEL_TRAIN_EVAL_CALIBRATE_H

#include "model/base/real.h"
#include "model/train/eval/eval.h"

#define CALIBRATE_ROWS  20000u              /* rows looked at, at most; taken evenly */
#define CALIBRATE_BYTES (64u * 1024 * 1024) /* of their logits, at most */

/* Logits of held-out rows: logits(n, labels), truth(n). */
struct calibrate_set {
    real *logits;
    uint32_t *truth;
    uint32_t labels;
    size_t n;
};

/* The T from MODEL_TEMPERATURE_MIN to _MAX (model/ckpt/model.h) of the smallest mean cross-entropy.
 * One row in n + 1 is taken to be of no known label (Platt, 1999), so that n rows without a mistake
 * give confidences near 1 - 1/n and not 1. Rows with a logit that is not finite are left out; 1
 * when no row is left, or all logits of each are equal. */
double calibrate_temperature(const struct calibrate_set *set);

/* The same from the rows of a data set that was not trained on. 1 when there are none. Errors:
 * those of eval_each. */
DIFFUSE_MUST_CHECK diffuse_err calibrate_rows(const struct net_config *c,
                                              const struct net_weights *w, struct team *team,
                                              const struct rows *rows, double *ret_temperature,
                                              struct reason *why);

#endif
