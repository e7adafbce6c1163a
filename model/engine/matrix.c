/* matrix.c - see matrix.h; kernel.h says how a packed matrix lies. */
#include "model/engine/matrix.h"

#include <math.h>

#include "model/base/narrow.h"

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static real entry(const struct matrix_source *s, size_t part, size_t row, size_t k) {
    return row < s->n && k < s->k ? s->w[part][row * s->stride + k] : 0;
}

static void pack(const struct matrix_source *s, size_t panel, size_t n, real *to) {
    for (size_t from = 0; from < n; from += panel)
        for (size_t part = 0; part < s->parts; part++)
            for (size_t k = 0; k < s->k; k++)
                for (size_t j = from; j < least(from + panel, n); j++)
                    *to++ = entry(s, part, j, k);
}

#ifdef DIFFUSE_DOUBLE

static void lay_i8(struct layout *l, const struct kernel *kernel, const struct matrix_source *s,
                   struct matrix *m) {
    (void)l, (void)kernel, (void)s, (void)m;
}

static void lay_bf16(struct layout *l, const struct kernel *kernel, const struct matrix_source *s,
                     struct matrix *m) {
    (void)l, (void)kernel, (void)s, (void)m;
}

#else

/* --- BF16 ---------------------------------------------------------------- */

static size_t pairs(size_t k) {
    return (k + 1) / 2;
}

static void lay_bf16(struct layout *l, const struct kernel *kernel, const struct matrix_source *s,
                     struct matrix *m) {
    uint16_t *to = layout_room(l, s->parts * pairs(s->k) * m->n, 2 * sizeof *to);

    m->b = to;
    if (!l->arena || l->failed)
        return;
    for (size_t from = 0; from < m->n; from += kernel->bf16_panel)
        for (size_t part = 0; part < s->parts; part++)
            for (size_t g = 0; g < pairs(s->k); g++)
                for (size_t j = from; j < least(from + kernel->bf16_panel, m->n); j++)
                    for (size_t k = 2 * g; k < 2 * g + 2; k++)
                        *to++ = narrow_to_bf16(entry(s, part, j, k));
}

/* --- int8 ---------------------------------------------------------------- */

static int quantised(const struct matrix_source *s, const struct matrix *m, size_t part, size_t j,
                     size_t k) {
    float scale = m->scale[part * m->n + j];

    return scale > 0 ? (int)lrintf(entry(s, part, j, k) / scale) : 0;
}

/* What maps a row's largest number to 127, and takes the offset of the other side back. */
static void scale_rows(const struct matrix_source *s, const struct kernel *kernel,
                       struct matrix *m) {
    for (size_t part = 0; part < s->parts; part++)
        for (size_t j = 0; j < s->n; j++) {
            float most = 0;
            int32_t sum = 0;

            for (size_t k = 0; k < s->k; k++)
                most = fmaxf(most, fabsf(entry(s, part, j, k)));
            m->scale[part * m->n + j] = most / 127;
            for (size_t k = 0; k < s->k; k++)
                sum += quantised(s, m, part, j, k);
            m->start[part * m->n + j] = -kernel->i8_offset * sum;
        }
}

static size_t groups(const struct kernel *kernel, size_t k) {
    size_t each = 4 / kernel->i8_bytes;

    return (k + each - 1) / each;
}

static void pack_i8(const struct matrix_source *s, const struct kernel *kernel,
                    const struct matrix *m, void *to) {
    size_t each = 4 / kernel->i8_bytes, panel = kernel->i8_panel;
    int8_t *narrow = to;
    int16_t *wide = to;

    for (size_t from = 0; from < m->n; from += panel)
        for (size_t part = 0; part < s->parts; part++)
            for (size_t g = 0; g < groups(kernel, s->k); g++)
                for (size_t j = from; j < least(from + panel, m->n); j++)
                    for (size_t k = g * each; k < (g + 1) * each; k++)
                        if (kernel->i8_bytes == 1)
                            *narrow++ = (int8_t)quantised(s, m, part, j, k);
                        else
                            *wide++ = (int16_t)quantised(s, m, part, j, k);
}

static void lay_i8(struct layout *l, const struct kernel *kernel, const struct matrix_source *s,
                   struct matrix *m) {
    void *b = layout_room(l, s->parts * groups(kernel, s->k) * m->n, 4);

    m->b = b;
    m->scale = layout_room(l, s->parts * m->n, sizeof *m->scale);
    m->start = layout_room(l, s->parts * m->n, sizeof *m->start);
    if (!l->arena || l->failed)
        return;
    scale_rows(s, kernel, m);
    pack_i8(s, kernel, m, b);
}

#endif

/* --- both ---------------------------------------------------------------- */

void matrix_lay(struct layout *l, const struct kernel *kernel, enum engine_precision precision,
                const struct matrix_source *source, struct matrix *m) {
    *m = (struct matrix){.parts = source->parts,
                         .k = source->k,
                         .n = kernel_padded(source->n),
                         .precision = precision};
    m->bias = layout_room(l, m->n, sizeof *m->bias);
    if (precision == ENGINE_I8) {
        lay_i8(l, kernel, source, m);
    } else if (precision == ENGINE_BF16) {
        lay_bf16(l, kernel, source, m);
    } else {
        real *b = layout_room(l, m->parts * m->k * m->n, sizeof *b);

        m->b = b;
        if (l->arena && !l->failed)
            pack(source, kernel->panel, m->n, b);
    }
    if (!l->arena || l->failed)
        return;
    for (size_t j = 0; j < source->n && source->bias; j++)
        m->bias[j] = source->bias[j];
}

void matrix_product(const struct matrix *m, const struct kernel *kernel, size_t rows,
                    const struct matrix_rows *a, real *c) {
#ifndef DIFFUSE_DOUBLE
    if (m->precision == ENGINE_BF16) {
        kernel->product_bf16(&(struct kernel_product_bf16){.rows = rows,
                                                           .parts = m->parts,
                                                           .groups = pairs(m->k),
                                                           .n = m->n,
                                                           .a = a->at,
                                                           .a_stride = a->stride,
                                                           .b = m->b,
                                                           .bias = m->bias,
                                                           .add = a->add,
                                                           .c = c});
        return;
    }
    if (m->precision == ENGINE_I8) {
        kernel->product_i8(&(struct kernel_product_i8){.rows = rows,
                                                       .parts = m->parts,
                                                       .groups = groups(kernel, m->k),
                                                       .n = m->n,
                                                       .a = a->at,
                                                       .a_scale = a->scale,
                                                       .a_stride = a->stride,
                                                       .b = m->b,
                                                       .start = m->start,
                                                       .b_scale = m->scale,
                                                       .bias = m->bias,
                                                       .add = a->add,
                                                       .c = c});
        return;
    }
#endif
    kernel->product(&(struct kernel_product){.rows = rows,
                                             .parts = m->parts,
                                             .k = m->k,
                                             .n = m->n,
                                             .a = (const real *const *)a->at,
                                             .a_stride = a->stride,
                                             .b = m->b,
                                             .bias = m->bias,
                                             .add = a->add,
                                             .c = c});
}
