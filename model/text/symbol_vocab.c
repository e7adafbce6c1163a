#include "model/text/symbol_vocab.h"

#include <stdlib.h>
#include <string.h>

#include "model/text/symbols.h"
#include "model/text/tally.h"
#include "model/text/utf8.h"
#include "proto/limits.h"

static const char specials[] = "[PAD]\n[UNK]\n";
#define SPECIALS 2u

struct symbol_vocab {
    struct tally *symbols;
};

diffuse_err symbol_vocab_new(struct symbol_vocab **ret_symbols) {
    struct symbol_vocab *s = calloc(1, sizeof *s);

    if (!s || tally_new(&s->symbols)) {
        free(s);
        return DIFFUSE_NOMEM;
    }
    *ret_symbols = s;
    return DIFFUSE_OK;
}

void symbol_vocab_free(struct symbol_vocab *s) {
    if (!s)
        return;
    tally_free(s->symbols);
    free(s);
}

diffuse_err symbol_vocab_add(struct symbol_vocab *s, const char *text, size_t len) {
    const uint8_t *symbol;
    size_t at = 0, symbol_len;
    diffuse_err e = DIFFUSE_OK;

    if (!utf8_valid(text, len))
        return DIFFUSE_BADTEXT;
    while (!e && symbols_next((const uint8_t *)text, len, &at, &symbol, &symbol_len))
        if (symbol_len <= LIMIT_PIECE_BYTES)
            e = tally_add(s->symbols, symbol, symbol_len, 1, NULL);
    return e;
}

static bool is_special(struct tally_item item) {
    return item.len == 5 &&
           (memcmp(item.bytes, specials, 5) == 0 || memcmp(item.bytes, specials + 6, 5) == 0);
}

static size_t render(const struct tally *symbols, const uint32_t *order, uint32_t size,
                     uint64_t min_count, uint8_t *text) {
    size_t len = sizeof specials - 1;
    uint32_t lines = SPECIALS;

    memcpy(text, specials, len);
    for (uint32_t i = 0; i < tally_size(symbols) && lines < size; i++) {
        struct tally_item item = tally_item(symbols, order[i]);

        if (is_special(item) || item.count < min_count)
            continue;
        memcpy(text + len, item.bytes, item.len);
        text[len + item.len] = '\n';
        len += item.len + 1;
        lines++;
    }
    return len;
}

diffuse_err symbol_vocab_build(const struct symbol_vocab *s, uint32_t size, uint64_t min_count,
                               uint8_t **ret_vocab, size_t *ret_len, struct reason *why) {
    uint32_t *order = NULL, n = tally_size(s->symbols);
    size_t room = sizeof specials;
    uint8_t *text;

    if (size <= SPECIALS || size > LIMIT_VOCAB)
        return reason_set(why, DIFFUSE_INVAL, "vocabulary of %u symbols; expected %u to %u", size,
                          SPECIALS + 1, LIMIT_VOCAB);
    if (n == 0)
        return reason_set(why, DIFFUSE_EMPTY, "no symbols to make a vocabulary from");
    for (uint32_t i = 0; i < n; i++)
        room += tally_item(s->symbols, i).len + 1;
    text = malloc(room);
    if (!text || tally_order(s->symbols, &order)) {
        free(text);
        return reason_set(why, DIFFUSE_NOMEM, "no room for a vocabulary of %u symbols", n);
    }
    *ret_len = render(s->symbols, order, size, min_count, text);
    *ret_vocab = text;
    free(order);
    return DIFFUSE_OK;
}
