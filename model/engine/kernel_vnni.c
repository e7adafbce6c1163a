/* kernel_vnni.c - AVX-512 with VNNI: four products of 8 bits where a float's one was. */
#include "model/engine/kernel_list.h"

#if KERNEL_X86
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,prefer-vector-width=512")
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

KERNEL_INLINE void whole(size_t n, const float *x, float by, void *q) {
    const __m128i offset = _mm_set1_epi8((char)OFFSET);
    uint8_t *to = q;

    for (size_t i = 0; i < n; i += KERNEL_PAD) {
        __m512i near = _mm512_cvtps_epi32(_mm512_loadu_ps(x + i) * by);

        _mm_storeu_si128((__m128i *)(to + i), _mm_xor_si128(_mm512_cvtepi32_epi8(near), offset));
    }
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
