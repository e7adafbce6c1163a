/* kernel_i8.h - the product on 8 bits. Included after kernel_real.h, with its macros, by a kernel's
 * file, which defines
 *
 *   KERNEL_DOT(sum, a, b)  sum + the products of the numbers in a group of a and one of b, by lane
 */
#include "model/engine/kernel.h"

typedef int32_t ivec_at
    __attribute__((vector_size(KERNEL_BYTES), aligned(sizeof(int32_t)), may_alias));

KERNEL_INLINE ivec load_int(const int32_t *x) {
    return *(const ivec_at *)x;
}

/* The group at place g of a row, in every lane. */
KERNEL_INLINE ivec group(const void *row, size_t g) {
    int32_t x;

    memcpy(&x, (const char *)row + g * sizeof x, sizeof x);
    return x - (ivec){0};
}

/* c = start, or what it was, + scales times the sums. */
KERNEL_INLINE void add_scaled(const struct kernel_product_i8 *p, size_t part, size_t row,
                              size_t column, const float *start, size_t stride, const size_t rows,
                              const size_t vecs, ivec sum[KERNEL_ROWS][KERNEL_VECS]) {
    const float *b_scale = p->b_scale + part * p->n + column;
    const float *a_scale = p->a_scale + part * p->a_stride + row;
    float *c = p->c + row * p->n + column;

    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++) {
            size_t j = v * KERNEL_LANES;
            vec scale = load(b_scale + j) * a_scale[r];

            save(__builtin_convertvector(sum[r][v], vec) * scale + load(start + r * stride + j),
                 c + r * p->n + j);
        }
}

KERNEL_INLINE void block_i8(const struct kernel_product_i8 *p, size_t row, size_t column,
                            const size_t rows, const size_t vecs) {
    const int32_t *b = (const int32_t *)p->b + column * p->parts * p->groups;
    float *c = p->c + row * p->n + column;
    ivec sum[KERNEL_ROWS][KERNEL_VECS];

    for (size_t part = 0; part < p->parts; part++) {
        const void *const *at = p->a + part * p->a_stride + row;
        const int32_t *start = p->start + part * p->n + column;
        const void *a[KERNEL_ROWS];

        for (size_t r = 0; r < rows; r++) {
            a[r] = at[r];
            for (size_t v = 0; v < vecs; v++)
                sum[r][v] = load_int(start + v * KERNEL_LANES);
        }
        for (size_t g = 0; g < p->groups; g++, b += vecs * KERNEL_LANES)
            for (size_t r = 0; r < rows; r++) {
                ivec x = group(a[r], g);

                for (size_t v = 0; v < vecs; v++)
                    sum[r][v] = KERNEL_DOT(sum[r][v], x, load_int(b + v * KERNEL_LANES));
            }
        add_scaled(p, part, row, column, part ? c : p->bias + column, part ? p->n : 0, rows, vecs,
                   sum);
    }
}

KERNEL_INLINE void panel_i8(const struct kernel_product_i8 *p, size_t column, const size_t vecs) {
    size_t row = 0;

    for (; row + KERNEL_ROWS <= p->rows; row += KERNEL_ROWS)
        block_i8(p, row, column, KERNEL_ROWS, vecs);
    for (; row + 2 <= p->rows; row += 2)
        block_i8(p, row, column, 2, vecs);
    if (row < p->rows)
        block_i8(p, row, column, 1, vecs);
}

KERNEL_INLINE void product_i8(const struct kernel_product_i8 *p) {
    size_t column = 0;

    for (; column + KERNEL_PANEL <= p->n; column += KERNEL_PANEL)
        panel_i8(p, column, KERNEL_VECS);
#if KERNEL_BYTES == 64
    switch ((p->n - column) / KERNEL_LANES) {
    case 3:
        panel_i8(p, column, 3);
        break;
    case 2:
        panel_i8(p, column, 2);
        break;
    case 1:
        panel_i8(p, column, 1);
        break;
    default:
        break;
    }
#endif
}

/* The largest |x| of a row; no number is not finite where that matters. */
KERNEL_INLINE float largest(size_t n, const float *x) {
    vec most = all(0);
    float lane[KERNEL_LANES], top;

    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        vec v = (vec)((ivec)load(x + i) & 0x7fffffff);

        most = KERNEL_MAX(v, most);
    }
    memcpy(lane, &most, sizeof most);
    top = lane[0];
    for (size_t i = 1; i < KERNEL_LANES; i++)
        top = lane[i] > top ? lane[i] : top;
    return top;
}
