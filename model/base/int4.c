#include "model/base/int4.h"

#include <math.h>

#include "model/base/narrow.h"

float int4_scale(size_t n, const real *x) {
    real most = 0;
    float scale;
    uint16_t half;

    for (size_t i = 0; i < n; i++) {
        real size = x[i] < 0 ? -x[i] : x[i];

        most = size > most ? size : most;
    }
    scale = (float)most / INT4_MOST;
    half = narrow_to_f16(scale);
    if (narrow_from_f16(half) < scale)
        half++; /* the next larger; behind the largest lies infinity */
    return narrow_from_f16(half);
}

static uint8_t nibble(float scale, real x) {
    float v = scale > 0 ? (float)x / scale : 0;

    v = v < INT4_MOST ? v : INT4_MOST; /* also what is not a number */
    v = v > -INT4_MOST ? v : -INT4_MOST;
    return (uint8_t)(INT4_ZERO + (int)nearbyintf(v));
}

void int4_narrow(size_t n, float scale, const real *x, uint8_t *bytes) {
    size_t half = int4_bytes(n);

    for (size_t j = 0; j < half; j++) {
        uint8_t high = j + half < n ? nibble(scale, x[j + half]) : INT4_ZERO;

        bytes[j] = (uint8_t)(nibble(scale, x[j]) | high << 4);
    }
}

void int4_widen(size_t n, const uint8_t *bytes, float *y) {
    size_t half = int4_bytes(n);

    for (size_t j = 0; j < half; j++)
        y[j] = (float)((bytes[j] & 15) - INT4_ZERO);
    for (size_t j = half; j < n; j++)
        y[j] = (float)((bytes[j - half] >> 4) - INT4_ZERO);
}
