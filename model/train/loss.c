/* loss.c - see loss.h. */
#include "model/train/loss.h"

#include <math.h>

#include "model/net/label.h"

double loss_row(const real *logits, uint32_t labels, uint32_t truth, double smoothing, double scale,
                real *dlogits, bool *ret_hit) {
    double loss;

    if (!isfinite(logits[truth])) {
        loss = NAN;
        *ret_hit = false;
        (void)label_softmax(logits, labels, 1, dlogits);
    } else {
        *ret_hit = label_softmax(logits, labels, 1, dlogits) == truth;
        loss = -log(fmax((double)dlogits[truth], 1e-30));
    }
    for (uint32_t i = 0; i < labels; i++) {
        double target = smoothing / labels + (i == truth ? 1 - smoothing : 0);

        dlogits[i] = (real)(scale * ((double)dlogits[i] - target));
    }
    return loss;
}
