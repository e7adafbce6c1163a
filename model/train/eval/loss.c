#include "model/train/eval/loss.h"

#include <math.h>

#include "model/net/label.h"

#define TINY 1e-30 /* of a probability, before its logarithm is taken */

static double target_of(const struct loss_target *t, uint32_t labels, uint32_t i) {
    double hard = t->smoothing / labels + (i == t->truth ? 1 - t->smoothing : 0);

    return t->soft ? (1 - t->share) * hard + t->share * (double)t->soft[i] : hard;
}

double loss_row(const real *logits, uint32_t labels, const struct loss_target *target, double scale,
                real *dlogits, bool *ret_hit) {
    uint32_t truth = target->truth;
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
        dlogits[i] = (real)(scale * ((double)dlogits[i] - target_of(target, labels, i)));
    return loss;
}

double loss_pull(const real *a, const real *b, uint32_t labels, double scale, real *p, real *q,
                 real *da, real *db) {
    double forth = 0, back = 0;

    (void)label_softmax(a, labels, 1, p);
    (void)label_softmax(b, labels, 1, q);
    for (uint32_t i = 0; i < labels; i++) {
        double log_ratio = log(fmax((double)p[i], TINY)) - log(fmax((double)q[i], TINY));

        forth += (double)p[i] * log_ratio;
        back -= (double)q[i] * log_ratio;
    }
    for (uint32_t i = 0; i < labels; i++) {
        double x = (double)p[i], y = (double)q[i];
        double log_ratio = log(fmax(x, TINY)) - log(fmax(y, TINY));

        da[i] += (real)(scale / 2 * (x * (log_ratio - forth) + x - y));
        db[i] += (real)(scale / 2 * (y * (-log_ratio - back) + y - x));
    }
    return (forth + back) / 2;
}
