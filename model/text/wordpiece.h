/* wordpiece.h - a word to pieces: greedy longest match, "##" before all but the first. */
#ifndef MODEL_TEXT_WORDPIECE_H
#define MODEL_TEXT_WORDPIECE_H

#include "model/text/normalize.h"
#include "model/text/vocab.h"

/* Pieces of the word: the first cap of them into ids. Returns how many there are, 1..100, which may
 * be more than cap. A word that is too long or that does not match to its end is one unk.
 * Overwrites the word. */
size_t wordpiece_word(const struct vocab *v, uint32_t unk, struct normalize_word *word,
                      uint32_t *ids, size_t cap);

/* The words of text from *at on, as long as they are of ASCII and the text goes on after them for a
 * block or more: as normalize_next and wordpiece_word give them, several times as fast. *at is
 * where it goes on with those two: at the end of a word, or where no word has begun. Stops when
 * there are more pieces than cap. Returns how many there are. */
size_t wordpiece_plain(const struct vocab *v, uint32_t unk, const uint8_t *text, size_t len,
                       size_t *at, uint32_t *ids, size_t cap);

#endif
