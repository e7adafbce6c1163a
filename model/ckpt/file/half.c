#include "model/ckpt/file/half.h"

#include "model/base/narrow.h"

static uint16_t get16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static void put16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void half_load_f32(float *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++, bytes += 4)
        y[i] = narrow_float_of((uint32_t)get16(bytes) | (uint32_t)get16(bytes + 2) << 16);
}

void half_load_f16(float *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] = narrow_from_f16(get16(bytes + 2 * i));
}

void half_load_bf16(float *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] = narrow_from_bf16(get16(bytes + 2 * i));
}

void half_load_i8(float *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(int8_t)bytes[i];
}

void half_load_bits(uint16_t *y, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] = get16(bytes + 2 * i);
}

void half_store_f32(uint8_t *bytes, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++, bytes += 4) {
        uint32_t bits = narrow_bits_of(x[i]);

        put16(bytes, (uint16_t)bits);
        put16(bytes + 2, (uint16_t)(bits >> 16));
    }
}

void half_store_f16(uint8_t *bytes, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        put16(bytes + 2 * i, narrow_to_f16(x[i]));
}

void half_store_bf16(uint8_t *bytes, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        put16(bytes + 2 * i, narrow_to_bf16(x[i]));
}
