/* vocab.h - the pieces of a vocabulary and their ids: line i of a vocab.txt is piece i.
 *
 * Built once inside an arena, immutable afterwards, read by any number of threads. Lookups allocate
 * nothing.
 */
#ifndef MODEL_TEXT_VOCAB_H
#define MODEL_TEXT_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define VOCAB_NONE UINT32_MAX /* no such piece */

struct vocab_piece {
    uint32_t start; /* byte of the text */
    uint32_t len;
};

/* Most pieces are no longer than a block, and found without a look at the text. */
struct vocab_slot {
    uint64_t head; /* first block of the piece: word64.h */
    uint32_t id;   /* VOCAB_NONE: free */
    uint32_t len;  /* bytes of the piece */
};

struct vocab {
    const uint8_t *text; /* as given, copied */
    size_t text_len;
    const struct vocab_piece *pieces; /* (n) */
    const struct vocab_slot *slots;   /* (mask + 1), at most half of them taken */
    uint32_t n;
    uint32_t mask;
    uint32_t shift;   /* of a hash, to the slot that it begins at */
    uint32_t max_len; /* bytes of the longest piece */
};

/* Arena bytes that vocab_new takes for a text. */
size_t vocab_bytes(const uint8_t *text, size_t len);

/* text is copied into the arena. A last line may lack its newline; CR at line ends is dropped.
 * Errors: CORRUPT (no piece, duplicate, empty line, not UTF-8, piece over LIMIT_PIECE_BYTES, more
 * than LIMIT_VOCAB; the reason names the line), NOMEM (arena full). */
DIFFUSE_MUST_CHECK diffuse_err vocab_new(struct arena *arena, const uint8_t *text, size_t len,
                                         struct vocab **ret_vocab, struct reason *why);

/* Id of the piece, or VOCAB_NONE. */
uint32_t vocab_find(const struct vocab *v, const void *piece, size_t len);

/* The same for a piece of len bytes, 1..8, that are all in the block. */
uint32_t vocab_find_short(const struct vocab *v, uint64_t block, size_t len);

/* Id of the longest piece of at least min_len bytes that bytes begins with, and its length; or
 * VOCAB_NONE. len is at most LIMIT_PIECE_BYTES. */
uint32_t vocab_longest(const struct vocab *v, const uint8_t *bytes, size_t len, size_t min_len,
                       size_t *ret_len);

/* Bytes of piece id < n, not NUL-terminated, borrowed from v. */
const uint8_t *vocab_piece(const struct vocab *v, uint32_t id, size_t *ret_len);

#endif
