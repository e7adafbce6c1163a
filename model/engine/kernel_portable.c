/* kernel_portable.c - the kernel that runs everywhere; what the others are compared with. */
#define KERNEL_BYTES 16
#define KERNEL_ROWS  3
#ifdef DIFFUSE_DOUBLE
#define KERNEL_VECS 8
#else
#define KERNEL_VECS 4
#endif
#include "model/engine/kernel_list.h"
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

static bool runs(void) {
    return true;
}

#ifndef DIFFUSE_DOUBLE

#include "model/engine/kernel_pairs.h"

static void run_product_bf16(const struct kernel_product_bf16 *p) {
    product_pairs(p);
}

/* Two numbers of 16 bits a group. */
static void run_product_i8(const struct kernel_product_i8 *p) {
    const int16_t *b = p->b;

    for (size_t column = 0; column < p->n; column += KERNEL_PAD)
        for (size_t part = 0; part < p->parts; part++, b += 2 * p->groups * KERNEL_PAD)
            for (size_t r = 0; r < p->rows; r++) {
                const int16_t *a = p->a[part * p->a_stride + r];
                float scale = p->a_scale[part * p->a_stride + r], *c = p->c + r * p->n + column;
                const float *b_scale = p->b_scale + part * p->n + column;
                const float *add = p->add && part == 0 ? p->add[r] + column : NULL;
                int32_t sum[KERNEL_PAD];

                memcpy(sum, p->start + part * p->n + column, sizeof sum);
                for (size_t k = 0; k < p->groups; k++)
                    for (size_t j = 0; j < KERNEL_PAD; j++)
                        sum[j] += a[2 * k] * b[2 * (k * KERNEL_PAD + j)] +
                                  a[2 * k + 1] * b[2 * (k * KERNEL_PAD + j) + 1];
                for (size_t j = 0; j < KERNEL_PAD; j++)
                    c[j] = (float)sum[j] * (scale * b_scale[j]) +
                           (part > 0 ? c[j] : p->bias[column + j]) + (add ? add[j] : 0);
            }
}

KERNEL_INLINE void whole(size_t n, const float *x, float by, void *q) {
    int16_t *to = q;

    for (size_t i = 0; i < n; i++) {
        float near = rintf(x[i] * by);

        to[i] = (int16_t)(fabsf(near) <= 127 ? near : 0); /* else it is not finite */
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

#endif

const struct kernel kernel_portable = {
    .name = "portable",
    .runs = runs,
    .panel = KERNEL_PANEL,
    .product = run_product,
    .gelu = run_gelu,
    .norm = run_norm,
    .pool = run_pool,
#ifndef DIFFUSE_DOUBLE
    .bf16_panel = KERNEL_PANEL,
    .product_bf16 = run_product_bf16,
    .i8_bytes = 2,
    .i8_panel = KERNEL_PAD,
    .product_i8 = run_product_i8,
    .quantize = run_quantize,
    .gelu_quantize = run_gelu_quantize,
    .norm_quantize = run_norm_quantize,
#endif
};
