/* index.h - a table from hashes to rows: chains over numbers below a fixed limit.
 *
 * What a row stands for lies in the owner's arrays; rows of one hash are told apart there. Hashes
 * are keyed (keyed.h) wherever what is hashed comes from outside, so that nobody can aim at a
 * chain. Lives in the arena it was made in. Threads: the owner's.
 */
#ifndef DAEMON_COMMON_INDEX_H
#define DAEMON_COMMON_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/diffuse_err.h"

#define INDEX_NONE UINT32_MAX

struct index {
    uint32_t *bucket; /* (buckets) first row of each chain */
    uint32_t *chain;  /* (rows) next row of the same bucket */
    uint64_t *hash;   /* (rows) */
    uint32_t buckets; /* a power of two */
};

size_t index_bytes(size_t rows); /* arena bytes of index_init */
DIFFUSE_MUST_CHECK diffuse_err index_init(struct index *t, struct arena *arena, size_t rows);

/* The rows of a hash, one after the other; INDEX_NONE: no more. */
uint32_t index_first(const struct index *t, uint64_t hash);
uint32_t index_next(const struct index *t, uint32_t row);

void index_add(struct index *t, uint32_t row, uint64_t hash); /* a row that is not in it */
void index_drop(struct index *t, uint32_t row);               /* one that is */
void index_clear(struct index *t);

#endif
