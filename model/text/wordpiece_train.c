#include "model/text/wordpiece_train.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/text/merge.h"
#include "model/text/normalize.h"
#include "model/text/tally.h"
#include "model/text/utf8.h"
#include "model/text/vocab_select.h"
#include "proto/limits.h"

struct wordpiece_train {
    struct tally *words;
};

diffuse_err wordpiece_train_new(struct wordpiece_train **ret_train) {
    struct wordpiece_train *t = calloc(1, sizeof *t);

    if (!t || tally_new(&t->words)) {
        free(t);
        return DIFFUSE_NOMEM;
    }
    *ret_train = t;
    return DIFFUSE_OK;
}

void wordpiece_train_free(struct wordpiece_train *t) {
    if (!t)
        return;
    tally_free(t->words);
    free(t);
}

diffuse_err wordpiece_train_add(struct wordpiece_train *t, const char *text, size_t len) {
    struct normalize n = {.text = (const uint8_t *)text, .len = len};
    struct normalize_word w;
    diffuse_err e = DIFFUSE_OK;

    if (!utf8_valid(text, len))
        return DIFFUSE_BADTEXT;
    while (!e && normalize_next(&n, &w))
        if (!w.too_long)
            e = tally_add(t->words, normalize_bytes(&w), w.len, 1, NULL);
    return e;
}

/* A vocabulary in the making: piece i of the tally is symbol i of the words. */
struct build {
    const struct tally *words;
    struct tally *pieces; /* characters, then joined pieces, in order of birth */
    uint32_t n_chars;     /* pieces that are single characters */
    uint32_t most;        /* pieces to learn at most */
    struct merge_words merge;
};

/* The piece that a character is at the start of a word or inside it; returns its bytes. */
static size_t char_piece(const uint8_t *bytes, size_t len, bool inside,
                         uint8_t ret_piece[UTF8_MAX + 2]) {
    size_t lead = inside ? 2 : 0;

    memcpy(ret_piece, "##", 2);
    memcpy(ret_piece + lead, bytes, len);
    return lead + len;
}

/* Letters, digits and punctuation of ASCII come first, whatever the corpus. */
static diffuse_err add_ascii(struct build *b) {
    diffuse_err e = DIFFUSE_OK;

    for (uint8_t c = '!'; !e && c <= '~'; c++) {
        const uint8_t inside[3] = {'#', '#', c};

        if (c >= 'A' && c <= 'Z')
            continue;
        e = tally_add(b->pieces, &c, 1, 0, NULL);
        if (!e && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')))
            e = tally_add(b->pieces, inside, 3, 0, NULL);
    }
    return e;
}

static diffuse_err count_chars(const struct tally *words, struct tally *chars) {
    diffuse_err e = DIFFUSE_OK;

    for (uint32_t i = 0; !e && i < tally_size(words); i++) {
        struct tally_item word = tally_item(words, i);

        for (size_t at = 0, start = 0; !e && at < word.len; start = at) {
            uint8_t piece[UTF8_MAX + 2];
            size_t len;

            (void)utf8_step(word.bytes, word.len, &at);
            len = char_piece(word.bytes + start, at - start, start > 0, piece);
            e = tally_add(chars, piece, len, word.count, NULL);
        }
    }
    return e;
}

/* The commonest characters of the corpus, as long as half the vocabulary is left for joined pieces.
 */
static diffuse_err add_chars(struct build *b, uint32_t room) {
    struct tally *chars = NULL;
    uint32_t *order = NULL;
    diffuse_err e = tally_new(&chars);

    if (!e && !(e = count_chars(b->words, chars)) && !(e = tally_order(chars, &order)))
        for (uint32_t i = 0; !e && i < tally_size(chars) && tally_size(b->pieces) < room; i++) {
            struct tally_item c = tally_item(chars, order[i]);

            e = tally_add(b->pieces, c.bytes, c.len, 0, NULL);
        }
    b->n_chars = tally_size(b->pieces);
    free(order);
    tally_free(chars);
    return e;
}

/* The word as symbols; false when it holds a character that is no piece. */
static bool spell(const struct build *b, struct tally_item word, uint32_t *symbols,
                  uint32_t *ret_len) {
    uint32_t n = 0;

    for (size_t at = 0, start = 0; at < word.len; start = at) {
        uint8_t piece[UTF8_MAX + 2];
        size_t len;

        (void)utf8_step(word.bytes, word.len, &at);
        len = char_piece(word.bytes + start, at - start, start > 0, piece);
        symbols[n] = tally_find(b->pieces, piece, len);
        if (symbols[n++] == TALLY_NONE)
            return false;
    }
    *ret_len = n;
    return true;
}

static diffuse_err spell_words(struct build *b) {
    uint32_t n = tally_size(b->words), used = 0, *order = NULL;
    size_t room = 0;
    diffuse_err e = tally_order(b->words, &order);

    if (e)
        return e;
    for (uint32_t i = 0; i < n; i++)
        room += tally_item(b->words, i).len;
    b->merge.words = calloc(n, sizeof *b->merge.words);
    b->merge.symbols = calloc(room, sizeof *b->merge.symbols);
    if (!b->merge.words || !b->merge.symbols) {
        free(order);
        return DIFFUSE_NOMEM;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct tally_item word = tally_item(b->words, order[i]);
        struct merge_word *w = &b->merge.words[b->merge.n];

        if (!spell(b, word, b->merge.symbols + used, &w->len))
            continue;
        w->start = used;
        w->count = word.count;
        used += w->len;
        b->merge.n++;
    }
    free(order);
    return DIFFUSE_OK;
}

static diffuse_err join(void *user, uint32_t left, uint32_t right, uint32_t *ret_symbol,
                        bool *ret_more) {
    struct build *b = user;
    struct tally_item l = tally_item(b->pieces, left), r = tally_item(b->pieces, right);
    uint8_t piece[LIMIT_PIECE_BYTES];

    assert(r.len > 2 && l.len + r.len - 2 <= sizeof piece); /* a word's length and no more */
    *ret_more = tally_size(b->pieces) < b->most && !tally_is_full(b->pieces);
    if (!*ret_more)
        return DIFFUSE_OK;
    memcpy(piece, l.bytes, l.len);
    memcpy(piece + l.len, r.bytes + 2, r.len - 2); /* without its "##" */
    return tally_add(b->pieces, piece, l.len + r.len - 2, 0, ret_symbol);
}

static diffuse_err learn(struct build *b, uint32_t size, uint64_t min_count) {
    diffuse_err e;

    b->most = size + size / 2; /* some will turn out to be of no use */
    if ((e = tally_new(&b->pieces)) || (e = add_ascii(b)) || (e = add_chars(b, size / 2)) ||
        (e = spell_words(b)))
        return e;
    return merge_run(&b->merge, min_count, join, b);
}

diffuse_err wordpiece_train_build(const struct wordpiece_train *t, uint32_t size,
                                  uint64_t min_count, uint8_t **ret_vocab, size_t *ret_len,
                                  struct reason *why) {
    struct build b = {.words = t->words};
    diffuse_err e;

    if (size < WORDPIECE_TRAIN_MIN || size > LIMIT_VOCAB)
        return reason_set(why, DIFFUSE_INVAL, "vocabulary of %u pieces; expected %u to %u", size,
                          WORDPIECE_TRAIN_MIN, LIMIT_VOCAB);
    if (tally_size(t->words) == 0)
        return reason_set(why, DIFFUSE_EMPTY, "no words to learn a vocabulary from");
    e = learn(&b, size, min_count);
    free(b.merge.words);
    free(b.merge.symbols);
    if (!e)
        e = vocab_select(b.pieces, b.n_chars, b.words, size, ret_vocab, ret_len);
    tally_free(b.pieces);
    return e ? reason_set(why, e, "building a vocabulary: %s", diffuse_strerror(e)) : DIFFUSE_OK;
}
