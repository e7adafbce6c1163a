/* merge.h - byte-pair learning (Gage, 1994; Sennrich et al., 2016): join the commonest pair of
 * neighbouring symbols, again and again.
 *
 * Counts are kept as words change, and a pair remembers the words it was seen in, so that a merge
 * costs only the words that hold it. Pairs of equal count go in order of their symbols: the same
 * words in the same order give the same merges.
 * Memory: some 50 bytes a symbol of the words at the start.
 */
#ifndef MODEL_TEXT_MERGE_H
#define MODEL_TEXT_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

struct merge_word {
    uint32_t start; /* first symbol */
    uint32_t len;   /* symbols left */
    uint64_t count; /* times in the corpus */
};

struct merge_words {
    struct merge_word *words; /* (n) */
    uint32_t n;
    uint32_t *symbols; /* of all words, one after the other; rewritten in place */
};

/* Name the symbol that left and right become: *ret_symbol may be one that exists already. *ret_more
 * false: stop instead. An error stops, too. */
typedef diffuse_err merge_join(void *user, uint32_t left, uint32_t right, uint32_t *ret_symbol,
                               bool *ret_more);

/* Merge until join says stop or no pair is left that occurs min_count times. Errors: NOMEM, join's.
 */
DIFFUSE_MUST_CHECK diffuse_err merge_run(struct merge_words *words, uint64_t min_count,
                                         merge_join *join, void *user);

#endif
