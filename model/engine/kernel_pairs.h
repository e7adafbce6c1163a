/* kernel_pairs.h - the product of numbers in BF16, which lie in pairs. Included after
 * kernel_real.h, with its macros, by a kernel's file, which may define
 *
 *   KERNEL_PAIR(sum, a, b)  sum + the products of the two numbers in a pair of a and one of b, by
 * lane
 */
#include "model/engine/kernel.h"

typedef int32_t pair_at
    __attribute__((vector_size(KERNEL_BYTES), aligned(sizeof(int32_t)), may_alias));

#ifndef KERNEL_PAIR
/* A number in BF16 is the upper half of a float. */
KERNEL_INLINE vec add_pair(vec sum, ivec a, ivec b) {
    return sum + (vec)(a << 16) * (vec)(b << 16) + (vec)(a & ~0xffff) * (vec)(b & ~0xffff);
}

#define KERNEL_PAIR(sum, a, b) add_pair(sum, a, b)
#endif

KERNEL_INLINE void block_pairs(const struct kernel_product_bf16 *p, size_t row, size_t column,
                               const size_t rows, const size_t vecs) {
    const int32_t *b = (const int32_t *)p->b + column * p->parts * p->groups;
    vec sum[KERNEL_ROWS][KERNEL_VECS];

    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            sum[r][v] = begin(p->bias, p->add, row + r, column + v * KERNEL_LANES);
    for (size_t part = 0; part < p->parts; part++) {
        const void *const *at = p->a + part * p->a_stride + row;
        const char *a[KERNEL_ROWS];

        for (size_t r = 0; r < rows; r++)
            a[r] = at[r];
        for (size_t g = 0; g < p->groups; g++, b += vecs * KERNEL_LANES)
            for (size_t r = 0; r < rows; r++) {
                int32_t pair;
                ivec x;

                memcpy(&pair, a[r] + g * sizeof pair, sizeof pair);
                x = pair - (ivec){0};
                for (size_t v = 0; v < vecs; v++)
                    sum[r][v] = KERNEL_PAIR(sum[r][v], x, *(const pair_at *)(b + v * KERNEL_LANES));
            }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            save(sum[r][v], p->c + (row + r) * p->n + column + v * KERNEL_LANES);
}

KERNEL_INLINE void panel_pairs(const struct kernel_product_bf16 *p, size_t column,
                               const size_t vecs) {
    size_t row = 0;

    for (; row + KERNEL_ROWS <= p->rows; row += KERNEL_ROWS)
        block_pairs(p, row, column, KERNEL_ROWS, vecs);
    for (; row + 2 <= p->rows; row += 2)
        block_pairs(p, row, column, 2, vecs);
    if (row < p->rows)
        block_pairs(p, row, column, 1, vecs);
}

KERNEL_INLINE void product_pairs(const struct kernel_product_bf16 *p) {
    size_t column = 0;

    for (; column + KERNEL_PANEL <= p->n; column += KERNEL_PANEL)
        panel_pairs(p, column, KERNEL_VECS);
#if KERNEL_BYTES == 64
    switch ((p->n - column) / KERNEL_LANES) {
    case 3:
        panel_pairs(p, column, 3);
        break;
    case 2:
        panel_pairs(p, column, 2);
        break;
    case 1:
        panel_pairs(p, column, 1);
        break;
    default:
        break;
    }
#endif
}
