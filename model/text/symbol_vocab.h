/* symbol_vocab.h - a vocabulary for the symbol tokenizer: the distinct symbols of a corpus.
 *
 * Order: [PAD] [UNK], then falling count, equal counts in byte order. Memory as tally.h bounds it.
 * Threads: one thread at a time.
 */
#ifndef MODEL_TEXT_SYMBOL_VOCAB_H
#define MODEL_TEXT_SYMBOL_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct symbol_vocab;

/* Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err symbol_vocab_new(struct symbol_vocab **ret_symbols);
void symbol_vocab_free(struct symbol_vocab *s); /* fine with NULL */

/* Count the symbols of a text; those over LIMIT_PIECE_BYTES are passed over. Errors: BADTEXT (not
 * UTF-8; nothing is counted), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err symbol_vocab_add(struct symbol_vocab *s, const char *text,
                                                size_t len);

/* The vocabulary as vocab.txt: at most size lines, symbols seen min_count times or more. The caller
 * frees *ret_vocab. Errors: INVAL (size outside 3..LIMIT_VOCAB), EMPTY (no symbols), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err symbol_vocab_build(const struct symbol_vocab *s, uint32_t size,
                                                  uint64_t min_count, uint8_t **ret_vocab,
                                                  size_t *ret_len, struct reason *why);

#endif
