#include "model/base/narrow.h"

#include "model/base/vec.h"

VEC_CLONES void narrow_f16(size_t n, const real *restrict x, uint16_t *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = narrow_to_f16((float)x[i]);
}

VEC_CLONES void narrow_bf16(size_t n, const real *restrict x, uint16_t *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = narrow_to_bf16((float)x[i]);
}

VEC_CLONES void narrow_wide_f16(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = (real)narrow_from_f16(x[i]);
}

VEC_CLONES void narrow_wide_bf16(size_t n, const uint16_t *restrict x, real *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = (real)narrow_from_bf16(x[i]);
}
