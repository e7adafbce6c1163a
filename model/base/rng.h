/* rng.h - seeded random numbers with explicit state: xoshiro256++ (Blackman and Vigna, 2019),
 * seeded by splitmix64. The same seed gives the same numbers on every machine. */
#ifndef MODEL_BASE_RNG_H
#define MODEL_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* Start a sequence. Streams that must not correlate (row, epoch, purpose) get different `stream`. */
void rng_init(struct rng *r, uint64_t seed, uint64_t stream);

uint64_t rng_next(struct rng *r);                   /* uniform over 64 bits */
uint32_t rng_below(struct rng *r, uint32_t n);      /* uniform in 0..n-1, without bias; n > 0 */
double rng_unit(struct rng *r);                     /* uniform in [0, 1) */
double rng_normal(struct rng *r);                   /* N(0, 1), polar method */

#endif
