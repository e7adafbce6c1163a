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
#include "model/net/net.h"
#include "model/net/noise.h"
#include "model/net/weights.h"

/* What a step's backward pass needs of its forward pass. */
struct diffusion_acts {
    real *x;       /* (N,C) the state that came in */
    real *xhat;    /* (N,C) of the LayerNorm */
    real *rstd;    /* (N) */
    real *seen;    /* (N,C) what the neighbours see: x (post), LN(x) (pre) */
    real *s;       /* (N,C) */
    real *a;       /* (N,M) before gelu */
    uint8_t *keep; /* (N,M) dropout mask; NULL outside training */
};

/* Room shared by all steps. */
struct diffusion_room {
    real *proj; /* (N,3C) left, right, self of each token; backward: their gradients */
    real *g;    /* (N,M) after gelu; backward: its gradient */
    real *g2;   /* (N,M) training only */
    real *u;    /* (N,C) */
    real *ds;   /* (N,C) training only */
};

/* y(N,C) = one step on acts->x, with offset o. noise NULL: inference. y must not be acts->x. */
void diffusion_forward(const struct net_config *c, const struct weights_step *w, uint32_t offset,
                       const struct net_batch *batch, struct diffusion_acts *acts,
                       struct diffusion_room *room, struct net_noise *noise, real *y);

/* dx(N,C) from dy(N,C), which is overwritten; dw is added to. dx must not be dy. */
void diffusion_backward(const struct net_config *c, const struct weights_step *w, uint32_t offset,
                        const struct net_batch *batch, const struct diffusion_acts *acts,
                        struct diffusion_room *room, const struct net_noise *noise,
                        struct weights_step *dw, real *dy, real *dx);

#endif
