/* test_wordpiece_train.c - what is learned can be spelled with, is the same each time, and bears
 * out the counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/tokenize.h"
#include "model/text/wordpiece_train.h"
#include "proto/limits.h"

#include "cmocka.h"

enum { WORDS = 400, TEXTS = 3000, TEXT_BYTES = 256 };

/* A made-up language: words of syllables, used as often as Zipf says. */
struct corpus {
    char words[WORDS][32];
    char texts[TEXTS][TEXT_BYTES];
};

static struct corpus *make_corpus(uint64_t seed) {
    static const char *const syllables[] = {"ro",
                                            "bot",
                                            "ka",
                                            "li",
                                            "sen",
                                            "sor",
                                            "tem",
                                            "per",
                                            "mu",
                                            ("\xc3\xb1"
                                             "a"),
                                            "xi",
                                            "wo"};
    struct corpus *c = calloc(1, sizeof *c);
    struct rng r;

    assert_non_null(c);
    rng_init(&r, seed, 0);
    for (unsigned i = 0; i < WORDS; i++)
        for (unsigned k = 0; k < 1 + i % 4; k++)
            strcat(c->words[i], syllables[rng_below(&r, 12)]);
    for (unsigned i = 0; i < TEXTS; i++)
        while (strlen(c->texts[i]) < TEXT_BYTES - 80) {
            double u = rng_unit(&r);

            strcat(c->texts[i], c->words[(unsigned)(u * u * u * WORDS)]);
            strcat(c->texts[i], rng_below(&r, 8) ? " " : ", ");
        }
    return c;
}

static uint8_t *train(const struct corpus *c, uint32_t size, bool backwards, size_t *ret_len) {
    struct wordpiece_train *t = NULL;
    uint8_t *vocab = NULL;

    assert_int_equal(wordpiece_train_new(&t), DIFFUSE_OK);
    for (unsigned i = 0; i < TEXTS; i++) {
        const char *text = c->texts[backwards ? TEXTS - 1 - i : i];

        assert_int_equal(wordpiece_train_add(t, text, strlen(text)), DIFFUSE_OK);
    }
    assert_int_equal(wordpiece_train_build(t, size, 2, &vocab, ret_len, NULL), DIFFUSE_OK);
    wordpiece_train_free(t);
    return vocab;
}

static struct tokenizer *load(struct arena *arena, const uint8_t *vocab, size_t len) {
    struct tokenizer *t = NULL;

    assert_int_equal(arena_init(arena, tokenizer_bytes(TOKENIZER_WORDPIECE, vocab, len)),
                     DIFFUSE_OK);
    assert_int_equal(tokenizer_new(arena, TOKENIZER_WORDPIECE, vocab, len, &t, NULL), DIFFUSE_OK);
    return t;
}

static void same_corpus_same_bytes(void **state) {
    struct corpus *c = make_corpus(1);
    size_t len, again_len;
    uint8_t *vocab = train(c, 400, false, &len), *again = train(c, 400, true, &again_len);

    (void)state;
    assert_int_equal(len, again_len);
    assert_memory_equal(vocab, again, len);
    free(vocab);
    free(again);
    free(c);
}

/* Pieces of a word, without ##, put together again give the word. */
static void words_are_spelled_back(void **state) {
    struct corpus *c = make_corpus(2);
    struct arena arena;
    size_t len;
    uint8_t *vocab = train(c, 300, false, &len);
    struct tokenizer *t = load(&arena, vocab, len);

    (void)state;
    assert_int_equal(tokenizer_vocab_size(t), 300);
    for (unsigned i = 0; i < WORDS; i++) {
        char spelled[128] = "", *bare = c->words[i];
        uint32_t ids[64];
        size_t n;
        bool truncated;

        assert_int_equal(tokenizer_encode(t, bare, strlen(bare), ids, 64, &n, &truncated),
                         DIFFUSE_OK);
        for (size_t k = 0; k < n; k++) {
            size_t piece_len;
            const uint8_t *piece = tokenizer_piece(t, ids[k], &piece_len);
            size_t lead = k ? 2 : 0;

            assert_true(ids[k] != tokenizer_unk(t));
            assert_true(lead == 0 || memcmp(piece, "##", 2) == 0);
            strncat(spelled, (const char *)piece + lead, piece_len - lead);
        }
        for (char *s; (s = strstr(bare, "\xc3\xb1")); memmove(s + 1, s + 2, strlen(s + 2) + 1))
            *s = 'n'; /* as accents are stripped */
        assert_string_equal(spelled, bare);
    }
    arena_done(&arena);
    free(vocab);
    free(c);
}

static void common_words_become_one_piece(void **state) {
    struct corpus *c = make_corpus(3);
    struct arena arena;
    size_t len;
    uint8_t *vocab = train(c, 600, false, &len);
    struct tokenizer *t = load(&arena, vocab, len);

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        uint32_t ids[64];
        size_t n;
        bool truncated;

        assert_int_equal(
            tokenizer_encode(t, c->words[i], strlen(c->words[i]), ids, 64, &n, &truncated),
            DIFFUSE_OK);
        assert_int_equal(n, 1);
    }
    arena_done(&arena);
    free(vocab);
    free(c);
}

/* Every joined piece is picked somewhere in the corpus it was learned from. */
static void no_piece_is_useless(void **state) {
    struct corpus *c = make_corpus(4);
    struct arena arena;
    size_t len;
    uint8_t *vocab = train(c, 320, false, &len);
    struct tokenizer *t = load(&arena, vocab, len);
    bool used[320] = {false};

    (void)state;
    for (unsigned i = 0; i < TEXTS; i++) {
        uint32_t ids[TEXT_BYTES];
        size_t n;
        bool truncated;

        assert_int_equal(
            tokenizer_encode(t, c->texts[i], strlen(c->texts[i]), ids, TEXT_BYTES, &n, &truncated),
            DIFFUSE_OK);
        for (size_t k = 0; k < n; k++)
            used[ids[k]] = true;
    }
    for (uint32_t id = 5; id < tokenizer_vocab_size(t); id++) {
        size_t piece_len;
        const uint8_t *piece = tokenizer_piece(t, id, &piece_len);
        bool single = piece_len == 1 || (piece_len == 3 && memcmp(piece, "##", 2) == 0);

        if (!single && !used[id])
            fail_msg("'%.*s' is never used", (int)piece_len, (const char *)piece);
    }
    arena_done(&arena);
    free(vocab);
    free(c);
}

/* Any ASCII text can be spelled, though the corpus never showed its letters. */
static void ascii_is_never_unknown(void **state) {
    struct wordpiece_train *t = NULL;
    struct arena arena;
    uint8_t *vocab;
    size_t len;
    struct tokenizer *tok;

    (void)state;
    assert_int_equal(wordpiece_train_new(&t), DIFFUSE_OK);
    assert_int_equal(wordpiece_train_add(t, "aaa aaa", 7), DIFFUSE_OK);
    assert_int_equal(wordpiece_train_build(t, WORDPIECE_TRAIN_MIN, 0, &vocab, &len, NULL),
                     DIFFUSE_OK);
    tok = load(&arena, vocab, len);
    for (char a = '!'; a <= '~'; a++)
        for (char b = '!'; b <= '~'; b++) {
            const char text[2] = {a, b};
            uint32_t ids[4];
            size_t n;
            bool truncated;

            assert_int_equal(tokenizer_encode(tok, text, 2, ids, 4, &n, &truncated), DIFFUSE_OK);
            for (size_t k = 0; k < n; k++)
                assert_true(ids[k] != tokenizer_unk(tok));
        }
    arena_done(&arena);
    free(vocab);
    wordpiece_train_free(t);
}

static void what_cannot_be_is_refused(void **state) {
    struct wordpiece_train *t = NULL;
    struct reason why = {""};
    uint8_t *vocab = NULL;
    size_t len;

    (void)state;
    assert_int_equal(wordpiece_train_new(&t), DIFFUSE_OK);
    assert_int_equal(wordpiece_train_build(t, 1000, 2, &vocab, &len, &why), DIFFUSE_EMPTY);
    assert_int_equal(wordpiece_train_add(t, "ok \xff", 4), DIFFUSE_BADTEXT);
    assert_int_equal(wordpiece_train_build(t, 1000, 2, &vocab, &len, &why), DIFFUSE_EMPTY);
    assert_int_equal(wordpiece_train_add(t, "ok", 2), DIFFUSE_OK);
    assert_int_equal(wordpiece_train_build(t, 255, 2, &vocab, &len, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "expected 256 to"));
    assert_int_equal(wordpiece_train_build(t, LIMIT_VOCAB + 1, 2, &vocab, &len, &why),
                     DIFFUSE_INVAL);
    assert_null(vocab);
    wordpiece_train_free(t);
    wordpiece_train_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_corpus_same_bytes),
        cmocka_unit_test(words_are_spelled_back),
        cmocka_unit_test(common_words_become_one_piece),
        cmocka_unit_test(no_piece_is_useless),
        cmocka_unit_test(ascii_is_never_unknown),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
