/* tokenize.h - text to token ids, by the rules that a checkpoint names.
 *
 * wordpiece  BERT-uncased: clean, lower-case, strip accents, split at spaces, punctuation and CJK,
 *            then greedy longest match with "##" pieces (Wu et al., 2016); a word of over 100
 *            characters or without a match is [UNK]. No [CLS] or [SEP] is added.
 * symbol     split at ASCII white space, each symbol looked up whole; unknown ones are [UNK]
 * byte       one token a byte, id = byte value; needs no vocabulary
 *
 * A tokenizer is immutable once made and may be used by any number of threads. It lives in the
 * arena that it was made in; there is nothing to free.
 */
#ifndef MODEL_TEXT_TOKENIZE_H
#define MODEL_TEXT_TOKENIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

enum tokenizer_kind { TOKENIZER_WORDPIECE, TOKENIZER_SYMBOL, TOKENIZER_BYTE };

struct tokenizer;

/* "wordpiece", "symbol", "byte". tokenizer_kind_parse: NOTFOUND for any other name. */
const char *tokenizer_kind_name(enum tokenizer_kind kind);
DIFFUSE_MUST_CHECK diffuse_err tokenizer_kind_parse(const char *name,
                                                    enum tokenizer_kind *ret_kind);

/* Arena bytes that tokenizer_new takes for a vocabulary text (one piece a line, as vocab.txt). */
size_t tokenizer_bytes(enum tokenizer_kind kind, const uint8_t *vocab, size_t vocab_len);

/* vocab is copied into the arena. Line i (from 0) is piece i; a last line may lack its newline; CR
 * at line ends is dropped. Refused (CORRUPT, with a reason naming the line): duplicate piece, empty
 * line, piece over LIMIT_PIECE_BYTES, more than LIMIT_VOCAB, no [UNK] (wordpiece, symbol). NOMEM:
 * arena full. */
DIFFUSE_MUST_CHECK diffuse_err tokenizer_new(struct arena *arena, enum tokenizer_kind kind,
                                             const uint8_t *vocab, size_t vocab_len,
                                             struct tokenizer **ret_tokenizer, struct reason *why);

enum tokenizer_kind tokenizer_kind_of(const struct tokenizer *t);
uint32_t tokenizer_vocab_size(const struct tokenizer *t);
uint32_t tokenizer_unk(const struct tokenizer *t); /* id of [UNK]; UINT32_MAX for byte */

/* Piece id as bytes (not NUL-terminated), borrowed from the tokenizer; NULL when out of range or
 * byte. */
const uint8_t *tokenizer_piece(const struct tokenizer *t, uint32_t id, size_t *ret_len);

/* The vocabulary text as given, for writing into a checkpoint. NULL and 0 for byte. */
const uint8_t *tokenizer_vocab(const struct tokenizer *t, size_t *ret_len);

/* Up to cap ids of text into ids. *ret_truncated: the text held more. Allocates nothing, reads
 * nothing past len. Errors: BADTEXT (not UTF-8; never for byte), EMPTY (no token came out). */
DIFFUSE_MUST_CHECK diffuse_err tokenizer_encode(const struct tokenizer *t, const char *text,
                                                size_t len, uint32_t *ids, size_t cap,
                                                size_t *ret_n, bool *ret_truncated);

#endif
