/* lookups.h - which rows of the tables a batch looked up, and the gradient of each.
 *
 * Row numbers run through both tables: [0, vocab) the embedding, from vocab on the hashed n-grams.
 * The list is sorted, so the sums do not depend on the number of threads.
 */
#ifndef MODEL_TRAIN_LOOKUPS_H
#define MODEL_TRAIN_LOOKUPS_H

#include <stddef.h>
#include <stdint.h>

#include "model/net/net.h"

struct lookups {
    uint64_t *key;    /* (cap) row << 32 | token, sorted */
    uint64_t *other;  /* (cap) the sort's second half */
    size_t *from;     /* (rows+1) row r of the batch is key[from[r]] .. key[from[r+1]-1] */
    real *grad;       /* (rows,C) */
    size_t rows, cap; /* distinct rows; tokens * order that fit */
    size_t width;
};

/* Room for batches of max_tokens. NOMEM leaves nothing behind. */
DIFFUSE_MUST_CHECK diffuse_err lookups_init(struct lookups *l, const struct net_config *c,
                                            size_t max_tokens);
void lookups_done(struct lookups *l); /* fine with a zeroed one */

/* List the rows of a batch. */
void lookups_find(struct lookups *l, const struct net_config *c, const struct net_batch *batch);

/* grad of rows [from, to): the sum of dh(N,C) over the tokens. Returns the sum of their squares. */
double lookups_sum(struct lookups *l, size_t from, size_t to, const real *dh);

static inline size_t lookups_row(const struct lookups *l, size_t r) {
    return (size_t)(l->key[l->from[r]] >> 32);
}

#endif
