/* net_scratch.h - the memory of one forward pass (and, in training, of the way back). net/ only. */
#ifndef MODEL_NET_NET_SCRATCH_H
#define MODEL_NET_NET_SCRATCH_H

#include "model/net/bracket.h"
#include "model/net/diffusion.h"
#include "model/net/diffusion_train.h"
#include "model/net/label.h"
#include "model/net/net_batch.h"

/* What a forward pass without a way back works in. */
struct net_scratch_use {
    real *state[2]; /* (N,C) each: into a step, and out of it */
    struct diffusion_acts step;
    real *final_xhat, *final_rstd, *final_out; /* norm pre */
};

/* What training keeps instead, 16 bits a number where it says store and the scratch was made so. */
struct net_scratch_train {
    struct store first; /* (N,C) post: the state at the start, which has no LayerNorm */
    struct diffusion_train_kept step[LIMIT_STEPS];
    struct diffusion_train_room room;
    struct store final_xhat; /* (N,C) norm pre */
    real *final_rstd;        /* (N) */
    struct rng embed_drawn;  /* where the dropout mask of the embeddings began */
    real *h;                 /* (N,C) the running state */
    struct store dh;         /* (N,C) the running gradient */
    real *dlast;             /* (N,C) the first one: dh itself, or over h when dh has 16 bits */
    real *dp;                /* (B,P) */
};

struct net_scratch {
    size_t max_tokens, max_seqs;
    bool training; /* which of the two there is */
    struct net_scratch_use use;
    struct net_scratch_train train;
    struct bracket_acts bracket; /* with brackets */
    uint32_t *best;              /* (B,C) where each maximum was; pools with one */
    struct label_acts label;
    void *wide; /* a state of the wide part, where there is one */
};

#endif
