/* test_tokenize_stream.c - pieces of text give the ids of the whole, at every prefix, by any cuts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/tokenize_stream.h"

#include "cmocka.h"

#define GOLDEN "tests/unit/golden/tokenize.txt"
#define BYTES  4096
#define IDS    (BYTES + TOKENIZE_STREAM_TAIL)

/* The two small sigmas differ, and so do a letter and its pieces. */
static const char words[] =
    "[UNK]\na\nb\n##a\n##b\n##ab\n\xcf\x83\n\xcf\x82\n##\xcf\x83\n##\xcf\x82\n"
    "\xce\xb1\n##\xce\xb1\n'\n.\n:\n\xe4\xb8\xad\n\xe2\x80\x99\ne\n##e\n";
static const char symbols[] = "[UNK]\na\nab\n\xce\xb1\nb\n";

/* What a cut may hurt. */
static const char *const nasty[] = {
    "a",
    "b",
    "ab",
    " ",
    "e",
    "E",
    "\n",
    "\xce\xa3",         /* capital sigma */
    "\xce\xa3",         /* more often than others */
    "\xce\xb1",         /* alpha */
    "'",                /* looked over by a sigma, a word of its own */
    ".",                /* the same */
    "!",                /* not looked over */
    "\xcc\x81",         /* acute, combining */
    "\xcd\x85",         /* iota below, combining */
    "\xe2\x83\x9d",     /* enclosing circle: Me, kept */
    "\xe0\xa7\xbe",     /* Mn */
    "\xf0\x9d\x85\xad", /* Mc with a combining class */
    "\xe1\x84\x80",     /* Hangul lead */
    "\xea\xb0\x81",     /* Hangul syllable: three of them */
    "\xe4\xb8\xad",     /* ideograph */
    "\xf0\x9f\x98\x80", /* emoji */
    "\xe2\x80\x8d",     /* joiner: dropped */
    "\xef\xbf\xbd",     /* dropped */
    "\xc2\xa0",         /* space */
    "\xe2\x80\x99",     /* apostrophe beyond ASCII */
    "\xc4\xb0",         /* capital i with a dot */
    "\xc3\xa9",         /* e with acute */
    "\x01",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''",
    "\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
};
enum { NASTY = sizeof nasty / sizeof *nasty };

static struct arena arena;

static const struct tokenizer *make(enum tokenizer_kind kind, const char *vocab) {
    const uint8_t *text = (const uint8_t *)vocab;
    size_t len = vocab ? strlen(vocab) : 0;
    struct tokenizer *t = NULL;

    arena_done(&arena);
    assert_int_equal(arena_init(&arena, tokenizer_bytes(kind, text, len)), DIFFUSE_OK);
    assert_int_equal(tokenizer_new(&arena, kind, text, len, &t, NULL), DIFFUSE_OK);
    return t;
}

/* A stream and what it gave so far. */
struct run {
    const struct tokenizer *t;
    struct tokenize_stream s;
    uint32_t ids[IDS];
    size_t n;
};

static void feed(struct run *r, const char *text, size_t len) {
    size_t got;
    uint32_t *ids = malloc((len + TOKENIZE_STREAM_TAIL) * sizeof *ids); /* ends are watched */
    char *copy = malloc(len + 1);

    assert_true(ids && copy);
    memcpy(copy, text, len);
    assert_int_equal(tokenize_stream_check(r->t, &r->s, copy, len), DIFFUSE_OK);
    assert_int_equal(
        tokenize_stream_feed(r->t, &r->s, copy, len, ids, len + TOKENIZE_STREAM_TAIL, &got),
        DIFFUSE_OK);
    assert_true(r->n + got <= IDS);
    memcpy(r->ids + r->n, ids, got * sizeof *ids);
    r->n += got;
    free(ids);
    free(copy);
}

/* What came and what would come are the ids of the text's whole characters. */
static void same_as_whole(const struct run *r, const char *text, size_t len) {
    static uint32_t whole[IDS], got[IDS + TOKENIZE_STREAM_TAIL];
    size_t n = 0, n_got;
    bool truncated = false, bytes = tokenizer_kind_of(r->t) == TOKENIZER_BYTE;
    size_t end = bytes ? len : utf8_span(text, len);
    diffuse_err e = tokenizer_encode(r->t, text, end, whole, IDS, &n, &truncated);

    assert_true(e == DIFFUSE_OK || e == DIFFUSE_EMPTY);
    assert_int_equal(tokenize_stream_torn(&r->s), end < len);
    memcpy(got, r->ids, r->n * sizeof *got);
    n_got = r->n + tokenize_stream_tail(r->t, &r->s, got + r->n);
    if (n_got != n || memcmp(got, whole, n * sizeof *got) != 0)
        fail_msg("%zu bytes of \"%.*s\": %zu ids, whole %zu, or another id", len, (int)len, text,
                 n_got, n);
}

static void byte_by_byte(const struct tokenizer *t, const char *text, size_t len) {
    static struct run r;

    r = (struct run){.t = t};
    for (size_t i = 0; i < len; i++) {
        feed(&r, text + i, 1);
        same_as_whole(&r, text, i + 1);
    }
}

static void cut_at(const struct tokenizer *t, const char *text, size_t len, size_t at) {
    static struct run r;

    r = (struct run){.t = t};
    feed(&r, text, at);
    same_as_whole(&r, text, at);
    feed(&r, text + at, len - at);
    same_as_whole(&r, text, len);
}

static void random_cuts(const struct tokenizer *t, const char *text, size_t len, struct rng *rng) {
    static struct run r;
    uint32_t most = 1 + rng_below(rng, 40);

    r = (struct run){.t = t};
    for (size_t at = 0, n; at < len; at += n) {
        n = rng_below(rng, most + 1);
        n = n < len - at ? n : len - at;
        feed(&r, text + at, n);
        same_as_whole(&r, text, at + n);
    }
}

static size_t random_text(struct rng *rng, char *text, size_t pieces) {
    size_t len = 0;
    uint32_t from = rng_below(rng, NASTY - 3), some = 3 + rng_below(rng, NASTY - from - 2);

    for (size_t i = 0; i < pieces; i++) {
        const char *piece = nasty[rng_below(rng, 4) ? from + rng_below(rng, some) : 7];

        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

static void nasty_texts(enum tokenizer_kind kind, const char *vocab) {
    const struct tokenizer *t = make(kind, vocab);
    struct rng rng;

    rng_init(&rng, 11, (uint64_t)kind);
    for (int i = 0; i < 1000; i++) {
        char text[40 * 64];
        size_t len = random_text(&rng, text, 1 + rng_below(&rng, i % 10 ? 12 : 40));

        random_cuts(t, text, len, &rng);
        if (i % 4 == 0 && len < 400) {
            byte_by_byte(t, text, len);
            for (size_t at = 0; at <= len; at++)
                cut_at(t, text, len, at);
        }
    }
}

static void words_in_any_pieces(void **state) {
    (void)state;
    nasty_texts(TOKENIZER_WORDPIECE, words);
}

static void symbols_in_any_pieces(void **state) {
    (void)state;
    nasty_texts(TOKENIZER_SYMBOL, symbols);
}

static void bytes_in_any_pieces(void **state) {
    (void)state;
    nasty_texts(TOKENIZER_BYTE, NULL);
}

static void golden_texts(void **state) {
    static char line[65536], text[32768];
    const struct tokenizer *t = make(TOKENIZER_WORDPIECE, words);
    FILE *f = fopen(GOLDEN, "r");
    unsigned lines = 0;

    (void)state;
    assert_non_null(f);
    for (; fgets(line, sizeof line, f); lines++) {
        size_t len = 0;
        unsigned value;

        while (line[2 * len] > ' ' && sscanf(line + 2 * len, "%2x", &value) == 1)
            text[len++] = (char)value;
        if (len < 500)
            byte_by_byte(t, text, len);
        for (size_t at = 0; at <= len && at < 200; at++)
            cut_at(t, text, len, at);
    }
    fclose(f);
    assert_true(lines > 300);
}

/* Runs without an end: nothing waits for longer than it must, and what comes is what the whole text
 * gives. */
static void endless_runs(void **state) {
    static const char *const runs[] = {
        "a", "'", ".", "\xcc\x81", "\xe2\x80\x8d", "\xce\xa3", " ", "\xe4\xb8\xad", "\xe2\x80\x99"};
    static const char *const starts[] = {"", "a\xce\xa3", "\xce\xa3", "a"};
    static char text[BYTES];
    static struct run r;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const struct tokenizer *t =
            k ? make(TOKENIZER_SYMBOL, symbols) : make(TOKENIZER_WORDPIECE, words);

        for (size_t i = 0; i < sizeof runs / sizeof *runs * 4; i++) {
            const char *run = runs[i / 4];
            size_t len = strlen(starts[i % 4]), each = strlen(run);

            memcpy(text, starts[i % 4], len);
            r = (struct run){.t = t};
            feed(&r, text, len);
            for (size_t times = 1; len + each < 1200; times++) {
                memcpy(text + len, run, each);
                feed(&r, text + len, each);
                len += each;
                if (times < 150 || times % 50 == 0)
                    same_as_whole(&r, text, len);
            }
            memcpy(text + len, "a b", 3);
            feed(&r, text + len, 3);
            same_as_whole(&r, text, len + 3);
        }
    }
}

/* As many characters after a sigma count in pieces as in the whole. */
static void sigma_looks_as_far(void **state) {
    const struct tokenizer *t = make(TOKENIZER_WORDPIECE, words);
    uint32_t before = 0;

    (void)state;
    for (size_t between = 0; between < SIGMA_REACH + 4; between++) {
        char text[SIGMA_REACH + 16] = "a\xce\xa3";
        uint32_t ids[SIGMA_REACH + 16];
        size_t len = 3 + between, n;
        bool truncated;

        memset(text + 3, '\'', between);
        text[len++] = 'a';
        for (size_t at = 0; at <= len; at++)
            cut_at(t, text, len, at);
        assert_int_equal(
            tokenizer_encode(t, text, len, ids, sizeof ids / sizeof *ids, &n, &truncated),
            DIFFUSE_OK);
        assert_true(between == 0 || (ids[1] == before) == (between != SIGMA_REACH));
        before = ids[1];
    }
}

/* No character gives more ids than it has bytes, which is what the room for a piece counts on. */
static void ids_fit_the_bytes(void **state) {
    (void)state;
    for (uint32_t code = 1; code < 0x110000; code++) {
        struct normalize_word w;
        uint8_t text[UTF8_MAX];
        size_t len = utf8_put(code, text);
        struct normalize n = {.text = text, .len = len};

        if (!utf8_valid(text, len))
            continue; /* a surrogate */
        if (normalize_next(&n, &w))
            assert_true(w.chars <= len && n.at == len);
        assert_false(normalize_next(&n, &w));
    }
}

static void bad_text_changes_nothing(void **state) {
    static const char *const good[] = {"", "a", "a\xce", "a\xf0\x9f", "\xce\xa3'", "b\xe1"};
    static const char *const bad[] = {"\xff",
                                      "\x80",
                                      "\xc0\x80",
                                      "\xed\xa0\x80",
                                      "\xe0\x80",
                                      "\xf4\x90",
                                      "\xf0\x80",
                                      "b\xcf\xcf",
                                      "\xed\xa0",
                                      "ab\xf5",
                                      "a\xc1",
                                      "\xe1\x80\x80\xfe",
                                      "\xce\xb1\xe2\x28\xa1",
                                      "\xf8"};
    const struct tokenizer *t = make(TOKENIZER_WORDPIECE, words);
    static struct run r;
    unsigned tried = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            struct tokenize_stream before;
            uint32_t ids[64 + TOKENIZE_STREAM_TAIL];
            char both[32];
            size_t n = 77, len, span;

            (void)snprintf(both, sizeof both, "%s%s", good[i], bad[k]);
            len = strlen(both);
            span = utf8_span(both, len);
            if (span == len || utf8_begins((const uint8_t *)both + span, len - span))
                continue; /* together they are fine */
            tried++;
            r = (struct run){.t = t};
            feed(&r, good[i], strlen(good[i]));
            before = r.s;
            assert_int_equal(tokenize_stream_check(t, &r.s, bad[k], strlen(bad[k])),
                             DIFFUSE_BADTEXT);
            assert_int_equal(tokenize_stream_feed(t, &r.s, bad[k], strlen(bad[k]), ids,
                                                  64 + TOKENIZE_STREAM_TAIL, &n),
                             DIFFUSE_BADTEXT);
            assert_memory_equal(&before, &r.s, sizeof before);
            assert_int_equal(n, 77);
        }
    assert_true(tried > 60);
}

static void small_room_is_refused(void **state) {
    const struct tokenizer *t = make(TOKENIZER_WORDPIECE, words);
    struct tokenize_stream s = {0}, none = {0};
    uint32_t ids[TOKENIZE_STREAM_TAIL + 3];
    size_t n = 77;

    (void)state;
    for (size_t cap = 0; cap < TOKENIZE_STREAM_TAIL + 3; cap += cap < TOKENIZE_STREAM_TAIL ? 51 : 1)
        assert_int_equal(tokenize_stream_feed(t, &s, "abc", 3, ids, cap, &n), DIFFUSE_TOOBIG);
    assert_memory_equal(&s, &none, sizeof s);
    assert_int_equal(tokenize_stream_feed(t, &s, "abc", 3, ids, TOKENIZE_STREAM_TAIL + 3, &n),
                     DIFFUSE_OK);
    assert_int_equal(n, 0);
}

static int done(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_in_any_pieces),   cmocka_unit_test(symbols_in_any_pieces),
        cmocka_unit_test(bytes_in_any_pieces),   cmocka_unit_test(golden_texts),
        cmocka_unit_test(endless_runs),          cmocka_unit_test(sigma_looks_as_far),
        cmocka_unit_test(ids_fit_the_bytes),     cmocka_unit_test(bad_text_changes_nothing),
        cmocka_unit_test(small_room_is_refused),
    };

    return cmocka_run_group_tests_name("tokenize_stream", tests, NULL, done);
}
