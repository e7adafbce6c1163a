/* vec.h - loops over vectors, written so that the compiler uses whatever width the machine has. */
#ifndef MODEL_BASE_VEC_H
#define MODEL_BASE_VEC_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"

/* One body, compiled for several widths, chosen when the program is loaded. Sanitizers cannot run
 * before that choice is made, and Clang 14 makes it in one file only: they get the plain one. */
#if defined(__x86_64__) && !defined(SANITIZED) && !defined(__clang__)
#define VEC_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VEC_CLONES
#endif

void vec_add(size_t n, const real *x, real *y);                   /* y += x */
void vec_mul(size_t n, const real *x, real *y);                   /* y *= x */
void vec_copy(size_t n, const real *x, real *y);                  /* y = x */
void vec_zero(size_t n, real *y);                                 /* y = 0 */
void vec_scale(size_t n, real a, real *y);                        /* y *= a */
void vec_mix(size_t n, real a, const real *x, real b, real *y);   /* y = a*x + b*y */
void vec_scaled(size_t n, real a, const real *x, real *y);        /* y = a*x */
void vec_affine(size_t n, const real *a, const real *b, real *y); /* y = a*y + b, by entry */
real vec_sum_squares(size_t n, const real *x);                    /* sum of x^2 */
void vec_add_rows(size_t rows, size_t n, const real *b,
                  real *y); /* y(rows,n) += b(n) in each row */
void vec_sum_rows(size_t rows, size_t n, const real *x, real *y); /* y(n) += sum of x(rows,n) */
void vec_apply_mask(size_t n, const uint8_t *keep, real scale,
                    real *y); /* y = keep ? y*scale : 0 */

/* y = gelu(x) = x * Phi(x), the erf form; erf by Abramowitz and Stegun 7.1.26 in float (error below
 * 2e-7), by libm in double. May work in place. */
void vec_gelu(size_t n, const real *x, real *y);

/* y = sin(3x) (Sitzmann et al., 2020): a periodic activation. Error that of rounding 3x, and 3e-7.
 * May work in place. vec_sine_slope also gives slope = 3 cos(3x), x kept. */
void vec_sine(size_t n, const real *x, real *y);
void vec_sine_slope(size_t n, const real *x, real *y, real *slope);

/* y = gelu(x) and slope = gelu'(x), x kept. */
void vec_gelu_slope(size_t n, const real *x, real *y, real *slope);

/* x = e^(x - top), no x being above top; returns the sum. In float: relative error below 1e-6, and
 * e^-87 at least. */
real vec_exp_sum(size_t n, real top, real *x);

real vec_dot(size_t n, const real *x, const real *y);

#endif
