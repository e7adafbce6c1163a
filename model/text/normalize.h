/* normalize.h - text to the words that BERT-uncased looks up: its basic tokenization, one word a
 * call.
 *
 *   cleaned     U+0000, U+FFFD and control characters (Cc, Cf) vanish; \t \n \r and Zs, Zl, Zp are
 *               spaces
 *   split       at spaces, around every CJK ideograph, around every punctuation mark (ASCII that is
 *               neither letter nor digit, and the categories P*)
 *   folded      lower case, canonical decomposition, marks (Mn) dropped
 *
 * ASCII takes a table and no library call. No heap, no state but the caller's.
 */
#ifndef MODEL_TEXT_NORMALIZE_H
#define MODEL_TEXT_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/text/sigma.h"

#define NORMALIZE_WORD_CHARS 100u /* BERT: longer words are not looked up */
#define NORMALIZE_WORD_BYTES (4u * NORMALIZE_WORD_CHARS)
#define NORMALIZE_LEAD       2u /* spare bytes before a word: room to write "##" in place */

struct normalize {
    const uint8_t *text; /* valid UTF-8; borrowed */
    size_t len;
    size_t at;                  /* next byte */
    struct sigma_beyond beyond; /* when there is more text around: sigma.h */
};

struct normalize_word {
    size_t len;     /* bytes, at least 1 */
    size_t settled; /* bytes whose order of marks is final */
    uint32_t chars;
    bool too_long; /* over NORMALIZE_WORD_CHARS; the first so many are kept */
    uint8_t room[NORMALIZE_LEAD + NORMALIZE_WORD_BYTES];
};

/* What a byte is by itself. From NORMALIZE_WORD on it is a letter or digit of ASCII, and the value
 * is its lower case; NORMALIZE_BEYOND is a part of a character beyond ASCII. */
enum {
    NORMALIZE_DROP = 0,
    NORMALIZE_SPACE = 1,
    NORMALIZE_PUNCT = 2,
    NORMALIZE_BEYOND = 3,
    NORMALIZE_WORD = '0'
};
extern const uint8_t normalize_class[256];

/* The next word; false at the end of the text. */
bool normalize_next(struct normalize *n, struct normalize_word *ret_word);

/* The same with the text in pieces, whole characters each: normalize_more goes on with the word
 * that the last piece left, and false says that the word, unless its len is 0, may go on in the
 * next. normalize_clear makes room for the next word. */
void normalize_clear(struct normalize_word *w);
bool normalize_more(struct normalize *n, struct normalize_word *w);

static inline uint8_t *normalize_bytes(struct normalize_word *w) {
    return w->room + NORMALIZE_LEAD;
}

#endif
