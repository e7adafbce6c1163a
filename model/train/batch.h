/* batch.h - rows laid end to end for one forward and backward pass: a piece of a training batch.
 *
 * Words are left out at random, anew each time (word dropout by omission). Memory: one piece.
 */
#ifndef MODEL_TRAIN_BATCH_H
#define MODEL_TRAIN_BATCH_H

#include <stdbool.h>

#include "model/base/arena.h"
#include "model/base/rng.h"
#include "model/net/net.h"
#include "model/train/rows/rows.h"

struct batch {
    struct net_batch net; /* what was laid */
    uint32_t *truth;      /* (sequences) label of each */
    uint32_t *ids, *start;
    size_t max_tokens, max_seqs;
};

/* Arena bytes of batch_init: whatever the piece's tokens, and for each token. */
size_t batch_bytes(size_t max_seqs);
size_t batch_bytes_each(void);

/* Room for pieces of max_tokens and max_seqs. NOMEM: arena full. */
DIFFUSE_MUST_CHECK diffuse_err batch_init(struct batch *b, struct arena *arena, size_t max_tokens,
                                          size_t max_seqs);

/* Lay rows pick[0], pick[1], ... of at most n, as many as fit; *ret_taken, at least one as long as
 * max_tokens holds the longest row. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err batch_lay(struct batch *b, const struct rows *rows,
                                         const size_t *pick, size_t n, double word_dropout,
                                         struct rng *rng, size_t *ret_taken, struct reason *why);

/* The same from memory: begin, then row by row. They must fit. */
void batch_begin(struct batch *b);
void batch_lay_row(struct batch *b, const uint32_t *ids, uint32_t length, uint32_t label,
                   double word_dropout, struct rng *rng);

#endif
