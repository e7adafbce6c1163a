/* scratch.c - lays out a net_scratch in an arena. The same walk counts the bytes and takes them. */
#include "model/net/scratch.h"

#include <assert.h>

/* Either counts what a scratch takes (arena NULL) or takes it. */
struct layout {
    struct arena *arena;
    size_t bytes;
    bool failed;
};

static void *room(struct layout *l, size_t count, size_t size) {
    void *p;

    l->bytes += arena_block(count * size);
    if (!l->arena)
        return NULL;
    p = arena_alloc(l->arena, count * size);
    l->failed |= !p;
    return p;
}

static real *reals(struct layout *l, size_t count) {
    return room(l, count, sizeof(real));
}

/* Inference goes back and forth between two states and forgets the rest; training keeps every step.
 */
static void lay_states(struct layout *l, struct net_scratch *s, const struct net_config *c,
                       bool training) {
    size_t N = s->max_tokens;

    for (uint32_t t = 0; t <= c->steps; t++)
        s->state[t] = training || t < 2 ? reals(l, N * c->width) : s->state[t - 2];
}

static void lay_brackets(struct layout *l, struct bracket_acts *a, const struct net_config *c,
                         size_t N, bool training) {
    size_t C = c->width, M = c->mlp_width;

    a->tree.parent = room(l, N, sizeof *a->tree.parent);
    a->tree.height = room(l, N, sizeof *a->tree.height);
    a->tree.order = room(l, N, sizeof *a->tree.order);
    a->tree.level = room(l, N + 2, sizeof *a->tree.level);
    a->seen = reals(l, N * C);
    a->xhat = reals(l, N * C);
    a->rstd = reals(l, N);
    a->sum = reals(l, N * C);
    a->self = reals(l, N * C);
    a->enclosing = reals(l, N * C);
    a->member = reals(l, N * C);
    a->s = reals(l, N * C);
    a->a = reals(l, N * M);
    a->g = reals(l, N * M);
    a->xhat2 = reals(l, N * C);
    a->rstd2 = reals(l, N);
    a->out = reals(l, N * C);
    a->shown = reals(l, N * C);
    if (training) {
        a->keep = room(l, N * M, 1);
        a->dseen = reals(l, N * C);
        a->drow = reals(l, N * C);
        a->slope = reals(l, N * M);
    }
}

static void lay_steps(struct layout *l, struct net_scratch *s, const struct net_config *c,
                      bool training) {
    size_t N = s->max_tokens, C = c->width, M = c->mlp_width;

    for (uint32_t t = 0; t < c->steps; t++) {
        struct diffusion_acts *a = &s->step[t];

        if (t > 0 && !training) {
            *a = s->step[0];
        } else {
            a->s = reals(l, N * C);
            a->a = reals(l, N * M);
            a->xhat = reals(l, N * C);
            a->rstd = reals(l, N);
            a->seen = c->norm != NET_NORM_POST ? reals(l, N * C) : NULL;
            a->keep = training ? room(l, N * M, 1) : NULL;
        }
        a->x = s->state[t];
        if (c->norm == NET_NORM_POST)
            a->seen = a->x;
    }
    if (c->steps) {
        s->room.proj = reals(l, 3 * N * C);
        s->room.g = reals(l, N * M);
    }
    if (c->n_open)
        lay_brackets(l, &s->bracket, c, N, training);
    if (c->norm == NET_NORM_PRE) {
        s->final_xhat = reals(l, N * C);
        s->final_rstd = reals(l, N);
        s->final_out = reals(l, N * C);
    }
}

static void lay_label(struct layout *l, struct net_scratch *s, const struct net_config *c,
                      bool training) {
    size_t B = s->max_seqs, H = c->head_width;

    if (c->pool == NET_POOL_MAX || c->pool == NET_POOL_MEAN_MAX)
        s->best = room(l, B * c->width, sizeof *s->best);
    s->label.p = reals(l, B * net_config_pool_width(c));
    s->label.q = reals(l, B * H);
    s->label.g = reals(l, B * H);
    if (training) {
        s->label.slope = reals(l, B * H);
        s->label.keep = room(l, B * H, 1);
        s->dp = reals(l, B * net_config_pool_width(c));
    }
}

static void lay_training(struct layout *l, struct net_scratch *s, const struct net_config *c) {
    size_t N = s->max_tokens, C = c->width;

    s->embed_keep = room(l, N * C, 1);
    s->dh = reals(l, N * C);
    s->dh_next = reals(l, N * C);
    if (c->steps) {
        s->room.g2 = reals(l, N * c->mlp_width);
        s->room.u = reals(l, N * C);
        s->room.ds = reals(l, N * C);
    }
}

static void lay_all(struct layout *l, struct net_scratch *s, const struct net_config *c,
                    bool training) {
    lay_states(l, s, c, training);
    lay_steps(l, s, c, training);
    lay_label(l, s, c, training);
    if (training)
        lay_training(l, s, c);
}

static size_t count_bytes(const struct net_config *c, size_t max_tokens, size_t max_seqs,
                          bool training) {
    struct net_scratch s = {.max_tokens = max_tokens, .max_seqs = max_seqs};
    struct layout l = {0};

    lay_all(&l, &s, c, training);
    return l.bytes + arena_block(sizeof s);
}

static diffuse_err make(struct arena *arena, const struct net_config *c, size_t max_tokens,
                        size_t max_seqs, bool training, struct net_scratch **ret_scratch) {
    size_t mark = arena_mark(arena);
    struct layout l = {.arena = arena};
    struct net_scratch *s = arena_alloc(arena, sizeof *s);

    if (!s)
        return DIFFUSE_NOMEM;
    s->max_tokens = max_tokens;
    s->max_seqs = max_seqs;
    lay_all(&l, s, c, training);
    if (l.failed) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

size_t net_scratch_bytes(const struct net_config *c, size_t max_tokens, size_t max_seqs) {
    return count_bytes(c, max_tokens, max_seqs, false);
}

diffuse_err net_scratch_new(struct arena *arena, const struct net_config *c, size_t max_tokens,
                            size_t max_seqs, struct net_scratch **ret_scratch) {
    return make(arena, c, max_tokens, max_seqs, false, ret_scratch);
}

size_t net_training_scratch_bytes(const struct net_config *c, size_t max_tokens, size_t max_seqs) {
    return count_bytes(c, max_tokens, max_seqs, true);
}

diffuse_err net_training_scratch_new(struct arena *arena, const struct net_config *c,
                                     size_t max_tokens, size_t max_seqs,
                                     struct net_scratch **ret_scratch) {
    return make(arena, c, max_tokens, max_seqs, true, ret_scratch);
}
