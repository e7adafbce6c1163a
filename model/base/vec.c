#include "model/base/vec.h"

#include <math.h>
#include <string.h>

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

VEC_CLONES void vec_affine(size_t n, const real *restrict a, const real *restrict b,
                           real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] * y[i] + b[i];
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
static inline __attribute__((always_inline)) void normal(real x, real *ret_cdf, real *ret_density) {
    *ret_cdf = 0.5 * (1 + erf(x * M_SQRT1_2));
    *ret_density = exp(-0.5 * x * x) * 0.5 * M_SQRT1_2 * M_2_SQRTPI;
}

#else

union bits {
    float f;
    int32_t i;
};

/* e^-y for y >= 0: 2^k times a polynomial on [-ln2/2, ln2/2], relative error below 2e-7. */
static inline __attribute__((always_inline)) float exp_minus(float y) {
    const union bits most = {.f = 87.0f}; /* e^-87 is the last normal number */
    union bits v = {.f = y}, scale;
    float k, r, p;

    v.i = v.i > most.i ? most.i : v.i; /* floats above zero order as their bits do: no branch */
    k = (float)(int32_t)(v.f * 1.44269504f + 0.5f);
    r = k * 0.693359375f - k * 2.12194440e-4f - v.f;
    p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    scale.i = (127 - (int32_t)k) << 23;
    return p * scale.f;
}

static inline __attribute__((always_inline)) void normal(real x, real *ret_cdf, real *ret_density) {
    float z = fabsf(x) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z);
    float e = exp_minus(z * z), p = 1.061405429f, tail;

    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    tail = 0.5f * p * t * e; /* 1 - Phi(|x|) */
    *ret_cdf = 0.5f + copysignf(0.5f - tail, x);
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

static inline __attribute__((always_inline)) real below_one(real x) {
#ifdef DIFFUSE_DOUBLE
    return exp(x);
#else
    return exp_minus(-x);
#endif
}

VEC_CLONES real vec_exp_sum(size_t n, real top, real *x) {
    real lane[LANES] = {0}, sum = 0;
    size_t i = 0;

    for (size_t j = 0; j < n; j++)
        x[j] = below_one(x[j] - top);
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j];
    for (; i < n; i++)
        sum += x[i];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

VEC_CLONES real vec_dot(size_t n, const real *x, const real *y) {
    real lane[LANES] = {0}, sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        sum += x[i] * y[i];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

#define FREQUENCY ((real)3)

#ifdef DIFFUSE_DOUBLE

static inline real sine(real x) {
    return sin(x);
}

static inline real cosine(real x) {
    return cos(x);
}

#else

/* x less the nearest multiple of pi, in two parts; -1 where that multiple is odd. */
static inline __attribute__((always_inline)) float reduce(float x, float *ret_sign) {
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves no digits behind the point */
    float k = (x * 0.318309886f + round) - round;

    *ret_sign = (int32_t)k & 1 ? -1.0f : 1.0f;
    return x - k * 3.140625f - k * 9.67653589793e-4f;
}

static inline __attribute__((always_inline)) float sine(float x) {
    float sign, r = reduce(x, &sign), q = r * r, p;

    p = -2.50521084e-8f;
    p = p * q + 2.75573192e-6f;
    p = p * q - 1.98412698e-4f;
    p = p * q + 8.33333333e-3f;
    p = p * q - 1.66666667e-1f;
    return sign * (r + r * q * p);
}

static inline __attribute__((always_inline)) float cosine(float x) {
    float sign, r = reduce(x, &sign), q = r * r, p;

    p = 2.08767570e-9f;
    p = p * q - 2.75573192e-7f;
    p = p * q + 2.48015873e-5f;
    p = p * q - 1.38888889e-3f;
    p = p * q + 4.16666667e-2f;
    p = p * q - 0.5f;
    return sign * (1.0f + q * p);
}

#endif

VEC_CLONES void vec_sine(size_t n, const real *x, real *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = sine(FREQUENCY * x[i]);
}

VEC_CLONES void vec_sine_slope(size_t n, const real *restrict x, real *restrict y,
                               real *restrict slope) {
    for (size_t i = 0; i < n; i++) {
        y[i] = sine(FREQUENCY * x[i]);
        slope[i] = FREQUENCY * cosine(FREQUENCY * x[i]);
    }
}
