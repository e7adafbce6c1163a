/* vocab_select.h - which of the learned pieces go into a vocabulary.
 *
 * Joining leaves stepping stones behind: pieces that greedy longest match never picks, because a
 * longer one is there in every word. They are left out, and the next learned pieces take their
 * room.
 */
#ifndef MODEL_TEXT_VOCAB_SELECT_H
#define MODEL_TEXT_VOCAB_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "model/text/tally.h"
#include "proto/diffuse_err.h"

/* vocab.txt of at most size lines: the specials, the first n_chars pieces, and of the others, in
 * order, those that words (normalised) make use of. The caller frees *ret_vocab. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err vocab_select(const struct tally *pieces, uint32_t n_chars,
                                            const struct tally *words, uint32_t size,
                                            uint8_t **ret_vocab, size_t *ret_len);

#endif
