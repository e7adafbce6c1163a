/* kernel_real.h - product, gelu and norm in floating point, for any width of register. Included by
 * a kernel's file, which defines
 *
 *   KERNEL_BYTES  of a register
 *   KERNEL_ROWS   rows of C that are summed at once: with KERNEL_VECS, sums for most registers
 *   KERNEL_VECS   registers side by side: the columns of a panel
 *   KERNEL_MAX(a, b), KERNEL_MIN(a, b)  by lane, b where one is not a number; may be left out
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

#ifndef KERNEL_MAX
KERNEL_INLINE vec either(ivec which, vec a, vec b) {
    return (vec)((which & (ivec)a) | (~which & (ivec)b));
}

#define KERNEL_MAX(a, b) either((ivec)((a) > (b)), (a), (b))
#define KERNEL_MIN(a, b) either((ivec)((a) < (b)), (a), (b))
#endif

/* --- product -----------------------------------------------------------------------------------
 */

/* rows x vecs registers of sums: both are constants where this is called. */
KERNEL_INLINE void block(const struct kernel_product *p, size_t row, size_t column,
                         const size_t rows, const size_t vecs) {
    const real *b = p->b + column * p->parts * p->k;
    vec sum[KERNEL_ROWS][KERNEL_VECS];

    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vecs; v++)
            sum[r][v] = load(p->bias + column + v * KERNEL_LANES);
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

/* --- gelu --------------------------------------------------------------------------------------
 */

#ifdef DIFFUSE_DOUBLE

KERNEL_INLINE void gelu(size_t n, real *x) {
    for (size_t i = 0; i < n; i++)
        x[i] *= 0.5 * (1 + erf(x[i] * M_SQRT1_2));
}

#else

/* x (1 + erf(x / sqrt 2)) / 2. erf is an odd rational function of 13th over 8th degree, fitted to
 * [-4, 4], beyond which it is 1 to the last bit but two. */
KERNEL_INLINE vec gelu_of(vec x) {
    vec z = x * 0.70710678f, q, a, b;

    z = KERNEL_MIN(all(4), z);
    z = KERNEL_MAX(all(-4), z);
    q = z * z;
    a = q * -2.72614225801306e-10f + 2.77068142495902e-08f;
    a = a * q - 2.10102402082508e-06f;
    a = a * q - 5.69250639462346e-05f;
    a = a * q - 7.34990630326855e-04f;
    a = a * q - 2.95459980854025e-03f;
    a = a * q - 1.60960333262415e-02f;
    b = q * -1.45660718464996e-05f - 2.13374055278905e-04f;
    b = b * q - 1.68282697438203e-03f;
    b = b * q - 7.37332916720468e-03f;
    b = b * q - 1.42647390514189e-02f;
    return x * (z * a / b * 0.5f + 0.5f);
}

KERNEL_INLINE void gelu(size_t n, real *x) {
    for (size_t i = 0; i < n; i += KERNEL_PAD)
        for (size_t j = i; j < i + KERNEL_PAD; j += KERNEL_LANES)
            save(gelu_of(load(x + j)), x + j);
}

#endif

/* --- norm --------------------------------------------------------------------------------------
 */

#define KERNEL_EPSILON ((real)1e-5)

KERNEL_INLINE real total(vec v) {
    real sum[KERNEL_LANES];

    memcpy(sum, &v, sizeof v);
    for (size_t half = KERNEL_LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            sum[i] += sum[i + half];
    return sum[0];
}

/* Nothing, in the lanes from width on, where i is the first lane's place. */
KERNEL_INLINE vec within(vec v, size_t i, size_t width) {
    ivec place = {0};

    if (i + KERNEL_LANES <= width)
        return v;
    for (size_t k = 0; k < KERNEL_LANES; k++)
        place[k] = (kernel_int)(i + k);
    return (vec)((ivec)v & (place < (kernel_int)width));
}

KERNEL_INLINE void norm(size_t rows, size_t width, const real *gain, const real *bias, real *x) {
    size_t n = kernel_padded(width);

    for (size_t r = 0; r < rows; r++, x += n) {
        vec sum = all(0), squares = all(0), mean, scale;

        for (size_t i = 0; i < n; i += KERNEL_LANES)
            sum += load(x + i);
        mean = all(total(sum) / (real)width);
        for (size_t i = 0; i < n; i += KERNEL_LANES) {
            vec d = within(load(x + i) - mean, i, width);

            squares += d * d;
            save(d, x + i);
        }
        scale = all(1 / (real)sqrt((double)(total(squares) / (real)width + KERNEL_EPSILON)));
        for (size_t i = 0; i < n; i += KERNEL_LANES)
            save(load(gain + i) * (load(x + i) * scale) + load(bias + i), x + i);
    }
}
