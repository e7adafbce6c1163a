#include "model/train/rows/permute.h"

#include "model/base/rng.h"

#define LEAST_HALF 4 /* a network over fewer numbers has too few distinct rounds to be random */

void permute_init(struct permute *p, uint64_t n, uint64_t seed, uint64_t stream) {
    struct rng rng;

    *p = (struct permute){.n = n, .half = LEAST_HALF};
    while (p->half < 32 && n > (uint64_t)1 << (2 * p->half))
        p->half++;
    rng_init(&rng, seed, stream);
    for (int i = 0; i < PERMUTE_ROUNDS; i++)
        p->key[i] = rng_next(&rng);
}

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t network(const struct permute *p, uint64_t x) {
    uint64_t mask = ((uint64_t)1 << p->half) - 1, left = x >> p->half, right = x & mask;

    for (int i = 0; i < PERMUTE_ROUNDS; i++) {
        uint64_t next = left ^ (mix(right ^ p->key[i]) & mask);

        left = right;
        right = next;
    }
    return left << p->half | right;
}

uint64_t permute_at(const struct permute *p, uint64_t i) {
    do
        i = network(p, i);
    while (i >= p->n);
    return i;
}
