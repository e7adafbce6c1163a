#include "model/net/norm.h"

#include <math.h>

#include "model/base/vec.h"

#define EPSILON ((real)1e-5)
#define LANES   16

/* Sums in lanes, as the compiler may not reorder one: this loop is half the cost of a LayerNorm. */
static inline __attribute__((always_inline)) real sum(size_t n, const real *x) {
    real lane[LANES] = {0}, total = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j];
    for (; i < n; i++)
        total += x[i];
    for (size_t j = 0; j < LANES; j++)
        total += lane[j];
    return total;
}

static inline __attribute__((always_inline)) real dot(size_t n, const real *x, const real *y) {
    real lane[LANES] = {0}, total = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        total += x[i] * y[i];
    for (size_t j = 0; j < LANES; j++)
        total += lane[j];
    return total;
}

VEC_CLONES void norm_forward(size_t N, size_t C, const real *x, const real *gain, const real *bias,
                             real *xhat, real *rstd, real *y) {
    for (size_t i = 0; i < N; i++, x += C, xhat += C, y += C) {
        real mean = sum(C, x) / (real)C, r;

        for (size_t j = 0; j < C; j++)
            xhat[j] = x[j] - mean;
        r = 1 / (real)sqrt((double)(dot(C, xhat, xhat) / (real)C + EPSILON));
        rstd[i] = r;
        for (size_t j = 0; j < C; j++) {
            real v = xhat[j] * r;

            xhat[j] = v;
            y[j] = gain[j] * v + bias[j];
        }
    }
}

/* Nothing overlaps, or the first loop would run one number at a time. */
VEC_CLONES void norm_backward(size_t N, size_t C, real *restrict d, const real *restrict gain,
                              const real *restrict xhat, const real *restrict rstd,
                              real *restrict dgain, real *restrict dbias) {
    for (size_t i = 0; i < N; i++, xhat += C, d += C) {
        real mean, slope;

        for (size_t j = 0; j < C; j++) {
            dgain[j] += d[j] * xhat[j];
            dbias[j] += d[j];
            d[j] *= gain[j];
        }
        mean = sum(C, d) / (real)C;
        slope = dot(C, d, xhat) / (real)C;
        for (size_t j = 0; j < C; j++)
            d[j] = rstd[i] * (d[j] - mean - xhat[j] * slope);
    }
}
