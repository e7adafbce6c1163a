/* kernel_avx512.c - AVX-512 F and BW. */
#include "model/engine/kernel_list.h"

#if KERNEL_X86
#ifndef __clang__ /* which is told by the Makefile */
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")
#endif
#include <immintrin.h>

#define KERNEL_BYTES     64
#define KERNEL_ROWS      6
#define KERNEL_VECS      4
#define KERNEL_MAX(a, b) ((vec)_mm512_max_ps((a), (b)))
#define KERNEL_MIN(a, b) ((vec)_mm512_min_ps((a), (b)))
#define KERNEL_SUM(a)    _mm512_reduce_add_ps(a)
#define KERNEL_TOP(a)    _mm512_reduce_max_ps(a)
#define KERNEL_LOOKUP(low, high, which)                                                            \
    ((vec)_mm512_permutex2var_ps((low), (__m512i)(which), (high)))
#include "model/engine/kernel_real.h"

void kernel_avx512_product(const struct kernel_product *p) {
    product(p);
}

void kernel_avx512_gelu(size_t n, real *x) {
    gelu(n, x);
}

void kernel_avx512_norm(size_t rows, size_t width, const real *gain, const real *bias,
                        const real *const *x, real *y) {
    norm(rows, width, gain, bias, x, y);
}

void kernel_avx512_pool(size_t rows, size_t n, const real *x, real *sum, real *top) {
    pool(rows, n, x, sum, top);
}

#define KERNEL_DOT(sum, a, b)                                                                      \
    ((ivec)_mm512_add_epi32((__m512i)(sum), _mm512_madd_epi16((__m512i)(a), (__m512i)(b))))
#define KERNEL_HOLD(a) __asm__("" : "+v"(a))
#include "model/engine/kernel_i8.h"
#include "model/engine/kernel_pairs.h"

void kernel_avx512_product_bf16(const struct kernel_product_bf16 *p) {
    product_pairs(p);
}

static void run_product_i8(const struct kernel_product_i8 *p) {
    product_i8(p);
}

KERNEL_INLINE void whole(size_t n, const float *x, float by, void *q) {
    int16_t *to = q;

    for (size_t i = 0; i < n; i += KERNEL_PAD)
        _mm256_storeu_si256((__m256i *)(to + i),
                            _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(_mm512_loadu_ps(x + i) * by)));
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
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

const struct kernel kernel_avx512 = {
    .name = "avx512",
    .runs = runs,
    .panel = KERNEL_PANEL,
    .product = kernel_avx512_product,
    .gelu = kernel_avx512_gelu,
    .norm = kernel_avx512_norm,
    .pool = kernel_avx512_pool,
    .bf16_panel = KERNEL_PANEL,
    .product_bf16 = kernel_avx512_product_bf16,
    .i8_bytes = 2,
    .i8_panel = KERNEL_PANEL,
    .product_i8 = run_product_i8,
    .quantize = run_quantize,
    .gelu_quantize = run_gelu_quantize,
    .norm_quantize = run_norm_quantize,
};
#endif
