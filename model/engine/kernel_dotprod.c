/* kernel_dotprod.c - NEON with dot products of 8 bits (ARMv8.2 and later): four products where a
 * float's one was. */
#include "model/engine/kernel_list.h"

#if KERNEL_ARM
#ifndef __clang__ /* which is told by the Makefile */
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#include <arm_neon.h>
#include <sys/auxv.h>

#define KERNEL_BYTES 16
#define KERNEL_ROWS  6
#define KERNEL_VECS  4
#include "model/engine/kernel_real.h"

#define KERNEL_DOT(sum, a, b) ((ivec)vdotq_s32((int32x4_t)(sum), (int8x16_t)(a), (int8x16_t)(b)))
#include "model/engine/kernel_i8.h"

static void run_product_i8(const struct kernel_product_i8 *p) {
    product_i8(p);
}

static bool runs(void) {
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}

const struct kernel kernel_dotprod = {
    .name = "dotprod",
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
