/* noise.h - what training adds to a forward pass: Gaussian noise on the embeddings and dropout. */
#ifndef MODEL_NET_NOISE_H
#define MODEL_NET_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "model/base/rng.h"

struct net_noise {
    const struct rng_table *table; /* borrowed, constant */
    struct rng rng;                /* of this pass */
    double embed_dropout;          /* share of embedding channels set to zero */
    double dropout;                /* share after each gelu */
    double noise_std;              /* of the noise on the embeddings */
};

/* Dropout in place: x(n) = x * keep / (1 - share), keep(n) drawn; the same again for gradients. */
void noise_drop(struct net_noise *noise, double share, size_t n, uint8_t *keep, real *x);
void noise_drop_again(double share, size_t n, const uint8_t *keep, real *dx);

#endif
