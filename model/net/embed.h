/* embed.h - token ids to vectors: a row a token, plus the rows of the hashed n-grams that end
 * there. */
#ifndef MODEL_NET_EMBED_H
#define MODEL_NET_EMBED_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "model/net/config.h"
#include "model/net/weights.h"

/* Row of the hashed table for the n tokens that end at *last (ids go from the oldest to the
 * newest). */
uint32_t embed_ngram_row(const struct net_config *c, const uint32_t *last, uint32_t n);

/* h(n,C) of one sequence of n tokens: embed[x_i] + sum over k of ngram[row(x_{i-k+1..i})]. */
void embed_forward(const struct net_config *c, const struct net_weights *w, const uint32_t *ids,
                   size_t n, real *h);

/* The same for the n tokens from ids on of a longer sequence, `before` of whose tokens lie right
 * before ids; the order's worth of them is enough. */
void embed_onward(const struct net_config *c, const struct net_weights *w, const uint32_t *ids,
                  size_t before, size_t n, real *h);

#endif
