/* kernel_i8.h - the product on 8 bits. Included after kernel_real.h, with its macros, by a kernel's
 * file, which defines
 *
 *   KERNEL_HOLD(a)  keeps a in a register, where the compiler would load it again for each row and
 *                   loads are what there is least of; may be left out
 *   KERNEL_DOT(sum, a, b)  sum + the products of the numbers in a group of a and one of b, by lane
 */
#include "model/engine/kernel.h"

#ifndef KERNEL_HOLD
#define KERNEL_HOLD(a)
#endif

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

/* Rows of a block: sums of a part and of all parts lie in registers side by side. */
KERNEL_INLINE size_t rows_i8(bool parts) {
    return !parts ? KERNEL_ROWS : KERNEL_BYTES == 32 ? 3 : 2;
}

/* The product of one part; moves b on. */
KERNEL_INLINE void sum_i8(const struct kernel_product_i8 *p, size_t part, size_t row, size_t column,
                          const int32_t **b, const size_t rows, const size_t vecs,
                          ivec sum[KERNEL_ROWS][KERNEL_VECS]) {
    const void *const *at = p->a + part * p->a_stride + row;
    const int32_t *start = p->start + part * p->n + column, *from = *b;
    const void *a[KERNEL_ROWS];

    for (size_t r = 0; r < rows; r++) {
        a[r] = at[r];
        for (size_t v = 0; v < vecs; v++)
            sum[r][v] = load_int(start + v * KERNEL_LANES);
    }
    for (size_t g = 0; g < p->groups; g++, from += vecs * KERNEL_LANES) {
        ivec y[KERNEL_VECS];

        for (size_t v = 0; v < vecs; v++) {
            y[v] = load_int(from + v * KERNEL_LANES);
            KERNEL_HOLD(y[v]);
        }
        for (size_t r = 0; r < rows; r++) {
            ivec x = group(a[r], g);

            for (size_t v = 0; v < vecs; v++)
                sum[r][v] = KERNEL_DOT(sum[r][v], x, y[v]);
        }
    }
    *b = from;
}

/* What the sums of a part come to. */
KERNEL_INLINE vec scaled_i8(const struct kernel_product_i8 *p, size_t part, size_t row,
                            size_t column, ivec sum) {
    vec scale = load(p->b_scale + part * p->n + column) * p->a_scale[part * p->a_stride + row];

    return __builtin_convertvector(sum, vec) * scale;
}

/* Sums of all parts in registers, beside those of the part at hand. */
KERNEL_INLINE void block_parts_i8(const struct kernel_product_i8 *p, size_t row, size_t column,
                                  const size_t rows, const size_t vecs) {
    const int32_t *b = (const int32_t *)p->b + column * p->parts * p->groups;
    ivec sum[KERNEL_ROWS][KERNEL_VECS];
    vec c[KERNEL_ROWS][KERNEL_VECS];

    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            c[r][v] = begin(p->bias, p->add, row + r, column + v * KERNEL_LANES);
    for (size_t part = 0; part < p->parts; part++) {
        sum_i8(p, part, row, column, &b, rows, vecs, sum);
        for (size_t r = 0; r < rows; r++)
            for (size_t v = 0; v < vecs; v++)
                c[r][v] += scaled_i8(p, part, row + r, column + v * KERNEL_LANES, sum[r][v]);
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            save(c[r][v], p->c + (row + r) * p->n + column + v * KERNEL_LANES);
}

/* One part: all registers are for its sums, and what they begin at is read in the end. */
KERNEL_INLINE void block_part_i8(const struct kernel_product_i8 *p, size_t row, size_t column,
                                 const size_t rows, const size_t vecs) {
    const int32_t *b = (const int32_t *)p->b + column * p->groups;
    ivec sum[KERNEL_ROWS][KERNEL_VECS];
    vec c[KERNEL_ROWS][KERNEL_VECS];

    sum_i8(p, 0, row, column, &b, rows, vecs, sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            c[r][v] = load(p->bias + column + v * KERNEL_LANES) +
                      scaled_i8(p, 0, row + r, column + v * KERNEL_LANES, sum[r][v]);
    if (p->add)
        for (size_t r = 0; r < rows; r++)
            for (size_t v = 0; v < vecs; v++)
                c[r][v] += load(p->add[row + r] + column + v * KERNEL_LANES);
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            save(c[r][v], p->c + (row + r) * p->n + column + v * KERNEL_LANES);
}

KERNEL_INLINE void block_i8(const struct kernel_product_i8 *p, size_t row, size_t column,
                            const bool many, const size_t rows, const size_t vecs) {
    if (many)
        block_parts_i8(p, row, column, rows, vecs);
    else
        block_part_i8(p, row, column, rows, vecs);
}

KERNEL_INLINE void rows_of_panel_i8(const struct kernel_product_i8 *p, size_t column,
                                    const bool many, const size_t vecs) {
    const size_t most = rows_i8(many);
    size_t row = 0;

    for (; row + most <= p->rows; row += most)
        block_i8(p, row, column, many, most, vecs);
    for (; row + 2 <= p->rows; row += 2)
        block_i8(p, row, column, many, 2, vecs);
    if (row < p->rows)
        block_i8(p, row, column, many, 1, vecs);
}

KERNEL_INLINE void panel_i8(const struct kernel_product_i8 *p, size_t column, const size_t vecs) {
    if (p->parts > 1)
        rows_of_panel_i8(p, column, true, vecs);
    else
        rows_of_panel_i8(p, column, false, vecs);
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
