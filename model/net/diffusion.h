/* diffusion.h - one step of the model: every token takes a mix of itself and its neighbours.
 *
 *   s_i = W_left h_{i-o} + W_right h_{i+o} + W_self h_i        i inside its own sequence
 *   u_i = mlp_out gelu(mlp_in s_i + b1) + b2                   dropout after gelu, in training
 *   post: y_i = LN(alpha h_i + (1-alpha) u_i)                  pre: y_i = h_i + u(LN(h))_i
 *
 * Source: Banavara, "Diffusion is all you need", 2025. Shapes: N tokens in all, C width, M
 * mlp_width.
 */
#ifndef MODEL_NET_DIFFUSION_H
#define MODEL_NET_DIFFUSION_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "model/net/config.h"
#include "model/net/net_batch.h"
#include "model/net/weights.h"

/* Index of the neighbour `shift` places on from i in a sequence of n, or -1 where there is none. */
static inline ptrdiff_t diffusion_neighbour(const struct net_config *c, ptrdiff_t i,
                                            ptrdiff_t shift, ptrdiff_t n) {
    ptrdiff_t j = i + shift;

    if (j >= 0 && j < n)
        return j;
    if (c->boundary == NET_BOUNDARY_ZERO)
        return -1;
    j %= n;
    return j < 0 ? j + n : j;
}

/* What a step works in; all steps may share it but for x. */
struct diffusion_acts {
    real *x;    /* (N,C) the state that came in */
    real *xhat; /* (N,C) of the LayerNorm */
    real *rstd; /* (N) */
    real *seen; /* (N,C) what the neighbours see: x (post), LN(x) (pre) */
    real *s;    /* (N,C) */
    real *a;    /* (N,M) before gelu */
    real *proj; /* (N,3C) left, right, self of each token */
    real *g;    /* (N,M) after gelu */
};

/* y(N,C) = one step on acts->x, with offset o; y must not be acts->x. For inference: training has
 * diffusion_train.h. */
void diffusion_forward(const struct net_config *c, const struct weights_step *w, uint32_t offset,
                       const struct net_batch *batch, struct diffusion_acts *acts, real *y);

/* The second half of a step, which looks at no neighbour: y(N,C) from acts->s and acts->x, a and g
 * being one if need be. */
void diffusion_update(const struct net_config *c, const struct weights_step *w, size_t N,
                      struct diffusion_acts *acts, real *y);

#endif
