/* net_scratch.c - lays out a net_scratch in an arena. The same walk counts the bytes and takes
 * them. */
#include "model/net/net_scratch.h"

#include <assert.h>

#include "model/base/layout.h"
#include "model/net/net.h"

static real *reals(struct layout *l, size_t count) {
    return layout_room(l, count, sizeof(real));
}

static struct store store(struct layout *l, enum store_type type, size_t count) {
    return (struct store){type, layout_room(l, count, store_each(type))};
}

/* --- without a way back -------------------------------------------------- */

static void lay_use(struct layout *l, struct net_scratch *s, const struct net_config *c) {
    size_t N = s->max_tokens, C = c->width, M = c->mlp_width;
    struct net_scratch_use *u = &s->use;
    struct diffusion_acts *a = &u->step;

    u->state[0] = reals(l, N * C);
    u->state[1] = c->steps ? reals(l, N * C) : NULL;
    if (c->steps) {
        a->s = reals(l, N * C);
        a->a = reals(l, N * M);
        a->xhat = reals(l, N * C);
        a->rstd = reals(l, N);
        a->seen = c->norm != NET_NORM_POST ? reals(l, N * C) : NULL;
        a->proj = reals(l, 3 * N * C);
        a->g = reals(l, N * M);
    }
    if (c->norm == NET_NORM_PRE) {
        u->final_xhat = reals(l, N * C);
        u->final_rstd = reals(l, N);
        u->final_out = reals(l, N * C);
    }
}

/* --- training ------------------------------------------------------------ */

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

static void lay_room(struct layout *l, struct diffusion_train_room *r, const struct net_config *c,
                     size_t N, enum store_type kept) {
    size_t tile = diffusion_train_tile(kept), R = N < tile ? N : tile;
    size_t C = c->width, M = c->mlp_width;

    r->rows = tile;
    r->keep = layout_room(l, R * most(C, M), 1);
    r->x = kept != STORE_REAL ? reals(l, R * C) : NULL;
    if (!c->steps && c->norm != NET_NORM_PRE)
        return;
    r->in = reals(l, R * C);
    if (!c->steps)
        return;
    r->u = reals(l, R * C);
    r->wide = reals(l, R * most(3 * C, 2 * M));
    r->g = r->wide;
    r->slope = r->wide ? r->wide + R * M : NULL;
    r->step = store(l, kept, N * C);
    if (kept != STORE_REAL) {
        r->s = reals(l, R * C);
        r->a = reals(l, R * M);
    }
}

static void lay_train(struct layout *l, struct net_scratch *s, const struct net_config *c,
                      enum store_type kept) {
    size_t N = s->max_tokens, C = c->width;
    struct net_scratch_train *t = &s->train;

    for (uint32_t i = 0; i < c->steps; i++) {
        t->step[i].s = store(l, kept, N * C);
        t->step[i].a = store(l, kept, N * c->mlp_width);
        t->step[i].xhat = store(l, kept, N * C);
        t->step[i].rstd = reals(l, N);
    }
    if (c->steps && c->norm == NET_NORM_POST)
        t->first = store(l, kept, N * C);
    if (c->norm == NET_NORM_PRE) {
        t->final_xhat = store(l, kept, N * C);
        t->final_rstd = reals(l, N);
    }
    lay_room(l, &t->room, c, N, kept);
    t->h = reals(l, N * C);
    t->dh = store(l, kept, N * C);
    t->dlast = kept == STORE_REAL ? t->dh.at : t->h;
}

/* --- both ---------------------------------------------------------------- */

static void lay_label(struct layout *l, struct net_scratch *s, const struct net_config *c,
                      bool training) {
    size_t B = s->max_seqs, H = c->head_width;

    if (c->pool == NET_POOL_MAX || c->pool == NET_POOL_MEAN_MAX)
        s->best = layout_room(l, B * c->width, sizeof *s->best);
    s->label.p = reals(l, B * net_config_pool_width(c));
    s->label.q = reals(l, B * H);
    s->label.g = reals(l, B * H);
    if (training) {
        s->label.slope = reals(l, B * H);
        s->label.keep = layout_room(l, B * H, 1);
        s->train.dp = reals(l, B * net_config_pool_width(c));
    }
}

static void lay_all(struct layout *l, struct net_scratch *s, const struct net_config *c,
                    enum store_type kept) {
    if (s->training)
        lay_train(l, s, c, kept);
    else
        lay_use(l, s, c);
    if (c->n_open)
        bracket_lay(l, c, s->max_tokens, s->training, &s->bracket);
    lay_label(l, s, c, s->training);
    s->wide = net_config_has_wide(c) ? layout_room(l, wide_state_bytes(&c->wide), 1) : NULL;
}

static size_t count_bytes(const struct net_config *c, struct net_scratch s, enum store_type kept) {
    struct layout l = {0};

    lay_all(&l, &s, c, kept);
    return l.bytes + arena_block(sizeof s);
}

static diffuse_err make(struct arena *arena, const struct net_config *c, struct net_scratch empty,
                        enum store_type kept, struct net_scratch **ret_scratch) {
    size_t mark = arena_mark(arena);
    struct layout l = {.arena = arena};
    struct net_scratch *s = arena_alloc(arena, sizeof *s);

    if (!s)
        return DIFFUSE_NOMEM;
    *s = empty;
    lay_all(&l, s, c, kept);
    if (l.failed) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

static struct net_scratch empty(size_t max_tokens, size_t max_seqs, bool training) {
    return (struct net_scratch){
        .max_tokens = max_tokens, .max_seqs = max_seqs, .training = training};
}

size_t net_scratch_bytes(const struct net_config *c, size_t max_tokens, size_t max_seqs) {
    return count_bytes(c, empty(max_tokens, max_seqs, false), STORE_REAL);
}

diffuse_err net_scratch_new(struct arena *arena, const struct net_config *c, size_t max_tokens,
                            size_t max_seqs, struct net_scratch **ret_scratch) {
    return make(arena, c, empty(max_tokens, max_seqs, false), STORE_REAL, ret_scratch);
}

size_t net_training_scratch_bytes(const struct net_config *c, size_t max_tokens, size_t max_seqs,
                                  enum store_type kept) {
    return count_bytes(c, empty(max_tokens, max_seqs, true), kept);
}

diffuse_err net_training_scratch_new(struct arena *arena, const struct net_config *c,
                                     size_t max_tokens, size_t max_seqs, enum store_type kept,
                                     struct net_scratch **ret_scratch) {
    return make(arena, c, empty(max_tokens, max_seqs, true), kept, ret_scratch);
}
