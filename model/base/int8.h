/* int8.h - numbers in 8 bits, symmetric about zero: x is about scale * q, q from -127 to 127.
 *
 * The numbers that share a scale are a row of a matrix. A scale has 17 significant bits, so that
 * scale * q is exact, and (above 1e-30) narrowing what was widened gives the same scale and the
 * same q again.
 */
#ifndef MODEL_BASE_INT8_H
#define MODEL_BASE_INT8_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"

#define INT8_MOST 127

/* The scale of n finite numbers: their largest magnitude / 127, rounded up; 0 when all are 0. */
float int8_scale(size_t n, const real *x);

/* q(n) = x / scale, rounded to nearest, ties to even; zeros when the scale is 0. */
void int8_narrow(size_t n, float scale, const real *x, int8_t *q);

#endif
