#include "model/train/eval/loss.h"

#include <math.h>

#include "model/net/label.h"

#define TINY 1e-30 /* of a probability, before its logarithm is taken */

static double target_of(uint32_t truth, double smoothing, uint32_t labels, uint32_t i) {
    return smoothing / labels + (i == truth ? 1 - smoothing : 0);
}

double loss_row(const real *logits, uint32_t labels, uint32_t truth, double smoothing, double scale,
                real *dlogits, bool *ret_hit) {
    double loss;

    if (!isfinite(logits[truth])) {
        loss = NAN;
        *ret_hit = false;
        (void)label_softmax(logits, labels, 1, dlogits);
    } else {
        *ret_hit = label_softmax(logits, labels, 1, dlogits) == truth;
        loss = -log(fmax((double)dlogits[truth], TINY));
    }
    for (uint32_t i = 0; i < labels; i++)
        dlogits[i] = (real)(scale * ((double)dlogits[i] - target_of(truth, smoothing, labels, i)));
    return loss;
}
