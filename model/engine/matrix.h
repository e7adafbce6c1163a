/* matrix.h - one matrix of the model, packed for a kernel, with its bias. engine/ only. */
#ifndef MODEL_ENGINE_MATRIX_H
#define MODEL_ENGINE_MATRIX_H

#include "model/base/layout.h"
#include "model/engine/kernel.h"

/* C = bias + the sum over the parts of A_p B_p^T. */
struct matrix {
    size_t parts, k, n; /* n padded */
    enum engine_precision precision;
    const void *b;
    real *bias;
    float *scale;   /* (parts,n) int8 only */
    int32_t *start; /* (parts,n) int8 only */
};

/* Where it comes from: part p is w[p](n,k), row-major, `stride` from row to row. */
struct matrix_source {
    const real *w[KERNEL_PARTS];
    size_t stride, parts, n, k;
    const real *bias; /* (n), or NULL: zeros */
};

/* The rows that a product reads, in its precision; in int8 each has a scale. */
struct matrix_rows {
    const void **at; /* (parts, stride): row r of part p is at[p * stride + r] */
    const float *scale;
    size_t stride;
    const real *const *add; /* rows that the product is added to; NULL: none */
};

/* Room for it, and, unless the layout only counts, the matrix in it. */
void matrix_lay(struct layout *l, const struct kernel *kernel, enum engine_precision precision,
                const struct matrix_source *source, struct matrix *m);

/* c(rows,n). */
void matrix_product(const struct matrix *m, const struct kernel *kernel, size_t rows,
                    const struct matrix_rows *a, real *c);

#endif
