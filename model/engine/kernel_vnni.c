/* kernel_vnni.c - AVX-512 with VNNI: four products of 8 bits where a float's one was. */
#include "model/engine/kernel_list.h"

#if KERNEL_X86
#ifndef __clang__ /* which is told by the Makefile */
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,prefer-vector-width=512")
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

#define KERNEL_DOT(sum, a, b)                                                                      \
    ((ivec)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(a), (__m512i)(b)))

#define KERNEL_HOLD(a) __asm__("" : "+v"(a))
#include "model/engine/kernel_i8.h"

#define OFFSET 128 /* the instruction wants one side without a sign */

static void run_product_bf16(const struct kernel_product_bf16 *p) {
    if (__builtin_cpu_supports("avx512bf16"))
        kernel_bf16_product(p);
    else
        kernel_avx512_product_bf16(p);
}

static void run_product_i8(const struct kernel_product_i8 *p) {
    product_i8(p);
}

KERNEL_INLINE __m512i near(const float *x, float by) {
    return _mm512_cvtps_epi32(_mm512_loadu_ps(x) * _mm512_set1_ps(by));
}

KERNEL_INLINE void whole(size_t n, const float *x, float by, void *q) {
    const __m512i offset = _mm512_set1_epi8((char)OFFSET);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    uint8_t *to = q;
    size_t i = 0;

    for (; i + 64 <= n; i += 64) { /* packed by quarters of a register, then put in order */
        __m512i low = _mm512_packs_epi32(near(x + i, by), near(x + i + 16, by));
        __m512i high = _mm512_packs_epi32(near(x + i + 32, by), near(x + i + 48, by));
        __m512i both = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));

        _mm512_storeu_si512(to + i, _mm512_xor_si512(both, offset));
    }
    for (; i < n; i += KERNEL_PAD)
        _mm_storeu_si128((__m128i *)(to + i), _mm_xor_si128(_mm512_cvtepi32_epi8(near(x + i, by)),
                                                            _mm512_castsi512_si128(offset)));
}

#define KERNEL_WHOLE whole
#include "model/engine/kernel_quantize.h"

static void run_quantize(size_t rows, size_t n, const float *x, void *q, float *scale) {
    quantize(rows, n, x, q, 1, scale);
}

static void run_gelu_quantize(size_t rows, size_t n, float *x, void *q, float *scale) {
    gelu_quantize(rows, n, x, q, 1, scale);
}

static void run_norm_quantize(const struct kernel_norm_quantize *p) {
    norm_quantize(p, 1);
}

static bool runs(void) {
    return kernel_avx512.runs() && __builtin_cpu_supports("avx512vnni");
}

const struct kernel kernel_vnni = {
    .name = "vnni",
    .runs = runs,
    .panel = KERNEL_PANEL,
    .product = kernel_avx512_product,
    .gelu = kernel_avx512_gelu,
    .norm = kernel_avx512_norm,
    .pool = kernel_avx512_pool,
    .bf16_panel = KERNEL_PANEL,
    .product_bf16 = run_product_bf16,
    .i8_bytes = 1,
    .i8_offset = OFFSET,
    .i8_panel = KERNEL_PANEL,
    .product_i8 = run_product_i8,
    .quantize = run_quantize,
    .gelu_quantize = run_gelu_quantize,
    .norm_quantize = run_norm_quantize,
};
#endif
