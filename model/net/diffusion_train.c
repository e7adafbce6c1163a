#include "model/net/diffusion_train.h"

#include "model/base/gemm.h"
#include "model/base/vec.h"
#include "model/net/diffusion.h"
#include "model/net/norm.h"

enum { LEFT, RIGHT, SELF, RELATIONS };

static size_t tokens(const struct net_batch *b) {
    return b->start[b->n] - b->start[0];
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

void diffusion_train_tiles(size_t N, size_t R, diffusion_train_job *job, void *arg) {
    for (size_t from = 0; from < N; from += R)
        job(arg, from, least(N, from + R));
}

/* --- neighbours ---------------------------------------------------------- */

static void load_seen(const struct diffusion_train_seen *seen, size_t C, size_t row, real *y) {
    store_load(&seen->at, row * C, C, y);
    if (seen->gain)
        vec_affine(C, seen->gain, seen->bias, y);
}

/* y(to-from, C), `stride` numbers from row to row: what lies `shift` places on from each token of
 * the tile in its own sequence, zero where nothing does. */
static void gather(const struct diffusion_train *d, const struct diffusion_train_seen *seen,
                   ptrdiff_t shift, size_t from, size_t to, size_t stride, real *y) {
    size_t C = d->c->width;

    for (uint32_t b = 0; b < d->batch->n; b++) {
        size_t first = d->batch->start[b] - d->batch->start[0];
        size_t end = d->batch->start[b + 1] - d->batch->start[0];

        for (size_t i = first > from ? first : from; i < least(end, to); i++, y += stride) {
            ptrdiff_t j =
                diffusion_neighbour(d->c, (ptrdiff_t)(i - first), shift, (ptrdiff_t)(end - first));

            if (j >= 0)
                load_seen(seen, C, first + (size_t)j, y);
            else
                vec_zero(C, y);
        }
    }
}

static void gather_self(const struct diffusion_train *d, size_t from, size_t to, real *y) {
    gather(d, &d->seen, 0, from, to, d->c->width, y);
}

/* --- forward ------------------------------------------------------------- */

struct forward {
    const struct diffusion_train *d;
    struct net_noise *noise;
    real *h; /* (N,C) */
};

/* pre: xhat of a tile, which the neighbours see. */
static void normalize(void *arg, size_t from, size_t to) {
    const struct forward *f = arg;
    const struct diffusion_train *d = f->d;
    size_t C = d->c->width, R = to - from, at = from * C;
    real *xhat = store_place(&d->kept->xhat, at, d->room->x);

    norm_forward(R, C, f->h + at, d->w->norm_gain, d->w->norm_bias, xhat, d->kept->rstd + from,
                 d->room->in);
    store_put(&d->kept->xhat, at, R * C, xhat);
}

/* s_i = self_i + left_{i-o} + right_{i+o}, kept. */
static real *mix_neighbours(const struct diffusion_train *d, size_t from, size_t to) {
    size_t C = d->c->width, R = to - from;
    ptrdiff_t o = d->offset;
    real *s = store_place(&d->kept->s, from * C, d->room->s), *in = d->room->in;

    gather_self(d, from, to, in);
    gemm_nt(R, C, C, in, d->w->proj_self, 0, s);
    gather(d, &d->seen, -o, from, to, C, in);
    gemm_nt(R, C, C, in, d->w->proj_left, 1, s);
    gather(d, &d->seen, o, from, to, C, in);
    gemm_nt(R, C, C, in, d->w->proj_right, 1, s);
    store_put(&d->kept->s, from * C, R * C, s);
    return s;
}

/* y(R,C): the update u of a tile. */
static void update(const struct forward *f, size_t from, size_t to, real *y) {
    const struct diffusion_train *d = f->d;
    size_t C = d->c->width, M = d->c->mlp_width, R = to - from;
    const real *s = mix_neighbours(d, from, to);
    real *a = store_place(&d->kept->a, from * M, d->room->a), *g = d->room->g;

    gemm_nt(R, M, C, s, d->w->mlp_in, 0, a);
    vec_add_rows(R, M, d->w->mlp_in_bias, a);
    store_put(&d->kept->a, from * M, R * M, a);
    vec_gelu(R * M, a, g);
    if (f->noise)
        noise_drop(f->noise, f->noise->dropout, R * M, d->room->keep, g);
    gemm_nt(R, C, M, g, d->w->mlp_out, 0, y);
    vec_add_rows(R, C, d->w->mlp_out_bias, y);
}

static void forward(void *arg, size_t from, size_t to) {
    const struct forward *f = arg;
    const struct diffusion_train *d = f->d;
    size_t C = d->c->width, R = to - from, at = from * C;
    real alpha = (real)d->c->alpha, *h = f->h + at, *xhat;

    if (d->c->norm != NET_NORM_POST) {
        update(f, from, to, d->room->u);
        vec_add(R * C, d->room->u, h);
        return;
    }
    update(f, from, to, h);
    gather_self(d, from, to, d->room->in);
    vec_mix(R * C, alpha, d->room->in, 1 - alpha, h);
    xhat = store_place(&d->kept->xhat, at, d->room->x);
    norm_forward(R, C, h, d->w->norm_gain, d->w->norm_bias, xhat, d->kept->rstd + from, h);
    store_put(&d->kept->xhat, at, R * C, xhat);
}

void diffusion_train_forward(const struct diffusion_train *d, struct net_noise *noise, real *h) {
    struct forward f = {d, noise, h};
    size_t N = tokens(d->batch);

    if (noise)
        d->kept->drawn = noise->rng;
    if (d->c->norm != NET_NORM_POST)
        diffusion_train_tiles(N, d->room->rows, normalize, &f);
    diffusion_train_tiles(N, d->room->rows, forward, &f);
}

/* --- the way back -------------------------------------------------------- */

struct backward {
    const struct diffusion_train *d;
    struct net_noise noise; /* draws the masks of the forward pass again */
    struct weights_step *dw;
    const struct store *dh;
};

/* From du(R,C), the gradient at a tile's update, to the one at its s. */
static void update_backward(struct backward *b, size_t from, size_t to, const real *du) {
    const struct diffusion_train *d = b->d;
    const struct diffusion_train_room *room = d->room;
    size_t C = d->c->width, M = d->c->mlp_width, R = to - from;
    const real *a = store_get(&d->kept->a, from * M, R * M, room->a);
    const real *s = store_get(&d->kept->s, from * C, R * C, room->s);
    real *ds = store_place(&room->step, from * C, room->in);

    vec_gelu_slope(R * M, a, room->g, room->slope);
    noise_drop(&b->noise, b->noise.dropout, R * M, room->keep, room->g);
    noise_drop_again(b->noise.dropout, R * M, room->keep, room->slope);
    gemm_tn(C, M, R, du, room->g, 1, b->dw->mlp_out);
    vec_sum_rows(R, C, du, b->dw->mlp_out_bias);
    gemm_nn(R, M, C, du, d->w->mlp_out, 0, room->g);
    vec_mul(R * M, room->slope, room->g);
    gemm_tn(M, C, R, room->g, s, 1, b->dw->mlp_in);
    vec_sum_rows(R, M, room->g, b->dw->mlp_in_bias);
    gemm_nn(R, C, M, room->g, d->w->mlp_in, 0, ds);
    store_put(&room->step, from * C, R * C, ds);
}

/* First half, to the gradients at s. post: dh becomes the old state's share of itself. */
static void to_mix(void *arg, size_t from, size_t to) {
    struct backward *b = arg;
    const struct diffusion_train *d = b->d;
    size_t C = d->c->width, R = to - from, at = from * C;
    real alpha = (real)d->c->alpha, *dy = store_get(b->dh, at, R * C, d->room->x);

    if (d->c->norm != NET_NORM_POST) {
        update_backward(b, from, to, dy);
        return;
    }
    norm_backward(R, C, dy, d->w->norm_gain, store_get(&d->kept->xhat, at, R * C, d->room->in),
                  d->kept->rstd + from, b->dw->norm_gain, b->dw->norm_bias);
    vec_scaled(R * C, 1 - alpha, dy, d->room->u);
    vec_scale(R * C, alpha, dy);
    store_put(b->dh, at, R * C, dy);
    update_backward(b, from, to, d->room->u);
}

/* Each token's gradients at its left, right and self product: what it gave to the right came from
 * its left one, and so on. */
static void spread(const struct diffusion_train *d, size_t from, size_t to, real *wide) {
    const struct diffusion_train_seen step = {d->room->step, NULL, NULL};
    const ptrdiff_t shift[RELATIONS] = {d->offset, -(ptrdiff_t)d->offset, 0};
    size_t C = d->c->width;

    for (size_t r = 0; r < RELATIONS; r++)
        gather(d, &step, shift[r], from, to, RELATIONS * C, wide + r * C);
}

/* Second half, through the neighbours to what was before. */
static void to_seen(void *arg, size_t from, size_t to) {
    struct backward *b = arg;
    const struct diffusion_train *d = b->d;
    size_t C = d->c->width, R = to - from, at = from * C;
    real *dh = store_get(b->dh, at, R * C, d->room->x), *dx = d->room->u, *wide = d->room->wide;

    spread(d, from, to, wide);
    if (d->c->norm == NET_NORM_POST) {
        gemm_nn(R, C, RELATIONS * C, wide, d->w->proj_left, 1, dh);
    } else {
        gemm_nn(R, C, RELATIONS * C, wide, d->w->proj_left, 0, dx);
        norm_backward(R, C, dx, d->w->norm_gain, store_get(&d->kept->xhat, at, R * C, d->room->in),
                      d->kept->rstd + from, b->dw->norm_gain, b->dw->norm_bias);
        vec_add(R * C, dx, dh);
    }
    store_put(b->dh, at, R * C, dh);
    gather_self(d, from, to, d->room->in);
    gemm_tn(RELATIONS * C, C, R, wide, d->room->in, 1, b->dw->proj_left);
}

void diffusion_train_backward(const struct diffusion_train *d, const struct net_noise *noise,
                              struct weights_step *dw, const struct store *dh) {
    struct backward b = {d, *noise, dw, dh};
    size_t N = tokens(d->batch);

    b.noise.rng = d->kept->drawn;
    diffusion_train_tiles(N, d->room->rows, to_mix, &b);
    diffusion_train_tiles(N, d->room->rows, to_seen, &b);
}
