/* scratch.h - the memory of one forward pass (and, in training, of the way back). net/ only. */
#ifndef MODEL_NET_SCRATCH_H
#define MODEL_NET_SCRATCH_H

#include "model/net/bracket.h"
#include "model/net/diffusion.h"
#include "model/net/label.h"
#include "model/net/net.h"

struct net_scratch {
    size_t max_tokens, max_seqs;
    real *state[LIMIT_STEPS + 1]; /* (N,C) each: what comes into step t, and out of the last */
    struct diffusion_acts step[LIMIT_STEPS];
    struct diffusion_room room;
    struct bracket_acts bracket;               /* with brackets */
    real *final_xhat, *final_rstd, *final_out; /* norm pre */
    uint8_t *embed_keep;                       /* (N,C) dropout mask, training only */
    uint32_t *best;                            /* (B,C) where each maximum was; pools with one */
    struct label_acts label;
    real *dp;           /* (B,P) training only */
    real *dh, *dh_next; /* (N,C) training only */
};

#endif
