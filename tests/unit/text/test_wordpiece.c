/* test_wordpiece.c - the fast way through ASCII gives what a plain reading of the rules gives: a
 * word at a time by normalize_next, its pieces by a search through the whole list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/tokenize.h"
#include "model/text/vocab.h"
#include "model/text/word64.h"
#include "model/text/wordpiece.h"

#include "cmocka.h"

enum { PIECES = 400, BYTES = 4096, IDS = BYTES };

static struct arena arena;
static char vocab_text[PIECES * 32];

/* Letters of a small alphabet, so that words and their beginnings are often pieces. */
static size_t random_word(struct rng *r, char *word, uint32_t most) {
    size_t len = 1 + rng_below(r, most);

    for (size_t i = 0; i < len; i++)
        word[i] = "abc1"[rng_below(r, 4)];
    return len;
}

static size_t random_vocab(struct rng *r) {
    static const char start[] = "[UNK]\n.\n#\n##1\n##a\nb\n\xc3\xa9\n";
    size_t used = sizeof start - 1;

    memcpy(vocab_text, start, used);
    for (unsigned i = 0; i < PIECES; i++) {
        char piece[64] = "##";
        size_t lead = rng_below(r, 2) ? 2 : 0,
               len = lead + random_word(r, piece + lead, i % 8 ? 6 : 20);

        piece[len++] = '\n';
        vocab_text[used] = '\0';
        char *twin = NULL;
        for (char *at = vocab_text; !twin && (at = strchr(at, '\n')); at++)
            twin = strncmp(at + 1, piece, len) == 0 ? at : NULL;
        if (!twin)
            memcpy(vocab_text + used, piece, len), used += len;
    }
    return used;
}

static size_t random_text(struct rng *r, char *text) {
    static const char *const glue[] = {
        " ",    " ",        "  ",           ".",        ",",
        "\n",   "\x01",     "\xc3\xa9",     "\xcc\x81", "\xe4\xb8\xad",
        "\x7f", "\xc2\xa0", "\xe2\x80\x99", "@",        "`[{"};
    size_t used = 0, words = 1 + rng_below(r, 30);

    for (size_t i = 0; i < words; i++) {
        uint32_t kind = rng_below(r, 40);
        size_t from = used;

        used += random_word(r, text + used, kind == 0 ? 120 : kind < 8 ? 20 : 8);
        for (size_t k = from; k < used; k++)
            if (text[k] >= 'a' && rng_below(r, 3) == 0)
                text[k] = (char)(text[k] - 'a' + 'A');
        if (rng_below(r, 60) == 0) {
            memset(text + used, 'a', 99); /* as long as words get, and longer */
            used += 96 + rng_below(r, 8);
            memset(text + used - 8, 'b', 8);
        }
        for (uint32_t n = rng_below(r, 3); n > 0; n--) {
            const char *some = glue[rng_below(r, rng_below(r, 4) ? 5 : sizeof glue / sizeof *glue)];

            memcpy(text + used, some, strlen(some));
            used += strlen(some);
        }
    }
    return used;
}

static uint32_t plain_longest(const struct tokenizer *t, const uint8_t *bytes, size_t len,
                              bool inside, size_t *ret_len) {
    uint32_t best = VOCAB_NONE;

    *ret_len = 0;
    for (uint32_t id = 0; id < tokenizer_vocab_size(t); id++) {
        size_t piece_len;
        const uint8_t *piece = tokenizer_piece(t, id, &piece_len);

        if (inside && (piece_len < 3 || memcmp(piece, "##", 2) != 0))
            continue;
        piece += inside ? 2 : 0;
        piece_len -= inside ? 2 : 0;
        if (piece_len > *ret_len && piece_len <= len && memcmp(piece, bytes, piece_len) == 0) {
            best = id;
            *ret_len = piece_len;
        }
    }
    return best;
}

static size_t plain_word(const struct tokenizer *t, struct normalize_word *w, uint32_t *ids) {
    const uint8_t *bytes = normalize_bytes(w);
    size_t n = 0;

    ids[0] = tokenizer_unk(t);
    if (w->too_long)
        return 1;
    for (size_t at = 0, len; at < w->len; at += len) {
        ids[n] = plain_longest(t, bytes + at, w->len - at, at > 0, &len);
        if (ids[n++] == VOCAB_NONE) {
            ids[0] = tokenizer_unk(t);
            return 1;
        }
    }
    return n;
}

static size_t plain_text(const struct tokenizer *t, const char *text, size_t len, uint32_t *ids) {
    struct normalize n = {.text = (const uint8_t *)text, .len = len};
    struct normalize_word w;
    size_t got = 0;

    while (normalize_next(&n, &w))
        got += plain_word(t, &w, ids + got);
    return got;
}

static void fast_is_plain(void **state) {
    static char text[BYTES];
    static uint32_t ids[IDS], expected[IDS];
    struct rng r;
    size_t split = 0;

    (void)state;
    rng_init(&r, 17, 0);
    for (unsigned i = 0; i < 4000; i++) {
        static struct tokenizer *t;
        bool truncated;
        size_t len = random_text(&r, text), n = 0, n_expected;
        char *copy = malloc(len);

        if (i % 400 == 0) {
            size_t used = random_vocab(&r);
            const uint8_t *vocab = (const uint8_t *)vocab_text;

            arena_done(&arena);
            assert_int_equal(arena_init(&arena, tokenizer_bytes(TOKENIZER_WORDPIECE, vocab, used)),
                             DIFFUSE_OK);
            assert_int_equal(tokenizer_new(&arena, TOKENIZER_WORDPIECE, vocab, used, &t, NULL),
                             DIFFUSE_OK);
        }
        assert_non_null(copy); /* its end is watched by the sanitizer */
        memcpy(copy, text, len);
        n_expected = plain_text(t, text, len, expected);
        assert_int_equal(tokenizer_encode(t, copy, len, ids, IDS, &n, &truncated),
                         n_expected ? DIFFUSE_OK : DIFFUSE_EMPTY);
        if (n != n_expected || memcmp(ids, expected, n * sizeof *ids) != 0)
            fail_msg("text %u, \"%.*s\": %zu ids, expected %zu, or another id", i, (int)len, text,
                     n, n_expected);
        split += n;
        free(copy);
    }
    assert_true(split > 100000); /* the texts are no string of [UNK] */
    arena_done(&arena);
}

/* Every byte in every place of a block, beside every other kind of byte. */
static void a_block_is_its_bytes(void **state) {
    (void)state;
    for (unsigned i = 0; i < 256 * 256; i++) {
        uint8_t bytes[WORD64_BYTES];
        uint64_t lower, letters, expected = 0;
        size_t run = 0;

        for (unsigned k = 0; k < WORD64_BYTES; k++)
            bytes[k] = (uint8_t)(k % 2 ? i >> 8 : i);
        letters = word64_letters(word64_whole(bytes), &lower);
        for (unsigned k = 0; k < WORD64_BYTES; k++)
            if (normalize_class[bytes[k]] >= NORMALIZE_WORD)
                expected |= (uint64_t)0x80 << 8 * k;
        while (run < WORD64_BYTES && normalize_class[bytes[run]] >= NORMALIZE_WORD) {
            assert_int_equal((uint8_t)(lower >> 8 * run), normalize_class[bytes[run]]);
            run++;
        }
        assert_int_equal(letters, expected);
        assert_int_equal(word64_run(letters), run);
        for (size_t n = 1; n <= WORD64_BYTES; n++)
            assert_int_equal(word64_load(bytes, n), word64_first(word64_whole(bytes), n));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_is_plain),
        cmocka_unit_test(a_block_is_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
