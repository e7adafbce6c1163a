#include "model/text/tokenize_stream.h"

#include <string.h>

#include "model/text/symbols.h"
#include "model/text/tokenize_part.h"
#include "model/text/wordpiece.h"

/* Where ids go. */
struct out {
    uint32_t *ids;
    size_t n, cap;
};

/* Text of whole characters, after one that began in an earlier piece. */
typedef void feeder(const struct tokenizer *t, struct tokenize_stream *s, const uint8_t *text,
                    size_t len, struct out *out);

/* --- words --------------------------------------------------------------- */

/* n ids were found, as many of them written as there was room for. */
static void count_ids(struct out *out, size_t n) {
    size_t room = out->cap - out->n;

    out->n += n < room ? n : room;
}

static void put_word(const struct tokenizer *t, struct normalize_word *w, struct out *out) {
    count_ids(out, wordpiece_word(t->vocab, t->unk, w, out->ids + out->n, out->cap - out->n));
    normalize_clear(w);
}

static void put_words(const struct tokenizer *t, struct tokenize_stream *s, const uint8_t *text,
                      size_t len, bool cased_after, struct out *out) {
    struct normalize n = {text, len, 0, {s->of.words.cased, cased_after}};
    bool more;

    do {
        if (s->of.words.word.len == 0)
            count_ids(out, wordpiece_plain(t->vocab, t->unk, text, len, &n.at, out->ids + out->n,
                                           out->cap - out->n));
        more = normalize_more(&n, &s->of.words.word);
        if (more)
            put_word(t, &s->of.words.word, out);
    } while (more);
    s->of.words.cased = sigma_cased(text, len, s->of.words.cased);
}

static void feed_words(const struct tokenizer *t, struct tokenize_stream *s, const uint8_t *text,
                       size_t len, struct out *out) {
    uint32_t seen = s->of.words.seen;
    size_t waits;

    if (s->of.words.wait_len > 0) {
        enum sigma_answer answer = sigma_look(text, len, &seen);

        if (answer == SIGMA_OPEN) {
            memcpy(s->of.words.wait + s->of.words.wait_len, text, len);
            s->of.words.wait_len += len;
            s->of.words.seen = seen;
            return;
        }
        put_words(t, s, s->of.words.wait, s->of.words.wait_len, answer == SIGMA_INSIDE, out);
        s->of.words.wait_len = 0;
    }
    waits = sigma_waits(text, len, &s->of.words.seen);
    put_words(t, s, text, waits, waits < len, out); /* the sigma that waits is a cased letter */
    s->of.words.wait_len = len - waits;
    memcpy(s->of.words.wait, text + waits, len - waits);
}

static void end_words(const struct tokenizer *t, struct tokenize_stream *s, struct out *out) {
    put_words(t, s, s->of.words.wait, s->of.words.wait_len, false, out);
    if (s->of.words.word.len > 0)
        put_word(t, &s->of.words.word, out);
}

/* --- symbols ------------------------------------------------------------- */

static void put_id(uint32_t id, struct out *out) {
    if (out->n < out->cap)
        out->ids[out->n++] = id;
}

static void end_symbol(const struct tokenizer *t, struct tokenize_stream *s, struct out *out) {
    size_t len = s->of.symbol.len;
    uint32_t id = VOCAB_NONE;

    if (len == 0)
        return;
    if (len <= LIMIT_PIECE_BYTES)
        id = vocab_find(t->vocab, s->of.symbol.bytes, len);
    put_id(id == VOCAB_NONE ? t->unk : id, out);
    s->of.symbol.len = 0;
}

static void feed_symbols(const struct tokenizer *t, struct tokenize_stream *s, const uint8_t *text,
                         size_t len, struct out *out) {
    for (size_t i = 0; i < len; i++) {
        if (symbols_is_space(text[i]))
            end_symbol(t, s, out);
        else if (s->of.symbol.len < LIMIT_PIECE_BYTES)
            s->of.symbol.bytes[s->of.symbol.len++] = text[i];
        else
            s->of.symbol.len = LIMIT_PIECE_BYTES + 1;
    }
}

/* --- characters ---------------------------------------------------------- */

/* How a piece divides into characters. */
struct cut {
    uint8_t first[UTF8_MAX]; /* the character that began earlier */
    size_t first_len;        /* 0: none did, or it is not finished yet */
    size_t from, to;         /* whole characters of the piece; from `to` on it is unfinished */
};

static diffuse_err cut_piece(const struct tokenize_stream *s, const uint8_t *text, size_t len,
                             struct cut *ret_cut) {
    struct cut *c = ret_cut;

    *c = (struct cut){0};
    if (s->part_len > 0) {
        size_t whole = utf8_length(s->part[0]), got = s->part_len;

        memcpy(c->first, s->part, got);
        while (got < whole && c->from < len)
            c->first[got++] = text[c->from++];
        if (got < whole) {
            c->to = 0; /* all of the piece is inside one character */
            return utf8_begins(c->first, got) ? DIFFUSE_OK : DIFFUSE_BADTEXT;
        }
        if (!utf8_valid(c->first, whole))
            return DIFFUSE_BADTEXT;
        c->first_len = whole;
    }
    c->to = c->from + utf8_span(text + c->from, len - c->from);
    return c->to == len || utf8_begins(text + c->to, len - c->to) ? DIFFUSE_OK : DIFFUSE_BADTEXT;
}

static void feed_characters(const struct tokenizer *t, struct tokenize_stream *s,
                            const uint8_t *text, size_t len, const struct cut *c, feeder *feed,
                            struct out *out) {
    if (c->first_len > 0) {
        feed(t, s, c->first, c->first_len, out);
        s->part_len = 0;
    }
    if (c->to > c->from)
        feed(t, s, text + c->from, c->to - c->from, out);
    for (size_t i = c->to; i < len; i++)
        s->part[s->part_len++] = text[i];
}

/* --- all kinds ----------------------------------------------------------- */

diffuse_err tokenize_stream_check(const struct tokenizer *t, const struct tokenize_stream *s,
                                  const char *text, size_t len) {
    struct cut c;

    return t->kind == TOKENIZER_BYTE ? DIFFUSE_OK : cut_piece(s, (const uint8_t *)text, len, &c);
}

diffuse_err tokenize_stream_feed(const struct tokenizer *t, struct tokenize_stream *s,
                                 const char *text, size_t len, uint32_t *ids, size_t cap,
                                 size_t *ret_n) {
    const uint8_t *bytes = (const uint8_t *)text;
    struct out out = {ids, 0, cap};
    struct cut c;

    if (cap < TOKENIZE_STREAM_TAIL || cap - TOKENIZE_STREAM_TAIL < len)
        return DIFFUSE_TOOBIG;
    if (t->kind != TOKENIZER_BYTE && cut_piece(s, bytes, len, &c))
        return DIFFUSE_BADTEXT;
    switch (t->kind) {
    case TOKENIZER_WORDPIECE:
        feed_characters(t, s, bytes, len, &c, feed_words, &out);
        break;
    case TOKENIZER_SYMBOL:
        feed_characters(t, s, bytes, len, &c, feed_symbols, &out);
        break;
    case TOKENIZER_BYTE:
        for (size_t i = 0; i < len; i++)
            put_id(bytes[i], &out);
        break;
    }
    *ret_n = out.n;
    return DIFFUSE_OK;
}

size_t tokenize_stream_tail(const struct tokenizer *t, const struct tokenize_stream *s,
                            uint32_t ret_ids[TOKENIZE_STREAM_TAIL]) {
    struct tokenize_stream end = *s;
    struct out out = {ret_ids, 0, TOKENIZE_STREAM_TAIL};

    switch (t->kind) {
    case TOKENIZER_WORDPIECE:
        end_words(t, &end, &out);
        break;
    case TOKENIZER_SYMBOL:
        end_symbol(t, &end, &out);
        break;
    case TOKENIZER_BYTE:
        break;
    }
    return out.n;
}

bool tokenize_stream_torn(const struct tokenize_stream *s) {
    return s->part_len > 0;
}
