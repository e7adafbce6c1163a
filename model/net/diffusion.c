/* diffusion.c - see diffusion.h. */
#include "model/net/diffusion.h"

#include "model/base/gemm.h"
#include "model/base/vec.h"
#include "model/net/norm.h"

enum { LEFT, RIGHT, SELF, RELATIONS };

/* Index of the neighbour `shift` places on from i in a sequence of n, or -1 where there is none. */
static inline ptrdiff_t neighbour(const struct net_config *c, ptrdiff_t i, ptrdiff_t shift,
                                  ptrdiff_t n) {
    ptrdiff_t j = i + shift;

    if (j >= 0 && j < n)
        return j;
    if (c->boundary == NET_BOUNDARY_ZERO)
        return -1;
    j %= n;
    return j < 0 ? j + n : j;
}

/* s_i = left_{i-o} + right_{i+o} + self_i over one sequence of n tokens; proj(n,3C), s(n,C). */
static void gather(const struct net_config *c, ptrdiff_t o, ptrdiff_t n, const real *proj,
                   real *s) {
    size_t C = c->width;

    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t left = neighbour(c, i, -o, n), right = neighbour(c, i, o, n);
        real *si = s + (size_t)i * C;

        vec_copy(C, proj + (size_t)(RELATIONS * i + SELF) * C, si);
        if (left >= 0)
            vec_add(C, proj + (size_t)(RELATIONS * left + LEFT) * C, si);
        if (right >= 0)
            vec_add(C, proj + (size_t)(RELATIONS * right + RIGHT) * C, si);
    }
}

/* The transpose of gather: what token j gave to the right came from its left product, and so on. */
static void scatter(const struct net_config *c, ptrdiff_t o, ptrdiff_t n, const real *ds,
                    real *dproj) {
    size_t C = c->width;

    for (ptrdiff_t j = 0; j < n; j++) {
        ptrdiff_t to[RELATIONS] = {neighbour(c, j, o, n), neighbour(c, j, -o, n), j};

        for (int r = 0; r < RELATIONS; r++) {
            real *d = dproj + (size_t)(RELATIONS * j + r) * C;

            if (to[r] >= 0)
                vec_copy(C, ds + (size_t)to[r] * C, d);
            else
                vec_zero(C, d);
        }
    }
}

static size_t tokens(const struct net_batch *b) {
    return b->start[b->n] - b->start[0];
}

void diffusion_forward(const struct net_config *c, const struct weights_step *w, uint32_t offset,
                       const struct net_batch *batch, struct diffusion_acts *acts,
                       struct diffusion_room *room, struct net_noise *noise, real *y) {
    size_t N = tokens(batch), C = c->width, M = c->mlp_width;
    const real *x = acts->x;

    if (c->norm != NET_NORM_POST)
        norm_forward(N, C, x, w->norm_gain, w->norm_bias, acts->xhat, acts->rstd, acts->seen);
    gemm_nt(N, RELATIONS * C, C, acts->seen, w->proj_left, 0, room->proj);
    for (uint32_t b = 0; b < batch->n; b++) {
        size_t first = batch->start[b] - batch->start[0], n = batch->start[b + 1] - batch->start[b];

        gather(c, offset, (ptrdiff_t)n, room->proj + first * RELATIONS * C, acts->s + first * C);
    }
    gemm_nt(N, M, C, acts->s, w->mlp_in, 0, acts->a);
    vec_add_rows(N, M, w->mlp_in_bias, acts->a);
    vec_gelu(N * M, acts->a, room->g);
    if (noise)
        noise_drop(noise, noise->dropout, N * M, acts->keep, room->g);
    gemm_nt(N, C, M, room->g, w->mlp_out, 0, y);
    vec_add_rows(N, C, w->mlp_out_bias, y);
    if (c->norm != NET_NORM_POST) {
        vec_add(N * C, x, y);
    } else {
        vec_mix(N * C, (real)c->alpha, x, 1 - (real)c->alpha, y);
        norm_forward(N, C, y, w->norm_gain, w->norm_bias, acts->xhat, acts->rstd, y);
    }
}

/* From du(N,C), the gradient at the update, to dproj in room->proj; gradients of the MLP into dw.
 */
static void update_backward(const struct net_config *c, const struct weights_step *w,
                            uint32_t offset, const struct net_batch *batch,
                            const struct diffusion_acts *acts, struct diffusion_room *room,
                            const struct net_noise *noise, struct weights_step *dw,
                            const real *du) {
    size_t N = tokens(batch), C = c->width, M = c->mlp_width;
    real *slope = room->g2;

    vec_gelu_slope(N * M, acts->a, room->g, slope);
    noise_drop_again(noise->dropout, N * M, acts->keep, room->g);
    noise_drop_again(noise->dropout, N * M, acts->keep, slope);
    gemm_tn(C, M, N, du, room->g, 1, dw->mlp_out);
    vec_sum_rows(N, C, du, dw->mlp_out_bias);
    gemm_nn(N, M, C, du, w->mlp_out, 0, room->g);
    vec_mul(N * M, slope, room->g);
    gemm_tn(M, C, N, room->g, acts->s, 1, dw->mlp_in);
    vec_sum_rows(N, M, room->g, dw->mlp_in_bias);
    gemm_nn(N, C, M, room->g, w->mlp_in, 0, room->ds);
    for (uint32_t b = 0; b < batch->n; b++) {
        size_t first = batch->start[b] - batch->start[0], n = batch->start[b + 1] - batch->start[b];

        scatter(c, offset, (ptrdiff_t)n, room->ds + first * C, room->proj + first * RELATIONS * C);
    }
}

void diffusion_backward(const struct net_config *c, const struct weights_step *w, uint32_t offset,
                        const struct net_batch *batch, const struct diffusion_acts *acts,
                        struct diffusion_room *room, const struct net_noise *noise,
                        struct weights_step *dw, real *dy, real *dx) {
    size_t N = tokens(batch), C = c->width;
    real alpha = (real)c->alpha, *du = room->u;

    if (c->norm == NET_NORM_POST) {
        norm_backward(N, C, dy, w->norm_gain, acts->xhat, acts->rstd, dy, dw->norm_gain,
                      dw->norm_bias);
        vec_scaled(N * C, 1 - alpha, dy, du);
        update_backward(c, w, offset, batch, acts, room, noise, dw, du);
        vec_scaled(N * C, alpha, dy, dx);
        gemm_nn(N, C, RELATIONS * C, room->proj, w->proj_left, 1, dx);
    } else {
        update_backward(c, w, offset, batch, acts, room, noise, dw, dy);
        gemm_nn(N, C, RELATIONS * C, room->proj, w->proj_left, 0, dx);
        norm_backward(N, C, dx, w->norm_gain, acts->xhat, acts->rstd, dx, dw->norm_gain,
                      dw->norm_bias);
        vec_add(N * C, dy, dx);
    }
    gemm_tn(RELATIONS * C, C, N, room->proj, acts->seen, 1, dw->proj_left);
}
