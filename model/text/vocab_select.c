/* vocab_select.c - see vocab_select.h. The longest run of learned pieces whose used ones fit is
 * found by bisection: a longer run makes more of the earlier pieces useless, so they cannot be cut
 * one by one. */
#include "model/text/vocab_select.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/arena.h"
#include "model/text/vocab.h"
#include "model/text/wordpiece.h"

static const char specials[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
#define SPECIALS 5u
#define UNK      1u

struct selection {
    const struct tally *pieces;
    const struct tally *words;
    uint32_t n_chars;
    uint8_t *used; /* (pieces) 1: greedy longest match picks it somewhere, or it is a character */
    uint8_t *text; /* room for the longest vocabulary */
    size_t len;
};

/* The vocabulary of the first n pieces, the useless ones left out where used_only. */
static void render(struct selection *s, uint32_t n, bool used_only) {
    memcpy(s->text, specials, sizeof specials - 1);
    s->len = sizeof specials - 1;
    for (uint32_t i = 0; i < n; i++) {
        struct tally_item piece = tally_item(s->pieces, i);

        if (used_only && !s->used[i])
            continue;
        memcpy(s->text + s->len, piece.bytes, piece.len);
        s->text[s->len + piece.len] = '\n';
        s->len += piece.len + 1;
    }
}

static void mark_used(struct selection *s, const struct vocab *v) {
    for (uint32_t i = 0; i < tally_size(s->words); i++) {
        struct tally_item item = tally_item(s->words, i);
        struct normalize_word word = {.len = item.len};
        uint32_t ids[NORMALIZE_WORD_CHARS];
        size_t n;

        memcpy(normalize_bytes(&word), item.bytes, item.len);
        n = wordpiece_word(v, UNK, &word, ids, NORMALIZE_WORD_CHARS);
        for (size_t k = 0; k < n; k++)
            if (ids[k] >= SPECIALS)
                s->used[ids[k] - SPECIALS] = 1;
    }
}

/* Encode the words with the first n pieces; how many of those are of use. */
static diffuse_err try_first(struct selection *s, uint32_t n, uint32_t *ret_used) {
    struct arena arena;
    struct vocab *v;
    diffuse_err e;

    render(s, n, false);
    if ((e = arena_init(&arena, vocab_bytes(s->text, s->len))))
        return e;
    if (!(e = vocab_new(&arena, s->text, s->len, &v, NULL))) {
        uint32_t used = 0;

        memset(s->used, 0, tally_size(s->pieces));
        memset(s->used, 1, s->n_chars);
        mark_used(s, v);
        for (uint32_t i = 0; i < n; i++)
            used += s->used[i];
        *ret_used = used;
    }
    arena_done(&arena);
    return e;
}

/* The last try leaves its marks in used: they belong to *ret_n. */
static diffuse_err bisect(struct selection *s, uint32_t room, uint32_t *ret_n) {
    uint32_t fits = s->n_chars, n = tally_size(s->pieces), too_many = n + 1;

    for (;;) {
        uint32_t used = 0;
        diffuse_err e = try_first(s, n, &used);

        if (e)
            return e;
        if (used <= room)
            fits = n;
        else
            too_many = n;
        if (too_many - fits <= 1 && fits == n)
            break;
        n = too_many - fits <= 1 ? fits : fits + (too_many - fits) / 2;
    }
    *ret_n = fits;
    return DIFFUSE_OK;
}

diffuse_err vocab_select(const struct tally *pieces, uint32_t n_chars, const struct tally *words,
                         uint32_t size, uint8_t **ret_vocab, size_t *ret_len) {
    struct selection s = {.pieces = pieces, .words = words, .n_chars = n_chars};
    size_t room = sizeof specials;
    uint32_t n;
    diffuse_err e = DIFFUSE_NOMEM;

    for (uint32_t i = 0; i < tally_size(pieces); i++)
        room += tally_item(pieces, i).len + 1;
    s.used = malloc((size_t)tally_size(pieces) + 1);
    s.text = malloc(room);
    if (s.used && s.text && !(e = bisect(&s, size - SPECIALS, &n))) {
        render(&s, n, true);
        *ret_vocab = s.text;
        *ret_len = s.len;
        s.text = NULL;
    }
    free(s.used);
    free(s.text);
    return e;
}
