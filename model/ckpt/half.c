/* half.c - see half.h. */
#include "model/ckpt/half.h"

#include <string.h>

static float float_of(uint32_t bits) {
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x) {
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float half_from_f16(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = (bits >> 10) & 0x1fu;
    uint32_t mantissa = bits & 0x3ffu;

    if (exponent == 0x1fu)
        return float_of(sign | 0x7f800000u | mantissa << 13);
    if (exponent)
        return float_of(sign | (exponent + 112u) << 23 | mantissa << 13);
    /* Subnormal: mantissa * 2^-24 is exact in a float. */
    return float_of(sign | bits_of((float)mantissa * 0x1p-24f));
}

float half_from_bf16(uint16_t bits) {
    return float_of((uint32_t)bits << 16);
}

/* value >> shift, rounded to nearest, ties to even; 0 < shift < 32. */
static uint32_t shift_round(uint32_t value, unsigned shift) {
    uint32_t half = 1u << (shift - 1);
    uint32_t rest = value & ((half << 1) - 1u);
    uint32_t y = value >> shift;

    return y + (rest > half || (rest == half && (y & 1u)));
}

uint16_t half_to_f16(float x) {
    uint32_t bits = bits_of(x);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t size = bits & 0x7fffffffu;
    uint32_t exponent = size >> 23;

    if (size > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (exponent > 142) /* 2^16 and more */
        return (uint16_t)(sign | 0x7c00u);
    if (exponent >
        112) /* normal; a carry out of the mantissa raises the exponent, up to infinity */
        return (uint16_t)(sign | shift_round(size - (112u << 23), 13));
    if (exponent < 102) /* below half of the smallest subnormal */
        return (uint16_t)sign;
    return (uint16_t)(sign | shift_round((size & 0x7fffffu) | 0x800000u, 126u - exponent));
}

uint16_t half_to_bf16(float x) {
    uint32_t bits = bits_of(x);

    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)shift_round(bits, 16);
}

static uint16_t get16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static void put16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void half_load_f32(float *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++, bytes += 4)
        y[i] = float_of((uint32_t)get16(bytes) | (uint32_t)get16(bytes + 2) << 16);
}

void half_load_f16(float *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] = half_from_f16(get16(bytes + 2 * i));
}

void half_load_bf16(float *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] = half_from_bf16(get16(bytes + 2 * i));
}

void half_store_f32(uint8_t *bytes, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++, bytes += 4) {
        uint32_t bits = bits_of(x[i]);

        put16(bytes, (uint16_t)bits);
        put16(bytes + 2, (uint16_t)(bits >> 16));
    }
}

void half_store_f16(uint8_t *bytes, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        put16(bytes + 2 * i, half_to_f16(x[i]));
}

void half_store_bf16(uint8_t *bytes, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        put16(bytes + 2 * i, half_to_bf16(x[i]));
}
