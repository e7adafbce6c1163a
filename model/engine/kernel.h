/* kernel.h - the inner loops of the engine, once for each kind of processor.
 *
 * A kernel is a table of functions. Which one runs is chosen once, by what the processor offers, or
 * by name; all give the same numbers but for rounding, and in int8 the same integers. Rows are
 * padded with zeros to a multiple of KERNEL_PAD numbers, so that no loop has a rest.
 * Threads: kernels are constant; any number may use one.
 */
#ifndef MODEL_ENGINE_KERNEL_H
#define MODEL_ENGINE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

enum engine_precision { ENGINE_F32, ENGINE_BF16, ENGINE_I8 }; /* of the matrices of the steps */

#define KERNEL_PAD   16u /* numbers: one AVX-512 register of float */
#define KERNEL_PARTS 3u  /* most parts of a product */

/* n rounded up to a multiple of KERNEL_PAD. */
static inline size_t kernel_padded(size_t n) {
    return (n + KERNEL_PAD - 1) / KERNEL_PAD * KERNEL_PAD;
}

/* C(rows,n) = bias + the sum over the parts of A_p(rows,k) B_p(n,k)^T. The rows of A_p lie
 * anywhere: so the neighbours of a token are not copied to where a matrix would want them. B_p are
 * packed: panels of `panel` columns (the last one may be narrower), in each the parts one after the
 * other, in each part k rows of as many numbers as the panel has columns. */
struct kernel_product {
    size_t rows, parts, k;
    size_t n;             /* padded */
    const real *const *a; /* row r of part p: a[p * a_stride + r] */
    size_t a_stride;
    const real *b, *bias;   /* bias(n) */
    const real *const *add; /* (rows) of n numbers that go onto those of C; NULL: nothing */
    real *c;
};

/* The same on 8 bits: C = bias + the sum over the parts of scale_a scale_b (A_p B_p^T), the product
 * being one of integers. A number of A is quantised(x) + offset; `start` takes the offset back.
 * Numbers lie in groups of four bytes: B_p has a group where above it has a number. */
struct kernel_product_i8 {
    size_t rows, parts, groups;
    size_t n;
    const void *const *a;
    const float *a_scale; /* of row r of part p: a_scale[p * a_stride + r] */
    size_t a_stride;
    const void *b;
    const int32_t *start;        /* (parts,n) */
    const float *b_scale, *bias; /* (parts,n) (n) */
    const float *const *add;
    float *c;
};

/* The first again, A and B being in BF16, in pairs: B_p has a pair where above it has a number. */
struct kernel_product_bf16 {
    size_t rows, parts, groups;
    size_t n;
    const void *const *a;
    size_t a_stride;
    const void *b;
    const float *bias;
    const float *const *add;
    float *c;
};

/* LayerNorm of rows that lie anywhere, each padded width numbers, and what `quantize` does to it.
 */
struct kernel_norm_quantize {
    size_t rows, width;
    const float *gain, *bias;
    const float *const *x;
    float *room; /* (min(rows, 8), padded width) to work in */
    void *q;
    float *scale;
};

struct kernel {
    const char *name;
    bool (*runs)(void); /* on this machine? */
    size_t panel;       /* columns */
    void (*product)(const struct kernel_product *p);
    /* x(n) = gelu(x), n padded. The erf form, error below 1.5e-6 (1e-6 in AVX-512). */
    void (*gelu)(size_t n, real *x);
    /* y(rows,padded width) = LayerNorm of x, whose rows lie anywhere; x NULL: of y, in place. Rows
     * of x, gain and bias are padded, too. */
    void (*norm)(size_t rows, size_t width, const real *gain, const real *bias,
                 const real *const *x, real *y);
    /* sum(n) += the rows of x(rows,n), and top(n) at least what they have; n padded. */
    void (*pool)(size_t rows, size_t n, const real *x, real *sum, real *top);
#ifndef DIFFUSE_DOUBLE
    size_t bf16_panel; /* columns */
    void (*product_bf16)(const struct kernel_product_bf16 *p);
    size_t i8_bytes; /* of a quantised number */
    int i8_offset;   /* that is added to one of A */
    size_t i8_panel; /* columns */
    void (*product_i8)(const struct kernel_product_i8 *p);
    /* x(rows,n), n padded, to whole numbers -127 to 127 times a scale for each row. */
    void (*quantize)(size_t rows, size_t n, const float *x, void *q, float *scale);
    void (*gelu_quantize)(size_t rows, size_t n, float *x, void *q, float *scale); /* gelu first */
    void (*norm_quantize)(const struct kernel_norm_quantize *p);
#endif
};

/* The names of all kernels, of all machines: what an option or a configuration may say. */
#define KERNEL_NAMES "portable avx2 avx512 vnni neon dotprod"

/* All kernels that were built, the plainest first; NULL beyond the last. */
const struct kernel *kernel_at(size_t i);

/* "auto": the last of those that this machine runs. Errors: INVAL (no such name), UNSUPPORTED (the
 * processor does not offer it); the reason names those that it could be. */
DIFFUSE_MUST_CHECK diffuse_err kernel_find(const char *name, const struct kernel **ret_kernel,
                                           struct reason *why);

/* "portable avx2 ...": the kernels that this machine runs. Cut at cap. */
void kernel_names(char *ret_text, size_t cap);

#endif
