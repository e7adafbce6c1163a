/* int4.h - rows of numbers in 4 bits, symmetric about zero: x is about scale * q, q from -7 to 7.
 *
 * Two to a byte, as q + 8: byte j of a row of n has entry j in its low half and entry j + (n+1)/2
 * in its high one, which of an odd row's last byte is 8, for 0. So both halves widen in order.
 */
#ifndef MODEL_BASE_INT4_H
#define MODEL_BASE_INT4_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"

#define INT4_MOST 7
#define INT4_ZERO 8 /* how 0 is stored */

/* Bytes of a row. */
static inline size_t int4_bytes(size_t n) {
    return (n + 1) / 2;
}

/* The scale of n finite numbers: their largest magnitude / 7, rounded up to what 16 bits hold
 * (narrow.h); infinite when it is too large for them, 0 when all are 0. Narrowing what was widened
 * gives the same scale and the same q again. */
float int4_scale(size_t n, const real *x);

/* bytes(int4_bytes) = x / scale, rounded to nearest, ties to even; zeros when the scale is 0. */
void int4_narrow(size_t n, float scale, const real *x, uint8_t *bytes);

/* y(n) = q. */
void int4_widen(size_t n, const uint8_t *bytes, float *y);

#endif
