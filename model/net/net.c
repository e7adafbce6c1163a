/* net.c - see net.h. The model, in order: embed, diffuse, sweep the brackets, pool, label. */
#include <assert.h>

#include "model/base/vec.h"
#include "model/net/embed.h"
#include "model/net/norm.h"
#include "model/net/pool.h"
#include "model/net/scratch.h"

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
                      struct net_scratch *s, const struct net_batch *batch,
                      struct net_noise *noise) {
    size_t N = first(batch, batch->n), C = c->width;

    for (uint32_t b = 0; b < batch->n; b++)
        embed_forward(c, w, batch->ids + batch->start[b], length(batch, b),
                      s->state[0] + first(batch, b) * C);
    if (!noise)
        return;
    noise_drop(noise, noise->embed_dropout, N * C, s->embed_keep, s->state[0]);
    if (noise->noise_std > 0)
        rng_add_normals(&noise->rng, noise->table, N * C, (real)noise->noise_std, s->state[0]);
}

/* What the pool reads: the last state, through the final LayerNorm where there is one. */
static const real *last_state(const struct net_config *c, const struct net_weights *w,
                              struct net_scratch *s, size_t N) {
    real *h = s->state[c->steps];

    if (c->norm != NET_NORM_PRE)
        return h;
    norm_forward(N, c->width, h, w->final_gain, w->final_bias, s->final_xhat, s->final_rstd,
                 s->final_out);
    return s->final_out;
}

const real *net_states(const struct net_config *c, const struct net_weights *w,
                       struct net_scratch *s, const struct net_batch *batch,
                       struct net_noise *noise) {
    size_t N = first(batch, batch->n);

    assert(N <= s->max_tokens && batch->n <= s->max_seqs);
    embed_all(c, w, s, batch, noise);
    for (uint32_t t = 0; t < c->steps; t++)
        diffusion_forward(c, &w->step[t], c->offsets[t], batch, &s->step[t], &s->room, noise,
                          s->state[t + 1]);
    if (c->n_open)
        bracket_forward(c, w, batch, &s->bracket, noise, s->state[c->steps]);
    return last_state(c, w, s, N);
}

static void forward(const struct net_config *c, const struct net_weights *w, struct net_scratch *s,
                    const struct net_batch *batch, struct net_noise *noise, real *logits) {
    size_t C = c->width, P = net_config_pool_width(c);
    const real *h = net_states(c, w, s, batch, noise);

    for (uint32_t b = 0; b < batch->n; b++)
        pool_forward(c, length(batch, b), parents(s, batch, b), h + first(batch, b) * C,
                     s->label.p + b * P, s->best ? s->best + b * C : NULL);
    label_forward(c, w, batch->n, &s->label, noise, logits);
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

real *net_states_gradient(struct net_scratch *s) {
    return s->dh;
}

const real *net_states_backward(const struct net_config *c, const struct net_weights *w,
                                struct net_scratch *s, const struct net_batch *batch,
                                const struct net_noise *noise, struct net_weights *dw) {
    size_t N = first(batch, batch->n), C = c->width;
    real *dh = s->dh, *next = s->dh_next;

    if (c->norm == NET_NORM_PRE)
        norm_backward(N, C, dh, w->final_gain, s->final_xhat, s->final_rstd, dh, dw->final_gain,
                      dw->final_bias);
    if (c->n_open)
        bracket_backward(c, w, batch, &s->bracket, noise, dw, dh);
    for (uint32_t t = c->steps; t-- > 0;) {
        real *swap = dh;

        diffusion_backward(c, &w->step[t], c->offsets[t], batch, &s->step[t], &s->room, noise,
                           &dw->step[t], dh, next);
        dh = next;
        next = swap;
    }
    noise_drop_again(noise->embed_dropout, N * C, s->embed_keep, dh);
    return dh;
}

const real *net_backward(const struct net_config *c, const struct net_weights *w,
                         struct net_scratch *s, const struct net_batch *batch,
                         const struct net_noise *noise, const real *dlogits,
                         struct net_weights *dw) {
    size_t C = c->width, P = net_config_pool_width(c);

    label_backward(c, w, batch->n, &s->label, noise, dlogits, dw, s->dp);
    for (uint32_t b = 0; b < batch->n; b++)
        pool_backward(c, length(batch, b), parents(s, batch, b), s->dp + b * P,
                      s->best ? s->best + b * C : NULL, s->dh + first(batch, b) * C);
    return net_states_backward(c, w, s, batch, noise, dw);
}
