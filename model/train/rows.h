/* rows.h - a data set as token ids in memory: what training and evaluation walk over. */
#ifndef MODEL_TRAIN_ROWS_H
#define MODEL_TRAIN_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "model/text/tokenize.h"
#include "proto/diffuse_err.h"

struct rows {
    uint32_t *ids;   /* (tokens) sequence r is ids[start[r]] .. ids[start[r+1]-1] */
    uint64_t *start; /* (n+1) */
    uint32_t *label; /* (n) */
    size_t n;
    size_t longest;     /* tokens of the longest row */
    uint64_t truncated; /* rows that were cut at max_length */
    uint64_t skipped;   /* rows without a single token, left out */
    size_t rows_cap, ids_cap;
};

/* Start empty; {0} is empty too. */
void rows_done(struct rows *r);

/* Tokenize text, cut at max_length tokens, and append it. A text without tokens is counted in
 * skipped and is no error. Errors: NOMEM, BADTEXT. */
DIFFUSE_MUST_CHECK diffuse_err rows_add(struct rows *r, const struct tokenizer *t, const char *text,
                                        size_t len, uint32_t label, size_t max_length);

/* Set aside share of the rows, chosen by seed: *ret_rest and *ret_aside own copies. Errors: NOMEM.
 */
DIFFUSE_MUST_CHECK diffuse_err rows_split(const struct rows *r, double share, uint64_t seed,
                                          struct rows *ret_rest, struct rows *ret_aside);

static inline size_t rows_length(const struct rows *r, size_t i) {
    return (size_t)(r->start[i + 1] - r->start[i]);
}

#endif
