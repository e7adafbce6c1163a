/* kernel_real.h - product, gelu and norm in floating point, for any width of register. Included by
 * a kernel's file, which defines
 *
 *   KERNEL_BYTES  of a register
 *   KERNEL_ROWS   rows of C that are summed at once: with KERNEL_VECS, sums for most registers
 *   KERNEL_VECS   registers side by side: the columns of a panel
 *   KERNEL_MAX(a, b), KERNEL_MIN(a, b)  by lane, b where one is not a number; may be left out
 *   KERNEL_SUM(a), KERNEL_TOP(a)  the sum of the lanes, the largest of them; may be left out
 *
 * Everything is static; the compiler's vectors do the work, so that this is the only copy.
 */
#include <math.h>
#include <string.h>

#include "model/engine/kernel.h"

#define KERNEL_INLINE static inline __attribute__((always_inline))
#define KERNEL_LANES  (KERNEL_BYTES / sizeof(real))
#define KERNEL_PANEL  (KERNEL_VECS * KERNEL_LANES)

#ifdef DIFFUSE_DOUBLE
typedef int64_t kernel_int;
#else
typedef int32_t kernel_int;
#endif
typedef real vec __attribute__((vector_size(KERNEL_BYTES)));
typedef kernel_int ivec __attribute__((vector_size(KERNEL_BYTES)));
typedef real vec_at __attribute__((vector_size(KERNEL_BYTES), aligned(sizeof(real)), may_alias));

KERNEL_INLINE vec load(const real *x) {
    return *(const vec_at *)x;
}

KERNEL_INLINE void save(vec v, real *x) {
    *(vec_at *)x = v;
}

KERNEL_INLINE vec all(real x) {
    return x - (vec){0};
}

/* |x|. */
KERNEL_INLINE vec size_of(vec x) {
#ifdef DIFFUSE_DOUBLE
    return (vec)((ivec)x & INT64_MAX);
#else
    return (vec)((ivec)x & INT32_MAX);
#endif
}

#ifndef KERNEL_MAX
KERNEL_INLINE vec either(ivec which, vec a, vec b) {
    return (vec)((which & (ivec)a) | (~which & (ivec)b));
}

#define KERNEL_MAX(a, b) either((ivec)((a) > (b)), (a), (b))
#define KERNEL_MIN(a, b) either((ivec)((a) < (b)), (a), (b))
#endif

/* --- product ------------------------------------------------------------- */

/* Where sums begin. */
KERNEL_INLINE vec begin(const real *bias, const real *const *add, size_t row, size_t column) {
    vec v = load(bias + column);

    return add ? v + load(add[row] + column) : v;
}

/* rows x vecs registers of sums: both are constants where this is called. */
KERNEL_INLINE void block(const struct kernel_product *p, size_t row, size_t column,
                         const size_t rows, const size_t vecs) {
    const real *b = p->b + column * p->parts * p->k;
    vec sum[KERNEL_ROWS][KERNEL_VECS];

    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            sum[r][v] = begin(p->bias, p->add, row + r, column + v * KERNEL_LANES);
    for (size_t part = 0; part < p->parts; part++) {
        const real *const *at = p->a + part * p->a_stride + row;
        const real *a[KERNEL_ROWS];

        for (size_t r = 0; r < rows; r++)
            a[r] = at[r];
        for (size_t k = 0; k < p->k; k++, b += vecs * KERNEL_LANES)
            for (size_t r = 0; r < rows; r++) {
                vec x = all(a[r][k]);

                for (size_t v = 0; v < vecs; v++)
                    sum[r][v] += x * load(b + v * KERNEL_LANES);
            }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            save(sum[r][v], p->c + (row + r) * p->n + column + v * KERNEL_LANES);
}

/* All rows of one panel of so many registers. */
KERNEL_INLINE void panel(const struct kernel_product *p, size_t column, const size_t vecs) {
    size_t row = 0;

    for (; row + KERNEL_ROWS <= p->rows; row += KERNEL_ROWS)
        block(p, row, column, KERNEL_ROWS, vecs);
    switch (p->rows - row) {
#if KERNEL_ROWS > 5
    case 5:
        block(p, row, column, 5, vecs);
        break;
    case 4:
        block(p, row, column, 4, vecs);
        break;
    case 3:
        block(p, row, column, 3, vecs);
        break;
#endif
    case 2:
        block(p, row, column, 2, vecs);
        break;
    case 1:
        block(p, row, column, 1, vecs);
        break;
    default:
        break;
    }
}

KERNEL_INLINE void product(const struct kernel_product *p) {
    size_t column = 0;

    for (; column + KERNEL_PANEL <= p->n; column += KERNEL_PANEL)
        panel(p, column, KERNEL_VECS);
#if KERNEL_BYTES == 64
    switch ((p->n - column) / KERNEL_LANES) {
    case 3:
        panel(p, column, 3);
        break;
    case 2:
        panel(p, column, 2);
        break;
    case 1:
        panel(p, column, 1);
        break;
    default:
        break;
    }
#endif
}

#include "model/engine/kernel_gelu.h"

/* --- norm ---------------------------------------------------------------- */

#define KERNEL_EPSILON ((real)1e-5)

KERNEL_INLINE real root(real x) {
#ifdef DIFFUSE_DOUBLE
    return sqrt(x);
#else
    return sqrtf(x);
#endif
}

#ifndef KERNEL_SUM
KERNEL_INLINE real total(vec v) {
    real sum[KERNEL_LANES];

    memcpy(sum, &v, sizeof v);
    for (size_t half = KERNEL_LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            sum[i] += sum[i + half];
    return sum[0];
}

#define KERNEL_SUM(v) total(v)
#endif

/* Nothing, in the lanes from width on, where i is the first lane's place. */
KERNEL_INLINE vec within(vec v, size_t i, size_t width) {
    ivec place = {0};

    if (i + KERNEL_LANES <= width)
        return v;
    for (size_t k = 0; k < KERNEL_LANES; k++)
        place[k] = (kernel_int)(i + k);
    return (vec)((ivec)v & (place < (kernel_int)width));
}

/* Rows that are worked on side by side, phase by phase: no row waits for its own sum. */
#define KERNEL_ABREAST 8u

/* y(rows,padded width) of KERNEL_ABREAST rows at most; `most` (rows) the largest |y| by lane, NULL
 * where nobody asks. */
KERNEL_INLINE void norm_some(size_t rows, size_t width, const real *gain, const real *bias,
                             const real *const *x, real *y, vec *most) {
    size_t n = kernel_padded(width);
    real share = 1 / (real)width, mean[KERNEL_ABREAST], by[KERNEL_ABREAST];

    for (size_t r = 0; r < rows; r++) {
        vec sum = all(0);

        for (size_t i = 0; i < n; i += KERNEL_LANES)
            sum += load(x[r] + i);
        mean[r] = KERNEL_SUM(sum) * share;
    }
    for (size_t r = 0; r < rows; r++) {
        vec squares = all(0);

        for (size_t i = 0; i < n; i += KERNEL_LANES) {
            vec d = within(load(x[r] + i) - all(mean[r]), i, width);

            squares += d * d;
        }
        by[r] = 1 / root(KERNEL_SUM(squares) * share + KERNEL_EPSILON);
    }
    for (size_t r = 0; r < rows; r++) {
        vec scale = all(by[r]), top = all(0);

        for (size_t i = 0; i < n; i += KERNEL_LANES) {
            vec v = load(gain + i) * ((load(x[r] + i) - all(mean[r])) * scale) + load(bias + i);

            top = KERNEL_MAX(size_of(v), top);
            save(v, y + r * n + i);
        }
        if (most)
            most[r] = top;
    }
}

KERNEL_INLINE size_t abreast(size_t rows) {
    return rows < KERNEL_ABREAST ? rows : KERNEL_ABREAST;
}

KERNEL_INLINE void norm(size_t rows, size_t width, const real *gain, const real *bias,
                        const real *const *x, real *y) {
    size_t n = kernel_padded(width);

    for (size_t from = 0; from < rows; from += KERNEL_ABREAST) {
        size_t some = abreast(rows - from);
        const real *at[KERNEL_ABREAST];

        for (size_t r = 0; r < some; r++)
            at[r] = x ? x[from + r] : y + (from + r) * n;
        norm_some(some, width, gain, bias, at, y + from * n, NULL);
    }
}

/* --- pool ---------------------------------------------------------------- */

/* sum(n) += the rows of x, and top(n) at least what they have. */
KERNEL_INLINE void pool(size_t rows, size_t n, const real *x, real *sum, real *top) {
    for (size_t j = 0; j < n; j += KERNEL_LANES) {
        vec s = load(sum + j), t = load(top + j);

        for (size_t r = 0; r < rows; r++) {
            vec v = load(x + r * n + j);

            s += v;
            t = KERNEL_MAX(v, t);
        }
        save(s, sum + j);
        save(t, top + j);
    }
}
