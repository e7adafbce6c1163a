/* engine.c - see engine.h: what an engine is made of. */
#include "model/engine/engine.h"

#include <string.h>

#include "model/base/vec.h"
#include "model/engine/engine_part.h"

static const char *const precisions[] = {"f32", "bf16", "i8"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

diffuse_err engine_kind_make(const char *kernel, enum engine_precision precision,
                             struct engine_kind *ret_kind, struct reason *why) {
    *ret_kind = (struct engine_kind){.precision = precision};
    return kernel_find(kernel, &ret_kind->kernel, why);
}

const char *engine_precision_name(enum engine_precision p) {
    return precisions[p];
}

diffuse_err engine_precision_parse(const char *name, enum engine_precision *ret_precision) {
    for (size_t i = 0; i < COUNT(precisions); i++)
        if (strcmp(precisions[i], name) == 0) {
            *ret_precision = (enum engine_precision)i;
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}

/* --- making one ---------------------------------------------------------- */

static real *lay_vector(struct layout *l, size_t n, const real *x) {
    real *y = layout_room(l, kernel_padded(n), sizeof *y);

    if (l->arena && !l->failed)
        vec_copy(n, x, y);
    return y;
}

static void lay_step(struct layout *l, const struct net_config *c, const struct weights_step *w,
                     const struct engine_kind *kind, struct engine_step *s) {
    size_t C = c->width, M = c->mlp_width;

    matrix_lay(l, kind->kernel, kind->precision,
               &(struct matrix_source){
                   {w->proj_left, w->proj_right, w->proj_self}, C, KERNEL_PARTS, C, C, NULL},
               &s->mix);
    matrix_lay(l, kind->kernel, kind->precision,
               &(struct matrix_source){{w->mlp_in}, C, 1, M, C, w->mlp_in_bias}, &s->in);
    matrix_lay(l, kind->kernel, kind->precision,
               &(struct matrix_source){{w->mlp_out}, M, 1, C, M, w->mlp_out_bias}, &s->out);
    s->gain = lay_vector(l, C, w->norm_gain);
    s->bias = lay_vector(l, C, w->norm_bias);
}

/* The walk that counts the bytes or makes the engine in them. */
static void lay(struct layout *l, const struct net_config *c, const struct net_weights *w,
                const struct engine_kind *kind, struct engine *e) {
    size_t C = c->width, H = c->head_width, P = net_config_pool_width(c);
    struct matrix_source in = {{w->head_in, w->head_in + C}, P, P / C, H, C, w->head_in_bias};
    struct matrix_source out = {{w->head_out}, H, 1, c->labels, H, w->head_out_bias};

    for (uint32_t t = 0; t < (c->per_step || !c->steps ? c->steps : 1); t++)
        lay_step(l, c, &w->step[t], kind, &e->step[t]);
    if (c->norm == NET_NORM_PRE) {
        e->final_gain = lay_vector(l, C, w->final_gain);
        e->final_bias = lay_vector(l, C, w->final_bias);
    }
    matrix_lay(l, kind->kernel, ENGINE_F32, &in, &e->head_in);
    matrix_lay(l, kind->kernel, ENGINE_F32, &out, &e->head_out);
}

size_t engine_bytes(const struct net_config *c, const struct engine_kind *kind) {
    static const struct net_weights none;
    struct engine e;
    struct layout l = {0};

    lay(&l, c, &none, kind, &e);
    return l.bytes + arena_block(sizeof e);
}

diffuse_err engine_new(struct arena *arena, const struct net_config *c, const struct net_weights *w,
                       const struct engine_kind *kind, struct engine **ret_engine) {
    size_t mark = arena_mark(arena);
    struct layout l = {.arena = arena};
    struct engine *e = arena_alloc(arena, sizeof *e);

    if (!e)
        return DIFFUSE_NOMEM;
    *e = (struct engine){.config = c,
                         .w = w,
                         .kind = *kind,
                         .C = kernel_padded(c->width),
                         .M = kernel_padded(c->mlp_width),
                         .H = kernel_padded(c->head_width),
                         .L = kernel_padded(c->labels)};
    lay(&l, c, w, kind, e);
    if (l.failed) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_engine = e;
    return DIFFUSE_OK;
}

const struct engine_kind *engine_kind(const struct engine *e) {
    return &e->kind;
}

const struct net_config *engine_config(const struct engine *e) {
    return e->config;
}
