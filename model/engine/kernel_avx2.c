/* kernel_avx2.c - AVX2 and FMA: x86-64-v3. */
#include "model/engine/kernel_list.h"

#if KERNEL_X86
#ifndef __clang__ /* which is told by the Makefile */
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>

#define KERNEL_BYTES     32
#define KERNEL_ROWS      6
#define KERNEL_VECS      2
#define KERNEL_MAX(a, b) ((vec)_mm256_max_ps((a), (b)))
#define KERNEL_MIN(a, b) ((vec)_mm256_min_ps((a), (b)))
#include "model/engine/kernel_real.h"

static void run_product(const struct kernel_product *p) {
    product(p);
}

static void run_gelu(size_t n, real *x) {
    gelu(n, x);
}

static void run_norm(size_t rows, size_t width, const real *gain, const real *bias,
                     const real *const *x, real *y) {
    norm(rows, width, gain, bias, x, y);
}

static void run_pool(size_t rows, size_t n, const real *x, real *sum, real *top) {
    pool(rows, n, x, sum, top);
}

#define KERNEL_DOT(sum, a, b)                                                                      \
    ((ivec)_mm256_add_epi32((__m256i)(sum), _mm256_madd_epi16((__m256i)(a), (__m256i)(b))))
#include "model/engine/kernel_i8.h"
#include "model/engine/kernel_pairs.h"

static void run_product_bf16(const struct kernel_product_bf16 *p) {
    product_pairs(p);
}

static void run_product_i8(const struct kernel_product_i8 *p) {
    product_i8(p);
}

KERNEL_INLINE void whole(size_t n, const float *x, float by, void *q) {
    __m256 times = _mm256_set1_ps(by);
    int16_t *to = q;

    for (size_t i = 0; i < n; i += KERNEL_PAD) {
        __m256i low = _mm256_cvtps_epi32(_mm256_loadu_ps(x + i) * times);
        __m256i high = _mm256_cvtps_epi32(_mm256_loadu_ps(x + i + 8) * times);
        __m256i both = _mm256_packs_epi32(low, high); /* by halves of 128 bits */

        _mm256_storeu_si256((__m256i *)(to + i), _mm256_permute4x64_epi64(both, 0xd8));
    }
}

#define KERNEL_WHOLE whole
#include "model/engine/kernel_quantize.h"

static void run_quantize(size_t rows, size_t n, const float *x, void *q, float *scale) {
    quantize(rows, n, x, q, 2, scale);
}

static void run_gelu_quantize(size_t rows, size_t n, float *x, void *q, float *scale) {
    gelu_quantize(rows, n, x, q, 2, scale);
}

static void run_norm_quantize(const struct kernel_norm_quantize *p) {
    norm_quantize(p, 2);
}

static bool runs(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct kernel kernel_avx2 = {
    .name = "avx2",
    .runs = runs,
    .panel = KERNEL_PANEL,
    .product = run_product,
    .gelu = run_gelu,
    .norm = run_norm,
    .pool = run_pool,
    .bf16_panel = KERNEL_PANEL,
    .product_bf16 = run_product_bf16,
    .i8_bytes = 2,
    .i8_panel = KERNEL_PANEL,
    .product_i8 = run_product_i8,
    .quantize = run_quantize,
    .gelu_quantize = run_gelu_quantize,
    .norm_quantize = run_norm_quantize,
};
#endif
