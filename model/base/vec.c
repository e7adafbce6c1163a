/* vec.c - see vec.h. */
#include <math.h>
#include <string.h>

#include "model/base/vec.h"

#define LANES 16 /* partial sums: the compiler may not reorder a single one */

VEC_CLONES void vec_add(size_t n, const real *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

VEC_CLONES void vec_mul(size_t n, const real *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] *= x[i];
}

void vec_copy(size_t n, const real *x, real *y) {
    memcpy(y, x, n * sizeof *y);
}

void vec_zero(size_t n, real *y) {
    memset(y, 0, n * sizeof *y);
}

VEC_CLONES void vec_scale(size_t n, real a, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] *= a;
}

VEC_CLONES void vec_mix(size_t n, real a, const real *restrict x, real b, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = a * x[i] + b * y[i];
}

VEC_CLONES void vec_scaled(size_t n, real a, const real *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = a * x[i];
}

VEC_CLONES real vec_sum_squares(size_t n, const real *x) {
    real lane[LANES] = {0}, sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j] * x[i + j];
    for (; i < n; i++)
        sum += x[i] * x[i];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

VEC_CLONES void vec_add_rows(size_t rows, size_t n, const real *restrict b, real *restrict y) {
    for (size_t r = 0; r < rows; r++, y += n)
        for (size_t i = 0; i < n; i++)
            y[i] += b[i];
}

VEC_CLONES void vec_sum_rows(size_t rows, size_t n, const real *restrict x, real *restrict y) {
    for (size_t r = 0; r < rows; r++, x += n)
        for (size_t i = 0; i < n; i++)
            y[i] += x[i];
}

VEC_CLONES void vec_apply_mask(size_t n, const uint8_t *restrict keep, real scale,
                               real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] *= scale * (real)keep[i];
}

#ifdef DIFFUSE_DOUBLE

/* Phi(x) and phi(x) of the standard normal. */
static inline void normal(real x, real *ret_cdf, real *ret_density) {
    *ret_cdf = 0.5 * (1 + erf(x * M_SQRT1_2));
    *ret_density = exp(-0.5 * x * x) * 0.5 * M_SQRT1_2 * M_2_SQRTPI;
}

#else

/* e^x for x <= 0: 2^k times a polynomial on [-ln2/2, ln2/2], relative error below 2e-7. */
static inline float exp_nonpositive(float x) {
    union {
        float f;
        int32_t i;
    } scale;
    float k, r, p;

    x = x < -87.0f ? -87.0f : x;
    k = x * 1.44269504f - 0.5f;
    k = (float)(int32_t)k; /* towards zero, so that x*log2(e) rounds to nearest for x <= 0 */
    r = x - k * 0.693359375f + k * 2.12194440e-4f;
    p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    scale.i = ((int32_t)k + 127) << 23;
    return p * scale.f;
}

static inline void normal(real x, real *ret_cdf, real *ret_density) {
    float z = fabsf(x) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z);
    float e = exp_nonpositive(-z * z), p = 1.061405429f, tail;

    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    tail = 0.5f * p * t * e; /* 1 - Phi(|x|) */
    *ret_cdf = x < 0 ? tail : 1.0f - tail;
    *ret_density = 0.39894228f * e;
}

#endif

VEC_CLONES void vec_gelu(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++) {
        real cdf, density;

        normal(x[i], &cdf, &density);
        y[i] = x[i] * cdf;
    }
}

VEC_CLONES void vec_gelu_slope(size_t n, const real *restrict x, real *restrict y,
                               real *restrict slope) {
    for (size_t i = 0; i < n; i++) {
        real cdf, density;

        normal(x[i], &cdf, &density);
        y[i] = x[i] * cdf;
        slope[i] = cdf + x[i] * density;
    }
}
