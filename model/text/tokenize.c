#include <string.h>

#include "model/text/normalize.h"
#include "model/text/symbols.h"
#include "model/text/tokenize_part.h"
#include "model/text/utf8.h"
#include "model/text/wordpiece.h"

#define UNK        "[UNK]"
#define BYTE_VOCAB 256u

static const char *const kind_names[] = {
    [TOKENIZER_WORDPIECE] = "wordpiece", [TOKENIZER_SYMBOL] = "symbol", [TOKENIZER_BYTE] = "byte"};
#define KINDS (sizeof kind_names / sizeof kind_names[0])

const char *tokenizer_kind_name(enum tokenizer_kind kind) {
    return (size_t)kind < KINDS ? kind_names[kind] : "unknown";
}

diffuse_err tokenizer_kind_parse(const char *name, enum tokenizer_kind *ret_kind) {
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *ret_kind = (enum tokenizer_kind)i;
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}

size_t tokenizer_bytes(enum tokenizer_kind kind, const uint8_t *vocab, size_t vocab_len) {
    size_t bytes = arena_block(sizeof(struct tokenizer));

    return kind == TOKENIZER_BYTE ? bytes : bytes + vocab_bytes(vocab, vocab_len);
}

static diffuse_err load_vocab(struct tokenizer *t, struct arena *arena, const uint8_t *text,
                              size_t len, struct reason *why) {
    diffuse_err e = vocab_new(arena, text, len, &t->vocab, why);

    if (e)
        return e;
    t->unk = vocab_find(t->vocab, UNK, strlen(UNK));
    if (t->unk == VOCAB_NONE)
        return reason_set(why, DIFFUSE_CORRUPT, "the vocabulary has no piece " UNK "; add it");
    return DIFFUSE_OK;
}

diffuse_err tokenizer_new(struct arena *arena, enum tokenizer_kind kind, const uint8_t *vocab,
                          size_t vocab_len, struct tokenizer **ret_tokenizer, struct reason *why) {
    size_t mark = arena_mark(arena);
    struct tokenizer *t = arena_alloc(arena, sizeof *t);
    diffuse_err e = DIFFUSE_OK;

    if (!t)
        return reason_set(why, DIFFUSE_NOMEM, "no room for a tokenizer");
    *t = (struct tokenizer){.kind = kind, .unk = UINT32_MAX};
    if (kind != TOKENIZER_BYTE && (e = load_vocab(t, arena, vocab, vocab_len, why))) {
        arena_rewind(arena, mark);
        return e;
    }
    *ret_tokenizer = t;
    return DIFFUSE_OK;
}

enum tokenizer_kind tokenizer_kind_of(const struct tokenizer *t) {
    return t->kind;
}

uint32_t tokenizer_vocab_size(const struct tokenizer *t) {
    return t->vocab ? t->vocab->n : BYTE_VOCAB;
}

uint32_t tokenizer_unk(const struct tokenizer *t) {
    return t->unk;
}

const uint8_t *tokenizer_piece(const struct tokenizer *t, uint32_t id, size_t *ret_len) {
    if (!t->vocab || id >= t->vocab->n)
        return NULL;
    return vocab_piece(t->vocab, id, ret_len);
}

const uint8_t *tokenizer_vocab(const struct tokenizer *t, size_t *ret_len) {
    *ret_len = t->vocab ? t->vocab->text_len : 0;
    return t->vocab ? t->vocab->text : NULL;
}

/* The encoders return how many tokens there are, as far as needed to know that cap is not enough.
 */

static size_t encode_words(const struct tokenizer *t, const uint8_t *text, size_t len,
                           uint32_t *ids, size_t cap) {
    struct normalize n = {.text = text, .len = len};
    struct normalize_word word;
    size_t got = 0;

    for (;;) {
        got += wordpiece_plain(t->vocab, t->unk, text, len, &n.at, ids + got, cap - got);
        if (got > cap || !normalize_next(&n, &word))
            return got;
        got += wordpiece_word(t->vocab, t->unk, &word, ids + got, cap - got);
        if (got > cap)
            return got;
    }
}

static size_t encode_symbols(const struct tokenizer *t, const uint8_t *text, size_t len,
                             uint32_t *ids, size_t cap) {
    const uint8_t *symbol;
    size_t got = 0, at = 0, symbol_len;

    while (got <= cap && symbols_next(text, len, &at, &symbol, &symbol_len)) {
        uint32_t id = vocab_find(t->vocab, symbol, symbol_len);

        if (got < cap)
            ids[got] = id == VOCAB_NONE ? t->unk : id;
        got++;
    }
    return got;
}

static size_t encode_bytes(const uint8_t *text, size_t len, uint32_t *ids, size_t cap) {
    for (size_t i = 0; i < len && i < cap; i++)
        ids[i] = text[i];
    return len;
}

diffuse_err tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, uint32_t *ids,
                             size_t cap, size_t *ret_n, bool *ret_truncated) {
    const uint8_t *bytes = (const uint8_t *)text;
    size_t got = 0;

    if (t->kind != TOKENIZER_BYTE && !utf8_valid(bytes, len))
        return DIFFUSE_BADTEXT;
    switch (t->kind) {
    case TOKENIZER_WORDPIECE:
        got = encode_words(t, bytes, len, ids, cap);
        break;
    case TOKENIZER_SYMBOL:
        got = encode_symbols(t, bytes, len, ids, cap);
        break;
    case TOKENIZER_BYTE:
        got = encode_bytes(bytes, len, ids, cap);
        break;
    }
    if (got == 0)
        return DIFFUSE_EMPTY;
    *ret_n = got < cap ? got : cap;
    *ret_truncated = got > cap;
    return DIFFUSE_OK;
}
