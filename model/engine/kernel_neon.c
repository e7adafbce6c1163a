/* kernel_neon.c - NEON, which every 64-bit ARM has. */
#include "model/engine/kernel_list.h"

#if KERNEL_ARM
#include <arm_neon.h>

#define KERNEL_BYTES  16
#define KERNEL_ROWS   6
#define KERNEL_VECS   4
#define KERNEL_SUM(a) vaddvq_f32(a)
#define KERNEL_TOP(a) vmaxvq_f32(a)
#include "model/engine/kernel_real.h"

void kernel_neon_product(const struct kernel_product *p) {
    product(p);
}

void kernel_neon_gelu(size_t n, real *x) {
    gelu(n, x);
}

void kernel_neon_norm(size_t rows, size_t width, const real *gain, const real *bias,
                      const real *const *x, real *y) {
    norm(rows, width, gain, bias, x, y);
}

void kernel_neon_pool(size_t rows, size_t n, const real *x, real *sum, real *top) {
    pool(rows, n, x, sum, top);
}

/* Products of 16 bits, added up in pairs, and these in pairs once more. */
KERNEL_INLINE int32x4_t dot(int32x4_t sum, int8x16_t a, int8x16_t b) {
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);

    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

#define KERNEL_DOT(sum, a, b) ((ivec)dot((int32x4_t)(sum), (int8x16_t)(a), (int8x16_t)(b)))
#include "model/engine/kernel_i8.h"

static void run_product_i8(const struct kernel_product_i8 *p) {
    product_i8(p);
}

KERNEL_INLINE int16x8_t eight(const float *x, float by) {
    int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), by));
    int32x4_t high = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4), by));

    return vcombine_s16(vqmovn_s32(low), vqmovn_s32(high));
}

KERNEL_INLINE void whole(size_t n, const float *x, float by, void *q) {
    int8_t *to = q;

    for (size_t i = 0; i < n; i += KERNEL_PAD)
        vst1q_s8(to + i,
                 vcombine_s8(vqmovn_s16(eight(x + i, by)), vqmovn_s16(eight(x + i + 8, by))));
}

#define KERNEL_WHOLE whole
#include "model/engine/kernel_quantize.h"

void kernel_neon_quantize(size_t rows, size_t n, const float *x, void *q, float *scale) {
    quantize(rows, n, x, q, 1, scale);
}

void kernel_neon_gelu_quantize(size_t rows, size_t n, float *x, void *q, float *scale) {
    gelu_quantize(rows, n, x, q, 1, scale);
}

void kernel_neon_norm_quantize(const struct kernel_norm_quantize *p) {
    norm_quantize(p, 1);
}

static bool runs(void) {
    return true;
}

const struct kernel kernel_neon = {
    .name = "neon",
    .runs = runs,
    .panel = KERNEL_PANEL,
    .product = kernel_neon_product,
    .gelu = kernel_neon_gelu,
    .norm = kernel_neon_norm,
    .pool = kernel_neon_pool,
    .i8_bytes = 1,
    .i8_panel = KERNEL_PANEL,
    .product_i8 = run_product_i8,
    .quantize = kernel_neon_quantize,
    .gelu_quantize = kernel_neon_gelu_quantize,
    .norm_quantize = kernel_neon_norm_quantize,
};
#endif
