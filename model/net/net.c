/* net.c - see net.h. The model, in order: embed, diffuse, sweep the brackets, pool, label. */
#include "model/net/net.h"

#include <assert.h>

#include "model/base/vec.h"
#include "model/net/diffusion_train.h"
#include "model/net/embed.h"
#include "model/net/net_scratch.h"
#include "model/net/norm.h"
#include "model/net/pool.h"

static size_t first(const struct net_batch *batch, uint32_t b) {
    return batch->start[b] - batch->start[0];
}

static size_t length(const struct net_batch *batch, uint32_t b) {
    return batch->start[b + 1] - batch->start[b];
}

/* The enclosing opener of each token of sequence b; NULL without brackets. */
static const uint32_t *parents(const struct net_scratch *s, const struct net_batch *batch,
                               uint32_t b) {
    return s->bracket.tree.parent ? s->bracket.tree.parent + first(batch, b) : NULL;
}

static void embed_all(const struct net_config *c, const struct net_weights *w,
                      const struct net_batch *batch, real *h) {
    for (uint32_t b = 0; b < batch->n; b++)
        embed_forward(c, w, batch->ids + batch->start[b], length(batch, b),
                      h + first(batch, b) * c->width);
}

/* --- states without a way back ------------------------------------------- */

/* What the pool reads: the last state, through the final LayerNorm where there is one. */
static const real *last_state(const struct net_config *c, const struct net_weights *w,
                              struct net_scratch_use *u, size_t N, real *h) {
    if (c->norm != NET_NORM_PRE)
        return h;
    norm_forward(N, c->width, h, w->final_gain, w->final_bias, u->final_xhat, u->final_rstd,
                 u->final_out);
    return u->final_out;
}

static const real *states(const struct net_config *c, const struct net_weights *w,
                          struct net_scratch *s, const struct net_batch *batch) {
    struct diffusion_acts acts = s->use.step;
    real *h = s->use.state[0];

    embed_all(c, w, batch, h);
    for (uint32_t t = 0; t < c->steps; t++) {
        real *next = s->use.state[(t + 1) % 2];

        acts.x = h;
        if (c->norm == NET_NORM_POST)
            acts.seen = h;
        diffusion_forward(c, &w->step[t], c->offsets[t], batch, &acts, next);
        h = next;
    }
    if (c->n_open)
        bracket_forward(c, w, batch, &s->bracket, NULL, h);
    return last_state(c, w, &s->use, first(batch, batch->n), h);
}

/* --- states in training -------------------------------------------------- */

/* What a job on a tile works on. */
struct tile {
    const struct net_config *c;
    const struct net_weights *w;
    struct net_scratch_train *t;
    struct net_noise noise;
    struct net_weights *dw;
};

static void drop_embedded(void *arg, size_t from, size_t to) {
    struct tile *j = arg;
    size_t C = j->c->width;

    noise_drop(&j->noise, j->noise.embed_dropout, (to - from) * C, j->t->room.keep,
               j->t->h + from * C);
}

static void add_noise(const struct net_config *c, struct net_scratch_train *t, size_t N,
                      struct net_noise *noise) {
    struct tile j = {.c = c, .t = t, .noise = *noise};

    t->embed_drawn = noise->rng;
    diffusion_train_tiles(N, t->room.rows, drop_embedded, &j);
    noise->rng = j.noise.rng;
    if (noise->noise_std > 0)
        rng_add_normals(&noise->rng, noise->table, N * c->width, (real)noise->noise_std, t->h);
}

static struct diffusion_train step_at(const struct net_config *c, const struct net_weights *w,
                                      struct net_scratch_train *s, const struct net_batch *batch,
                                      uint32_t t) {
    struct diffusion_train d = {
        c, &w->step[t], c->offsets[t], batch, &s->step[t], {s->first, NULL, NULL}, &s->room};
    uint32_t seen = c->norm == NET_NORM_POST ? t - 1 : t; /* whose LayerNorm the neighbours see */

    if (t > 0 || c->norm != NET_NORM_POST)
        d.seen = (struct diffusion_train_seen){s->step[seen].xhat, w->step[seen].norm_gain,
                                               w->step[seen].norm_bias};
    return d;
}

static void final_norm(void *arg, size_t from, size_t to) {
    const struct tile *j = arg;
    size_t C = j->c->width, n = (to - from) * C;
    real *h = j->t->h + from * C, *xhat = store_place(&j->t->final_xhat, from * C, j->t->room.x);

    norm_forward(to - from, C, h, j->w->final_gain, j->w->final_bias, xhat, j->t->final_rstd + from,
                 h);
    store_put(&j->t->final_xhat, from * C, n, xhat);
}

static const real *training_states(const struct net_config *c, const struct net_weights *w,
                                   struct net_scratch *s, const struct net_batch *batch,
                                   struct net_noise *noise) {
    struct net_scratch_train *train = &s->train;
    struct tile j = {.c = c, .w = w, .t = train};
    size_t N = first(batch, batch->n);

    embed_all(c, w, batch, train->h);
    if (noise)
        add_noise(c, train, N, noise);
    if (train->first.at)
        store_put(&train->first, 0, N * c->width, train->h);
    for (uint32_t t = 0; t < c->steps; t++) {
        struct diffusion_train d = step_at(c, w, train, batch, t);

        diffusion_train_forward(&d, noise, train->h);
    }
    if (c->n_open)
        bracket_forward(c, w, batch, &s->bracket, noise, train->h);
    if (c->norm == NET_NORM_PRE)
        diffusion_train_tiles(N, train->room.rows, final_norm, &j);
    return train->h;
}

const real *net_states(const struct net_config *c, const struct net_weights *w,
                       struct net_scratch *s, const struct net_batch *batch,
                       struct net_noise *noise) {
    assert(first(batch, batch->n) <= s->max_tokens && batch->n <= s->max_seqs);
    assert(s->training || !noise);
    return s->training ? training_states(c, w, s, batch, noise) : states(c, w, s, batch);
}

/* --- forward ------------------------------------------------------------- */

static void forward_deep(const struct net_config *c, const struct net_weights *w,
                         struct net_scratch *s, const struct net_batch *batch,
                         struct net_noise *noise, real *logits) {
    size_t C = c->width, P = net_config_pool_width(c);
    const real *h = net_states(c, w, s, batch, noise);

    for (uint32_t b = 0; b < batch->n; b++)
        pool_forward(c, length(batch, b), parents(s, batch, b), h + first(batch, b) * C,
                     s->label.p + b * P, s->best ? s->best + b * C : NULL);
    label_forward(c, w, batch->n, &s->label, noise, logits);
}

static void forward(const struct net_config *c, const struct net_weights *w, struct net_scratch *s,
                    const struct net_batch *batch, struct net_noise *noise, real *logits) {
    if (net_config_has_deep(c) || noise)
        forward_deep(c, w, s, batch, noise, logits);
    for (uint32_t b = 0; net_config_has_wide(c) && b < batch->n; b++)
        wide_text(w->wide, batch->ids + batch->start[b], length(batch, b), s->wide, NULL,
                  (real)c->deep_scale, logits + (size_t)b * c->labels);
}

void net_forward(const struct net_config *c, const struct net_weights *w, struct net_scratch *s,
                 const struct net_batch *batch, real *logits) {
    forward(c, w, s, batch, NULL, logits);
}

void net_forward_training(const struct net_config *c, const struct net_weights *w,
                          struct net_scratch *s, const struct net_batch *batch,
                          struct net_noise *noise, real *logits) {
    forward(c, w, s, batch, noise, logits);
}

/* --- the way back -------------------------------------------------------- */

real *net_states_gradient(struct net_scratch *s) {
    return s->train.dlast;
}

static void final_norm_backward(void *arg, size_t from, size_t to) {
    const struct tile *j = arg;
    size_t C = j->c->width, n = (to - from) * C;
    real *dh = j->t->dlast + from * C;

    norm_backward(to - from, C, dh, j->w->final_gain,
                  store_get(&j->t->final_xhat, from * C, n, j->t->room.x), j->t->final_rstd + from,
                  j->dw->final_gain, j->dw->final_bias);
}

static void drop_again(void *arg, size_t from, size_t to) {
    struct tile *j = arg;
    size_t at = from * j->c->width, n = to * j->c->width - at;
    real *dh = store_get(&j->t->dh, at, n, j->t->room.x);

    noise_drop(&j->noise, j->noise.embed_dropout, n, j->t->room.keep, dh);
    store_put(&j->t->dh, at, n, dh);
}

const struct store *net_states_backward(const struct net_config *c, const struct net_weights *w,
                                        struct net_scratch *s, const struct net_batch *batch,
                                        const struct net_noise *noise, struct net_weights *dw) {
    size_t N = first(batch, batch->n);
    struct net_scratch_train *train = &s->train;
    struct tile j = {.c = c, .w = w, .t = train, .noise = *noise, .dw = dw};

    if (c->norm == NET_NORM_PRE)
        diffusion_train_tiles(N, train->room.rows, final_norm_backward, &j);
    if (c->n_open)
        bracket_backward(c, w, batch, &s->bracket, noise, dw, train->dlast);
    store_put(&train->dh, 0, N * c->width, train->dlast);
    for (uint32_t t = c->steps; t-- > 0;) {
        struct diffusion_train d = step_at(c, w, train, batch, t);

        diffusion_train_backward(&d, noise, &dw->step[t], &train->dh);
    }
    j.noise.rng = train->embed_drawn;
    if (noise->embed_dropout > 0)
        diffusion_train_tiles(N, train->room.rows, drop_again, &j);
    return &train->dh;
}

const struct store *net_backward(const struct net_config *c, const struct net_weights *w,
                                 struct net_scratch *s, const struct net_batch *batch,
                                 const struct net_noise *noise, const real *dlogits,
                                 struct net_weights *dw) {
    size_t C = c->width, P = net_config_pool_width(c);
    real *dp = s->train.dp;

    label_backward(c, w, batch->n, &s->label, noise, dlogits, dw, dp);
    for (uint32_t b = 0; b < batch->n; b++)
        pool_backward(c, length(batch, b), parents(s, batch, b), dp + b * P,
                      s->best ? s->best + b * C : NULL,
                      net_states_gradient(s) + first(batch, b) * C);
    return net_states_backward(c, w, s, batch, noise, dw);
}
