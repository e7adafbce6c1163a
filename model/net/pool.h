/* pool.h - the tokens of a sequence to one vector: mean, maximum by channel, both end to end, or
 * the mean over the tokens that no bracket encloses. */
#ifndef MODEL_NET_POOL_H
#define MODEL_NET_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "model/net/config.h"

/* p(P) of h(n,C), n > 0. best(C), the token that gave each maximum, is kept for the way back;
 * unused and may be NULL without a maximum. parent(n) is bracket.h's; NULL: no token is enclosed.
 */
void pool_forward(const struct net_config *c, size_t n, const uint32_t *parent, const real *h,
                  real *p, uint32_t *best);

/* dh(n,C) = gradient of p with respect to h. */
void pool_backward(const struct net_config *c, size_t n, const uint32_t *parent, const real *dp,
                   const uint32_t *best, real *dh);

#endif
