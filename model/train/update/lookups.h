/* lookups.h - which rows of the tables a batch looked up, and the gradient of each.
 *
 * Row numbers run through both tables: [0, vocab) the embedding, from vocab on the hashed n-grams.
 * The list is sorted, so the sums do not depend on the number of threads.
 */
#ifndef MODEL_TRAIN_UPDATE_LOOKUPS_H
#define MODEL_TRAIN_UPDATE_LOOKUPS_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/store.h"
#include "model/net/net.h"

struct lookups {
    uint64_t *key;     /* (cap) row << 32 | vector, sorted */
    uint64_t *other;   /* (cap) the sort's second half */
    size_t *from;      /* (rows+1) row r of the batch is key[from[r]] .. key[from[r+1]-1] */
    struct store grad; /* (rows,C) */
    size_t rows, cap;  /* distinct rows; keys that fit: tokens * order */
    size_t keys;
    size_t width;
};

/* Room for batches of max_tokens, gradients kept so. NOMEM leaves nothing behind. */
DIFFUSE_MUST_CHECK diffuse_err lookups_init(struct lookups *l, const struct net_config *c,
                                            size_t max_tokens, enum store_type kept);
void lookups_done(struct lookups *l); /* fine with a zeroed one */

/* List the rows of a batch: vector i of lookups_sum is the gradient at token i. */
void lookups_find(struct lookups *l, const struct net_config *c, const struct net_batch *batch);

/* The same in parts, for objectives that use rows in other ways too: between begin and end, the
 * tokens of a batch, and single rows with the vector that holds the gradient. */
void lookups_begin(struct lookups *l);
void lookups_add_batch(struct lookups *l, const struct net_config *c,
                       const struct net_batch *batch);
void lookups_add(struct lookups *l, size_t row, size_t vector);
void lookups_end(struct lookups *l, const struct net_config *c);

/* grad of rows [from, to): the sum of their vectors(.,C), in float until it is kept. Returns the
 * sum of squares of what is kept: not finite when a sum is too large. */
double lookups_sum(struct lookups *l, size_t from, size_t to, const struct store *vectors);

/* grad of row r: borrowed, in place or in room(C). */
static inline const real *lookups_grad(const struct lookups *l, size_t r, real *room) {
    return store_get(&l->grad, r * l->width, l->width, room);
}

static inline size_t lookups_row(const struct lookups *l, size_t r) {
    return (size_t)(l->key[l->from[r]] >> 32);
}

#endif
