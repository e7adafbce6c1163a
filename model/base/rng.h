/* rng.h - seeded random numbers with explicit state: xoshiro256++ (Blackman and Vigna, 2019),
 * seeded by splitmix64. The same seed gives the same numbers on every machine.
 * Threads: a struct rng belongs to one thread; a table is constant once made. */
#ifndef MODEL_BASE_RNG_H
#define MODEL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"

struct rng {
    uint64_t s[4];
};

/* Start a sequence. Sequences that must not correlate (row, epoch, purpose) get different `stream`.
 */
void rng_init(struct rng *r, uint64_t seed, uint64_t stream);

uint64_t rng_next(struct rng *r);              /* uniform over 64 bits */
uint32_t rng_below(struct rng *r, uint32_t n); /* uniform in 0..n-1, without bias; n > 0 */
double rng_unit(struct rng *r);                /* uniform in [0, 1) */
double rng_normal(struct rng *r); /* N(0, 1), polar method (Marsaglia and Bray, 1964) */

/* keep[i] = 1 with probability 1 - drop (to 1/256), else 0. */
void rng_mask(struct rng *r, size_t n, double drop, uint8_t *keep);

/* Layers of the ziggurat (Marsaglia and Tsang, 2000), for normals by the million. */
#define RNG_LAYERS 128
struct rng_table {
    double x[RNG_LAYERS + 1];
    double f[RNG_LAYERS + 1]; /* exp(-x^2/2) */
    double ratio[RNG_LAYERS];
};
void rng_table_init(struct rng_table *t);

/* x[i] += N(0, std^2), i < n. */
void rng_add_normals(struct rng *r, const struct rng_table *t, size_t n, real std, real *x);

#endif
