/* diffusion_train.h - a step of the model as diffusion.h has it, keeping what its gradients need,
 * and the way back. Mixed precision (Micikevicius et al., 2018): what is kept, and the gradients of
 * activations, may lie in 16 bits (store.h); every product is computed in float.
 *
 * As little as possible is kept. The states are not: what a token's neighbours saw is gain*xhat +
 * bias of a LayerNorm whose xhat is kept (pre: this step's own; post: the one that ended the step
 * before). Nor are the dropout masks, which the same random numbers give again. The tokens go
 * through in tiles, so that the room does not grow with the sequence. Shapes: N tokens, R in a
 * tile, C width, M mlp_width.
 */
#ifndef MODEL_NET_DIFFUSION_TRAIN_H
#define MODEL_NET_DIFFUSION_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "model/base/rng.h"
#include "model/base/store.h"
#include "model/net/config.h"
#include "model/net/net_batch.h"
#include "model/net/noise.h"
#include "model/net/weights.h"

/* Tokens of a tile, a multiple of 8, as rng_mask draws. As fast as each other; in 16 bits the room
 * would weigh more than what is kept. */
static inline size_t diffusion_train_tile(enum store_type kept) {
    return kept == STORE_REAL ? 1024 : 256;
}

/* What a step keeps for its way back. */
struct diffusion_train_kept {
    struct store xhat; /* (N,C) of the LayerNorm */
    real *rstd;        /* (N) */
    struct store s;    /* (N,C) */
    struct store a;    /* (N,M) before gelu */
    struct rng drawn;  /* where the dropout mask began */
};

/* What the neighbours of a token see. */
struct diffusion_train_seen {
    struct store at;         /* (N,C) */
    const real *gain, *bias; /* (C) of the LayerNorm whose xhat that is; NULL: it is the state */
};

/* Room shared by all steps; s, a and x only where things are kept in 16 bits. */
struct diffusion_train_room {
    size_t rows;       /* R */
    real *in, *u;      /* (R,C) */
    real *s, *a, *x;   /* (R,C) (R,M) (R,C) */
    real *g, *slope;   /* (R,M) */
    real *wide;        /* (R,3C), over g and slope, which are done with by then */
    uint8_t *keep;     /* (R,C) or (R,M), whichever is more: dropout mask */
    struct store step; /* (N,C) gradients at s */
};

/* A step and what it works on; all borrowed. */
struct diffusion_train {
    const struct net_config *c;
    const struct weights_step *w;
    uint32_t offset;
    const struct net_batch *batch;
    struct diffusion_train_kept *kept;
    struct diffusion_train_seen seen;
    struct diffusion_train_room *room;
};

/* Calls of job cover [0, N) in order, a tile of R each. */
typedef void diffusion_train_job(void *arg, size_t from, size_t to);
void diffusion_train_tiles(size_t N, size_t R, diffusion_train_job *job, void *arg);

/* h(N,C) after the step; pre and residual: from h before it. noise NULL: none is drawn, and there
 * is no way back. */
void diffusion_train_forward(const struct diffusion_train *d, struct net_noise *noise, real *h);

/* dh(N,C), from the gradient after the step to the one before it; dw is added to. */
void diffusion_train_backward(const struct diffusion_train *d, const struct net_noise *noise,
                              struct weights_step *dw, const struct store *dh);

#endif
