/* bracket.h - diffusion over bracketed groups: one sweep that lets every group take what it holds.
 *
 * A group is an opening token, its members (the tokens right below it, the openers of nested groups
 * among them) and its closing token, which takes no part. The sweep visits every opener once, inner
 * groups before the groups that hold them:
 *
 *   s_g = W_self h_g + W_enclosing h_e + W_members 0.3 sum over members of h_m
 *   u_g = mlp_out act(mlp_in s_g + b1) + b2          act: gelu, or sin(3x)
 *
 * and h_g takes u_g as a step would (diffusion.h). h_e is the opener around g, not visited yet; h_m
 * are the members as they are by then. Tokens that open nothing keep their state. This is the sum
 * over a variable-size neighbourhood N(i) of the paper's equation 2, in Gauss-Seidel order: the
 * same update for all tokens at once would need as many steps as the deepest nesting to say the
 * same. A closer without an opener is an ordinary token; a group that is never closed ends with
 * the sequence. Shapes: N tokens, G groups, C width, M mlp_width.
 */
#ifndef MODEL_NET_BRACKET_H
#define MODEL_NET_BRACKET_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/layout.h"
#include "model/base/real.h"
#include "model/net/config.h"
#include "model/net/net_batch.h"
#include "model/net/noise.h"
#include "model/net/weights.h"

#define BRACKET_NONE UINT32_MAX

/* Which token belongs to which group, over a whole batch. */
struct bracket_tree {
    uint32_t
        *parent; /* (N) the opener around each token, counted over the batch; or BRACKET_NONE */
    uint32_t *height; /* (N) 0: opens nothing; 1: a group without groups; ...; closers: NONE */
    uint32_t *order;  /* (N) the openers, by height; G in use */
    uint32_t *level;  /* (N+2) order[level[k]] .. order[level[k+1]-1] have height k, from 1 */
    uint32_t groups, levels; /* G; largest height */
};

/* Everything that a sweep needs, kept for the way back. */
struct bracket_acts {
    struct bracket_tree tree;
    real *seen;                      /* (N,C) what neighbours see: LN(h), or h itself (post) */
    real *xhat, *rstd;               /* (N,C) (N) of that LayerNorm; unused for post */
    real *sum;                       /* (N,C) by opener: the members' sum; backward: its gradient */
    real *self, *enclosing, *member; /* (G,C) inputs, in the tree's order */
    real *s, *a, *g;                 /* (G,C) (G,M) (G,M) */
    real *xhat2, *rstd2;             /* (G,C) (G) of the LayerNorm of the new state */
    real *out, *shown;               /* (G,C) the new states, and LN of them */
    uint8_t *keep;                   /* (G,M) dropout mask, training only */
    real *dseen, *drow, *slope;      /* (N,C) (G,C) (G,M) training only */
};

/* Room for a sweep over N tokens; training: and for its way back. */
void bracket_lay(struct layout *l, const struct net_config *c, size_t N, bool training,
                 struct bracket_acts *acts);

/* Fill the tree from the batch's ids. */
void bracket_find(const struct net_config *c, const struct net_batch *batch,
                  struct bracket_tree *tree);

/* One sweep over h(N,C), in place. noise NULL: inference. */
void bracket_forward(const struct net_config *c, const struct net_weights *w,
                     const struct net_batch *batch, struct bracket_acts *acts,
                     struct net_noise *noise, real *h);

/* dh(N,C), in place: from the gradient of what came out to that of what came in; dw is added to. */
void bracket_backward(const struct net_config *c, const struct net_weights *w,
                      const struct net_batch *batch, struct bracket_acts *acts,
                      const struct net_noise *noise, struct net_weights *dw, real *dh);

#endif
