/* kernel_list.h - every kernel by name; and what one takes over from another. engine/ only. */
#ifndef MODEL_ENGINE_KERNEL_LIST_H
#define MODEL_ENGINE_KERNEL_LIST_H

#include "model/engine/kernel.h"

#if defined(__x86_64__) && !defined(DIFFUSE_DOUBLE)
#define KERNEL_X86 1
#else
#define KERNEL_X86 0
#endif

#if defined(__aarch64__) && !defined(DIFFUSE_DOUBLE)
#define KERNEL_ARM 1
#else
#define KERNEL_ARM 0
#endif

extern const struct kernel kernel_portable;
#if KERNEL_X86
extern const struct kernel kernel_avx2, kernel_avx512, kernel_vnni;

void kernel_avx512_product(const struct kernel_product *p);
void kernel_avx512_product_bf16(const struct kernel_product_bf16 *p);
void kernel_bf16_product(const struct kernel_product_bf16 *p); /* takes avx512bf16 */
void kernel_avx512_pool(size_t rows, size_t n, const real *x, real *sum, real *top);
void kernel_avx512_gelu(size_t n, real *x);
void kernel_avx512_norm(size_t rows, size_t width, const real *gain, const real *bias,
                        const real *const *x, real *y);
#endif
#if KERNEL_ARM
extern const struct kernel kernel_neon, kernel_dotprod;

void kernel_neon_product(const struct kernel_product *p);
void kernel_neon_pool(size_t rows, size_t n, const real *x, real *sum, real *top);
void kernel_neon_gelu(size_t n, real *x);
void kernel_neon_norm(size_t rows, size_t width, const real *gain, const real *bias,
                      const real *const *x, real *y);
void kernel_neon_quantize(size_t rows, size_t n, const float *x, void *q, float *scale);
void kernel_neon_gelu_quantize(size_t rows, size_t n, float *x, void *q, float *scale);
void kernel_neon_norm_quantize(const struct kernel_norm_quantize *p);
#endif

#endif
