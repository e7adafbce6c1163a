/* permute.h - a pseudo-random order of 0..n-1 that is computed, not stored.
 *
 * A balanced Feistel network (PERMUTE_ROUNDS rounds; round function: splitmix64's finalizer, keyed)
 * permutes the numbers below the least 4^k that holds n, or 256; a result of n or more is sent
 * through again until it falls below n (cycle walking: 4 times at most on average, for n of 64 and
 * more). That visits every number below n once. Keys come from seed and stream: the same two
 * give the same order on every machine. Not for secrets.
 * Threads: constant once made. */
#ifndef MODEL_TRAIN_ROWS_PERMUTE_H
#define MODEL_TRAIN_ROWS_PERMUTE_H

#include <stdint.h>

#define PERMUTE_ROUNDS 6

struct permute {
    uint64_t n;
    unsigned half; /* bits of either half */
    uint64_t key[PERMUTE_ROUNDS];
};

/* n of 0 is fine as long as nothing is asked of it. */
void permute_init(struct permute *p, uint64_t n, uint64_t seed, uint64_t stream);

/* The number at place i of the order; i < n. */
uint64_t permute_at(const struct permute *p, uint64_t i);

#endif
