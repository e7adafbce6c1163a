/* walk.h - a text, token by token, to the features of the wide part.
 *
 * A word is a piece with the "##" pieces after it; a symbol; one byte. Features are words, rows of
 * neighbouring words, and rows of letters within a word, whose two ends count as letters. Each is
 * known by a key of 64 bits, which depends on token ids and the text of their pieces alone: the
 * lowest bit says whether it is of letters. Keys are constant over releases; they are not for
 * vocabularies that an opponent chooses.
 *
 * Bytes have no words: their features are rows of bytes, of letters_from to letters_to.
 *
 * What is remembered of a text has a fixed size, so texts may come in any pieces. Threads: a walk
 * is constant; a place and keys belong to one thread.
 */
#ifndef MODEL_WIDE_WALK_H
#define MODEL_WIDE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/text/tokenize.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define WALK_WORDS   3u   /* longest row of words */
#define WALK_LETTERS 8u   /* longest row of letters */
#define WALK_KEYS    256u /* handed over at once */
#define WALK_PIECES  8u   /* of a word that walk_word knows */

struct walk_form {
    uint32_t words;        /* rows of 1..words words; 0: none */
    uint32_t letters_from; /* rows of so many letters, to ... */
    uint32_t letters_to;   /* ... so many; 0: none */
};

/* Borrows the tokenizer. */
struct walk {
    struct walk_form form;
    const struct tokenizer *tokenizer;
};

/* Where a text stands. All zero: at its start. */
struct walk_place {
    uint64_t word;                     /* the one that is not complete, so far; 0: none */
    uint64_t last[WALK_WORDS - 1];     /* words before it, the latest first; 0: none */
    uint32_t letter[WALK_LETTERS - 1]; /* of the word, the latest first */
    uint32_t letters;                  /* how many of them are there */
};

/* Keys on their way to whoever takes them, in the order of the text. */
struct walk_keys {
    void (*take)(void *user, const uint64_t *key, size_t n);
    void *user;
    size_t n;
    uint64_t key[WALK_KEYS];
};

static inline bool walk_of_letters(uint64_t key) {
    return key & 1;
}

/* What is in range and fits the kind of tokenizer? Errors: INVAL, naming field and range. */
DIFFUSE_MUST_CHECK diffuse_err walk_form_check(const struct walk_form *f, struct reason *why);

/* What measures best for the kind of tokenizer: words 1 to 2 and letters 2 to 5; of bytes 1 to 6.
 */
struct walk_form walk_form_default(enum tokenizer_kind kind);

/* The next n tokens, each below the size of the vocabulary. Keys may stay behind in keys. */
void walk_tokens(const struct walk *w, struct walk_place *p, const uint32_t *ids, size_t n,
                 struct walk_keys *keys);

/* The text ends here, or is to be judged as if it did: the last word is complete; all keys are
 * handed over. */
void walk_end(const struct walk *w, struct walk_place *p, struct walk_keys *keys);

/* Tokens of the word that begins with ids[0], where it is complete: another follows within n, or
 * the text ends after them. 0: it is not, or has more than WALK_PIECES; ids[0] goes on with the
 * word before; there are no words. */
size_t walk_word(const struct walk *w, const struct walk_place *p, const uint32_t *ids, size_t n,
                 bool end);

/* Such a word as walk_tokens, but for its own features: those that any place has of it, a text's
 * start for one. */
void walk_pass(const struct walk *w, struct walk_place *p, const uint32_t *ids, size_t n,
               struct walk_keys *keys);

/* Hand over what is there. */
void walk_flush(struct walk_keys *keys);

#endif
