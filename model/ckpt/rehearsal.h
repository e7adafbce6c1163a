/* rehearsal.h - a sample of the training rows that is kept in the checkpoint, so that a model that
 * learns on does not forget (experience replay).
 *
 * In the file: the U8 tensor `rehearsal.rows`, a line a row: the label's id and the token ids,
 * decimal, apart by spaces. In memory: two bytes a token where the vocabulary allows, else four.
 * Reading goes in two steps, so that sizes are known before the arena is: scan, then new.
 */
#ifndef MODEL_CKPT_REHEARSAL_H
#define MODEL_CKPT_REHEARSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define REHEARSAL_ROWS_MAX  65536u
#define REHEARSAL_BYTES_MAX (16u * 1024 * 1024) /* of text; read whole before it is checked */

struct rehearsal {
    uint32_t rows;
    uint32_t longest;      /* tokens of the longest */
    const uint32_t *start; /* (rows+1) row r is the ids start[r] .. start[r+1]-1 */
    const uint32_t *label; /* (rows) */
    const void *ids;       /* (start[rows]) uint16_t or uint32_t */
    bool wide;             /* uint32_t */
};

struct rehearsal_size {
    uint32_t rows, ids, longest;
};

/* Check every byte of a text, and count. Errors: CORRUPT (why: the line, what was expected). */
DIFFUSE_MUST_CHECK diffuse_err rehearsal_scan(const void *text, size_t len, uint32_t vocab,
                                              uint32_t labels, struct rehearsal_size *ret_size,
                                              struct reason *why);

/* Arena bytes of rehearsal_new. */
size_t rehearsal_bytes(const struct rehearsal_size *size, uint32_t vocab);

/* From a text that was scanned, with what the scan gave. NOMEM: arena full. */
DIFFUSE_MUST_CHECK diffuse_err rehearsal_new(struct arena *arena, const void *text, size_t len,
                                             uint32_t vocab, const struct rehearsal_size *size,
                                             const struct rehearsal **ret_rehearsal);

/* The text of h, which rehearsal_scan takes if h's ids and labels are in range; the caller frees.
 * Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err rehearsal_print(const struct rehearsal *h, char **ret_text,
                                               size_t *ret_len);

/* Token i of row r. */
static inline uint32_t rehearsal_id(const struct rehearsal *h, uint32_t r, uint32_t i) {
    size_t at = (size_t)h->start[r] + i;
    return h->wide ? ((const uint32_t *)h->ids)[at] : ((const uint16_t *)h->ids)[at];
}

#endif
