#include "model/net/diffusion.h"

#include "model/base/gemm.h"
#include "model/base/vec.h"
#include "model/net/norm.h"

enum { LEFT, RIGHT, SELF, RELATIONS };

/* s_i = left_{i-o} + right_{i+o} + self_i over one sequence of n tokens; proj(n,3C), s(n,C). */
static void gather(const struct net_config *c, ptrdiff_t o, ptrdiff_t n, const real *proj,
                   real *s) {
    size_t C = c->width;

    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t left = diffusion_neighbour(c, i, -o, n), right = diffusion_neighbour(c, i, o, n);
        real *si = s + (size_t)i * C;

        vec_copy(C, proj + (size_t)(RELATIONS * i + SELF) * C, si);
        if (left >= 0)
            vec_add(C, proj + (size_t)(RELATIONS * left + LEFT) * C, si);
        if (right >= 0)
            vec_add(C, proj + (size_t)(RELATIONS * right + RIGHT) * C, si);
    }
}

static size_t tokens(const struct net_batch *b) {
    return b->start[b->n] - b->start[0];
}

void diffusion_update(const struct net_config *c, const struct weights_step *w, size_t N,
                      struct diffusion_acts *acts, real *y) {
    size_t C = c->width, M = c->mlp_width;

    gemm_nt(N, M, C, acts->s, w->mlp_in, 0, acts->a);
    vec_add_rows(N, M, w->mlp_in_bias, acts->a);
    vec_gelu(N * M, acts->a, acts->g);
    gemm_nt(N, C, M, acts->g, w->mlp_out, 0, y);
    vec_add_rows(N, C, w->mlp_out_bias, y);
    if (c->norm != NET_NORM_POST) {
        vec_add(N * C, acts->x, y);
    } else {
        vec_mix(N * C, (real)c->alpha, acts->x, 1 - (real)c->alpha, y);
        norm_forward(N, C, y, w->norm_gain, w->norm_bias, acts->xhat, acts->rstd, y);
    }
}

void diffusion_forward(const struct net_config *c, const struct weights_step *w, uint32_t offset,
                       const struct net_batch *batch, struct diffusion_acts *acts, real *y) {
    size_t N = tokens(batch), C = c->width;

    if (c->norm != NET_NORM_POST)
        norm_forward(N, C, acts->x, w->norm_gain, w->norm_bias, acts->xhat, acts->rstd, acts->seen);
    gemm_nt(N, RELATIONS * C, C, acts->seen, w->proj_left, 0, acts->proj);
    for (uint32_t b = 0; b < batch->n; b++) {
        size_t first = batch->start[b] - batch->start[0], n = batch->start[b + 1] - batch->start[b];

        gather(c, offset, (ptrdiff_t)n, acts->proj + first * RELATIONS * C, acts->s + first * C);
    }
    diffusion_update(c, w, N, acts, y);
}
