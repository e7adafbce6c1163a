/* kernel_bf16.c - what AVX-512 BF16 has of its own: two products of BF16 where a float's one was.
 * Not every processor with VNNI has it. */
#include "model/engine/kernel_list.h"

#if KERNEL_X86
#ifndef __clang__ /* which is told by the Makefile */
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,prefer-vector-width=512")
#endif
#include <immintrin.h>

#define KERNEL_BYTES 64
#define KERNEL_ROWS  6
#define KERNEL_VECS  4
#include "model/engine/kernel_real.h"

#define KERNEL_PAIR(sum, a, b) ((vec)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(a), (__m512bh)(b)))
#include "model/engine/kernel_pairs.h"

void kernel_bf16_product(const struct kernel_product_bf16 *p) {
    product_pairs(p);
}
#endif
