/* label.h - the classifier head: pooled vectors to logits, logits to probabilities.
 *
 *   logits = head_out gelu(head_in p + c1) + c2                dropout after gelu, in training
 * Shapes: B sequences, P pool width, H head_width, L labels.
 */
#ifndef MODEL_NET_LABEL_H
#define MODEL_NET_LABEL_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "model/net/config.h"
#include "model/net/noise.h"
#include "model/net/weights.h"

struct label_acts {
    real *p;       /* (B,P) pooled */
    real *q;       /* (B,H) before gelu */
    real *g;       /* (B,H) after gelu; backward: its gradient */
    real *slope;   /* (B,H) training only */
    uint8_t *keep; /* (B,H) dropout mask, training only */
};

/* logits(B,L) of acts->p(B,P). noise NULL: inference. */
void label_forward(const struct net_config *c, const struct net_weights *w, size_t B,
                   struct label_acts *acts, struct net_noise *noise, real *logits);

/* dp(B,P) from dlogits(B,L); dw is added to. */
void label_backward(const struct net_config *c, const struct net_weights *w, size_t B,
                    const struct label_acts *acts, const struct net_noise *noise,
                    const real *dlogits, struct net_weights *dw, real *dp);

/* scores(L) = softmax(logits(L) / temperature), summing to 1; returns the index of the largest. May
 * work in place. temperature > 0. A logit that is not finite gives uniform scores and index 0. */
uint32_t label_softmax(const real *logits, uint32_t labels, real temperature, real *scores);

#endif
