/* narrow.h - float to 16 bits and back: F16 (IEEE half) and BF16 (the upper half of a float).
 *
 * Narrowing rounds to nearest, ties to even; what is too large becomes infinity, NaN stays NaN.
 * Widening is exact. No branches, so that the compiler makes vector code of loops over these.
 */
#ifndef MODEL_BASE_NARROW_H
#define MODEL_BASE_NARROW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/base/real.h"

#define NARROW_INLINE static inline __attribute__((always_inline))

NARROW_INLINE float narrow_float_of(uint32_t bits) {
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

NARROW_INLINE uint32_t narrow_bits_of(float x) {
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

NARROW_INLINE float narrow_from_f16(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, size = (uint32_t)(bits & 0x7fffu) << 13;
    uint32_t normal = size + (112u << 23), special = size + (224u << 23);
    /* Subnormal: as if there were a leading one, which is then taken away. */
    uint32_t small = narrow_bits_of(narrow_float_of(size + (113u << 23)) - 0x1p-14f);
    uint32_t wide = size < 1u << 23 ? small : normal;

    return narrow_float_of(sign | (size >= 31u << 23 ? special : wide));
}

NARROW_INLINE float narrow_from_bf16(uint16_t bits) {
    return narrow_float_of((uint32_t)bits << 16);
}

NARROW_INLINE uint16_t narrow_to_f16(float x) {
    uint32_t bits = narrow_bits_of(x), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    /* Normal: a carry out of the mantissa raises the exponent, up to infinity. */
    uint32_t normal = (size + 0xfffu - (112u << 23) + (size >> 13 & 1u)) >> 13;
    /* Subnormal: the sum has its last bit where the subnormals have theirs, and rounds there. */
    uint32_t small = narrow_bits_of(narrow_float_of(size) + 0.5f) - 0x3f000000u;
    uint32_t special = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
    uint32_t narrow = size < 113u << 23 ? small : normal;

    return (uint16_t)(sign | (size >= 143u << 23 ? special : narrow));
}

NARROW_INLINE uint16_t narrow_to_bf16(float x) {
    uint32_t bits = narrow_bits_of(x), nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;

    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : nearest);
}

/* n numbers; x and y do not overlap. */
void narrow_f16(size_t n, const real *x, uint16_t *y);
void narrow_bf16(size_t n, const real *x, uint16_t *y);
void narrow_wide_f16(size_t n, const uint16_t *x, real *y); /* and back */
void narrow_wide_bf16(size_t n, const uint16_t *x, real *y);

#endif
