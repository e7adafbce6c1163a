/* engine_step.c - one step on one tile; and what comes before and after the steps. */
#include <string.h>

#include "model/base/narrow.h"
#include "model/base/vec.h"
#include "model/engine/engine_part.h"
#include "model/net/embed.h"

enum { LEFT, RIGHT, SELF, RELATIONS };

#define SEEN_ROWS (RELATIONS * ENGINE_TILE)
#define SEEN_ZERO SEEN_ROWS /* the row that is zero */

/* Bytes of a number that goes into a product. */
static size_t bytes_of(const struct engine_kind *kind) {
#ifndef DIFFUSE_DOUBLE
    if (kind->precision == ENGINE_I8)
        return kind->kernel->i8_bytes;
#endif
    return kind->precision == ENGINE_BF16 ? sizeof(uint16_t) : sizeof(real);
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

/* --- the tile ------------------------------------------------------------ */

/* x(rows,n) to the numbers of a precision below float. */
static void quantize(const struct engine_kind *kind, size_t rows, size_t n, const real *x, void *q,
                     float *scale) {
#ifdef DIFFUSE_DOUBLE
    (void)kind, (void)rows, (void)n, (void)x, (void)q, (void)scale;
#else
    if (kind->precision == ENGINE_I8)
        kind->kernel->quantize(rows, n, x, q, scale);
    else
        narrow_bf16(rows * n, x, q);
#endif
}

void engine_tile_lay(struct layout *l, const struct net_config *c, const struct engine_kind *kind,
                     struct engine_tile *tile) {
    size_t C = kernel_padded(c->width), M = kernel_padded(c->mlp_width), R = ENGINE_TILE;
    size_t H = kernel_padded(c->head_width), L = kernel_padded(c->labels);
    size_t bytes = bytes_of(kind);

    tile->at = layout_room(l, RELATIONS * R, sizeof *tile->at);
    tile->source = layout_room(l, RELATIONS * R, sizeof *tile->source);
    tile->s = layout_room(l, R * most(C, L), sizeof(real));
    tile->g = layout_room(l, R * most(M, H), sizeof(real));
    if (!c->steps)
        return;
    tile->from = layout_room(l, SEEN_ROWS, sizeof *tile->from);
    tile->seen = layout_room(l, (SEEN_ROWS + 1) * C, sizeof(real));
    if (kind->precision == ENGINE_F32)
        return;
    tile->at_scale = layout_room(l, RELATIONS * R, sizeof *tile->at_scale);
    tile->seen_narrow = layout_room(l, (SEEN_ROWS + 1) * C, bytes);
    tile->seen_scale = layout_room(l, SEEN_ROWS + 1, sizeof *tile->seen_scale);
    tile->s_narrow = layout_room(l, R * C, bytes);
    tile->g_narrow = layout_room(l, R * M, bytes);
    if (l->arena && !l->failed)
        quantize(kind, 1, C, tile->seen + SEEN_ZERO * C,
                 (char *)tile->seen_narrow + SEEN_ZERO * C * bytes, tile->seen_scale + SEEN_ZERO);
}

/* Nothing is left beyond the width, whatever lay there. */
static void row_copy(const struct engine *e, const real *x, real *y) {
    size_t width = e->config->width;

    vec_copy(width, x, y);
    if (e->C > width)
        vec_zero(e->C - width, y + width);
}

/* --- what the neighbours see --------------------------------------------- */

/* Rows of `seen` that a tile fills. */
struct gather {
    const struct engine *e;
    struct engine_tile *tile;
    engine_column *column;
    void *user;
    size_t used; /* rows of seen */
    size_t row;  /* of the tile */
};

/* Does the LayerNorm read columns where they lie? Else they are copied first. */
static bool as_they_lie(const struct engine *e) {
    return e->config->norm != NET_NORM_POST && e->config->width == e->C;
}

/* Takes a column in; the row of seen where it lies. */
static size_t take(struct gather *g, size_t text, int64_t column) {
    size_t C = g->e->C;
    const real *x = g->column(g->user, text, column);

    if (!x)
        return SEEN_ZERO;
    g->tile->from[g->used] = x;
    if (!as_they_lie(g->e))
        row_copy(g->e, x, g->tile->seen + g->used * C);
    return g->used++;
}

static void note(struct gather *g, size_t relation, size_t k, size_t seen) {
    g->tile->source[relation * ENGINE_TILE + g->row + k] = (uint32_t)seen;
}

/* A run that is longer than the offset sees most columns three times: they are taken once. */
static void take_run(struct gather *g, const struct engine_run *run, int64_t o) {
    size_t n = run->n, apart = (size_t)o;

    if (apart > n) {
        for (size_t k = 0; k < n; k++) {
            note(g, LEFT, k, take(g, run->text, run->from + (int64_t)k - o));
            note(g, SELF, k, take(g, run->text, run->from + (int64_t)k));
            note(g, RIGHT, k, take(g, run->text, run->from + (int64_t)k + o));
        }
    } else {
        for (size_t k = 0; k < n + 2 * apart; k++) {
            size_t seen = take(g, run->text, run->from + (int64_t)k - o);

            if (k < n)
                note(g, LEFT, k, seen);
            if (k >= apart && k < n + apart)
                note(g, SELF, k - apart, seen);
            if (k >= 2 * apart)
                note(g, RIGHT, k - 2 * apart, seen);
        }
    }
    g->row += n;
}

/* From rows of seen to where they lie. */
static void place(const struct engine *e, struct engine_tile *tile, size_t rows) {
    bool narrow = e->kind.precision != ENGINE_F32;
    const char *base = narrow ? tile->seen_narrow : (void *)tile->seen;
    size_t stride = e->C * bytes_of(&e->kind);

    for (size_t r = 0; r < RELATIONS; r++)
        for (size_t k = r * ENGINE_TILE; k < r * ENGINE_TILE + rows; k++) {
            size_t seen = tile->source[k];

            tile->at[k] = base + seen * stride;
            if (narrow)
                tile->at_scale[k] = tile->seen_scale[seen];
        }
}

/* From columns to whole numbers in one pass, where there is one. */
static bool norm_quantized(const struct engine *e, const struct engine_step *s,
                           const struct gather *g) {
#ifndef DIFFUSE_DOUBLE
    if (e->kind.precision == ENGINE_I8 && as_they_lie(e)) {
        e->kind.kernel->norm_quantize(&(struct kernel_norm_quantize){.rows = g->used,
                                                                     .width = e->config->width,
                                                                     .gain = s->gain,
                                                                     .bias = s->bias,
                                                                     .x = g->tile->from,
                                                                     .room = g->tile->seen,
                                                                     .q = g->tile->seen_narrow,
                                                                     .scale = g->tile->seen_scale});
        return true;
    }
#else
    (void)e, (void)s, (void)g;
#endif
    return false;
}

/* Rows of the first product; returns how many. */
static size_t see(const struct engine *e, const struct engine_step *s, uint32_t t,
                  const struct engine_run *runs, size_t n, struct gather *g) {
    struct engine_tile *tile = g->tile;
    const struct kernel *k = e->kind.kernel;

    for (size_t i = 0; i < n; i++)
        take_run(g, &runs[i], e->config->offsets[t]);
    if (!norm_quantized(e, s, g)) {
        if (e->config->norm != NET_NORM_POST)
            k->norm(g->used, e->config->width, s->gain, s->bias, as_they_lie(e) ? tile->from : NULL,
                    tile->seen);
        if (e->kind.precision != ENGINE_F32)
            quantize(&e->kind, g->used, e->C, tile->seen, tile->seen_narrow, tile->seen_scale);
    }
    place(e, tile, g->row);
    return g->row;
}

/* --- the step ------------------------------------------------------------ */

/* c = rows of width numbers times the matrix, and what `add` points to. */
static void multiply(const struct engine *e, const struct matrix *m, struct engine_tile *tile,
                     size_t rows, const void *x, const real *const *add, real *c) {
    size_t bytes = m->precision == ENGINE_F32 ? sizeof(real) : bytes_of(&e->kind);
    size_t stride = kernel_padded(m->k) * bytes;

    for (size_t r = 0; r < rows; r++)
        tile->at[r] = (const char *)x + r * stride;
    matrix_product(m, e->kind.kernel, rows,
                   &(struct matrix_rows){tile->at, tile->at_scale, ENGINE_TILE, add}, c);
}

/* tile->s as the second product wants it. */
static const void *ready_s(const struct engine *e, struct engine_tile *tile, size_t rows) {
    if (e->kind.precision == ENGINE_F32)
        return tile->s;
    quantize(&e->kind, rows, e->C, tile->s, tile->s_narrow, tile->at_scale);
    return tile->s_narrow;
}

/* gelu of tile->g as the third product wants it. */
static const void *ready_g(const struct engine *e, struct engine_tile *tile, size_t rows) {
    const struct kernel *k = e->kind.kernel;

#ifndef DIFFUSE_DOUBLE
    if (e->kind.precision == ENGINE_I8) {
        k->gelu_quantize(rows, e->M, tile->g, tile->g_narrow, tile->at_scale);
        return tile->g_narrow;
    }
#endif
    k->gelu(rows * e->M, tile->g);
    if (e->kind.precision == ENGINE_F32)
        return tile->g;
    quantize(&e->kind, rows, e->M, tile->g, tile->g_narrow, tile->at_scale);
    return tile->g_narrow;
}

/* The columns that the tokens of the tile were, in a row. */
static const real *const *before(struct engine_tile *tile, size_t rows) {
    const real **x =
        (const real **)tile->at + ENGINE_TILE; /* beside what a product of one part reads */

    for (size_t r = 0; r < rows; r++)
        x[r] = tile->from[tile->source[SELF * ENGINE_TILE + r]];
    return x;
}

/* y = what the state x and its update, which lies in y, make together. */
static void mix(const struct engine *e, const struct engine_step *s, size_t rows,
                const real *const *x, real *y) {
    const struct net_config *c = e->config;

    for (size_t r = 0; r < rows; r++)
        if (c->norm == NET_NORM_POST)
            vec_mix(c->width, (real)c->alpha, x[r], 1 - (real)c->alpha, y + r * e->C);
        else
            vec_add(c->width, x[r], y + r * e->C);
    if (c->norm == NET_NORM_POST)
        e->kind.kernel->norm(rows, c->width, s->gain, s->bias, NULL, y);
}

void engine_step_tile(const struct engine *e, uint32_t t, struct engine_tile *tile,
                      const struct engine_run *runs, size_t n, engine_column *column, void *user,
                      real *y) {
    const struct engine_step *s = &e->step[e->config->per_step ? t : 0];
    struct gather g = {.e = e, .tile = tile, .column = column, .user = user};
    size_t rows = see(e, s, t, runs, n, &g);
    const real *const *x;

    matrix_product(&s->mix, e->kind.kernel, rows,
                   &(struct matrix_rows){tile->at, tile->at_scale, ENGINE_TILE, NULL}, tile->s);
    x = before(tile, rows);
    multiply(e, &s->in, tile, rows, ready_s(e, tile, rows), NULL, tile->g);
    multiply(e, &s->out, tile, rows, ready_g(e, tile, rows), as_they_lie(e) ? x : NULL, y);
    if (!as_they_lie(e))
        mix(e, s, rows, x, y);
}

/* --- before and after ---------------------------------------------------- */

void engine_embed(const struct engine *e, const uint32_t *ids, size_t before, size_t n, real *x) {
    if (e->C == e->config->width) {
        embed_onward(e->config, e->w, ids, before, n, x);
        return;
    }
    for (size_t i = 0; i < n; i++, x += e->C) {
        embed_onward(e->config, e->w, ids + i, before + i, 1, x);
        vec_zero(e->C - e->config->width, x + e->config->width);
    }
}

void engine_finish(const struct engine *e, size_t rows, real *x) {
    if (e->config->norm == NET_NORM_PRE)
        e->kind.kernel->norm(rows, e->config->width, e->final_gain, e->final_bias, NULL, x);
}

size_t engine_pool_parts(const struct net_config *c) {
    return net_config_pool_width(c) / c->width;
}

void engine_label(const struct engine *e, struct engine_tile *tile, size_t n, const real *p,
                  real *logits) {
    const struct kernel *k = e->kind.kernel;
    size_t parts = engine_pool_parts(e->config), L = e->config->labels;

    for (size_t from = 0, rows; from < n; from += rows) {
        rows = n - from < ENGINE_TILE ? n - from : ENGINE_TILE;
        for (size_t part = 0; part < parts; part++)
            for (size_t r = 0; r < rows; r++)
                tile->at[part * ENGINE_TILE + r] = p + ((from + r) * parts + part) * e->C;
        matrix_product(&e->head_in, k, rows,
                       &(struct matrix_rows){tile->at, NULL, ENGINE_TILE, NULL}, tile->g);
        k->gelu(rows * e->H, tile->g);
        multiply(e, &e->head_out, tile, rows, tile->g, NULL, tile->s);
        for (size_t r = 0; r < rows; r++)
            vec_copy(L, tile->s + r * e->L, logits + (from + r) * L);
    }
}
