/* test_vocab.c - every piece is found, nothing else is, and bad vocabularies are refused by line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/vocab.h"
#include "proto/limits.h"

#include "cmocka.h"

static struct vocab *make(struct arena *a, const char *text) {
    size_t len = strlen(text);
    struct vocab *v = NULL;

    assert_int_equal(arena_init(a, vocab_bytes((const uint8_t *)text, len)), DIFFUSE_OK);
    assert_int_equal(vocab_new(a, (const uint8_t *)text, len, &v, NULL), DIFFUSE_OK);
    assert_int_equal(a->used, a->cap); /* vocab_bytes is exact */
    return v;
}

static void lines_are_pieces(void **state) {
    static const char *const texts[] = {"a\nbb\n##c\n", "a\nbb\n##c", "a\r\nbb\r\n##c\r\n",
                                        "a\r\nbb\n##c\r"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct arena arena;
        struct vocab *v = make(&arena, texts[i]);
        size_t len;

        assert_int_equal(v->n, 3);
        assert_int_equal(vocab_find(v, "a", 1), 0);
        assert_int_equal(vocab_find(v, "bb", 2), 1);
        assert_int_equal(vocab_find(v, "##c", 3), 2);
        assert_int_equal(vocab_find(v, "b", 1), VOCAB_NONE);
        assert_int_equal(vocab_find(v, "", 0), VOCAB_NONE);
        assert_memory_equal(vocab_piece(v, 2, &len), "##c", 3);
        assert_int_equal(len, 3);
        assert_int_equal(v->text_len, strlen(texts[i]));
        arena_done(&arena);
    }
}

static void longest_prefix_wins(void **state) {
    struct arena arena;
    struct vocab *v = make(&arena, "a\nab\nabcd\nb\n");
    size_t len = 99;

    (void)state;
    assert_int_equal(vocab_longest(v, (const uint8_t *)"abcde", 5, 1, &len), 2);
    assert_int_equal(len, 4);
    assert_int_equal(vocab_longest(v, (const uint8_t *)"abc", 3, 1, &len), 1);
    assert_int_equal(len, 2);
    assert_int_equal(vocab_longest(v, (const uint8_t *)"abc", 3, 3, &len), VOCAB_NONE);
    assert_int_equal(vocab_longest(v, (const uint8_t *)"xab", 3, 1, &len), VOCAB_NONE);
    assert_int_equal(len, 2); /* untouched by a miss */
    arena_done(&arena);
}

/* Against a plain search through the list. */
static void random_words_match_a_plain_search(void **state) {
    enum { N = 3000 };
    static char text[N * 8];
    struct arena arena;
    struct vocab *v;
    struct rng r;
    size_t used = 0;

    (void)state;
    rng_init(&r, 3, 0);
    for (unsigned i = 0; i < N; i++)
        used += (size_t)sprintf(text + used, "%x\n", i * 7);
    v = make(&arena, text);
    for (unsigned i = 0; i < 30000; i++) {
        char word[16];
        uint32_t number = rng_below(&r, 8 * N), expected = VOCAB_NONE;
        int len = sprintf(word, "%x", number);

        if (number % 7 == 0 && number / 7 < N)
            expected = number / 7;
        assert_int_equal(vocab_find(v, word, (size_t)len), expected);
    }
    arena_done(&arena);
}

static void refused(const char *text, size_t len, const char *part) {
    struct arena arena;
    struct vocab *v = NULL;
    struct reason why = {""};

    assert_int_equal(arena_init(&arena, vocab_bytes((const uint8_t *)text, len) + 64), DIFFUSE_OK);
    assert_int_equal(vocab_new(&arena, (const uint8_t *)text, len, &v, &why), DIFFUSE_CORRUPT);
    assert_null(v);
    assert_int_equal(arena.used, 0);
    if (!strstr(why.text, part))
        fail_msg("'%s' does not say '%s'", why.text, part);
    arena_done(&arena);
}

static void bad_vocabularies_are_refused(void **state) {
    char longest[LIMIT_PIECE_BYTES + 4] = "x\n";
    size_t big_len = 2 * (LIMIT_VOCAB + 1);
    char *big = malloc(big_len);

    (void)state;
    assert_non_null(big);
    refused("", 0, "empty");
    refused("a\n\nb\n", 5, "line 2: empty");
    refused("a\n\r\nb\n", 6, "line 2: empty");
    refused("a\nb\na\n", 6, "line 3: 'a' is already on line 1");
    refused("a\nb\xff\n", 5, "line 2: not UTF-8");
    memset(longest + 2, 'y', LIMIT_PIECE_BYTES + 1);
    refused(longest, LIMIT_PIECE_BYTES + 3, "line 2: 401 bytes");
    for (size_t i = 0; i < big_len; i += 2)
        memcpy(big + i, "x\n", 2);
    refused(big, big_len, "1000001 pieces");
    free(big);
}

static void a_small_arena_is_an_error(void **state) {
    const uint8_t text[] = "a\nb\nc\n";
    struct reason why;
    struct vocab *v = NULL;

    (void)state;
    for (size_t room = 64; room < vocab_bytes(text, 6); room += 64) {
        struct arena arena;

        assert_int_equal(arena_init(&arena, room), DIFFUSE_OK);
        assert_int_equal(vocab_new(&arena, text, 6, &v, &why), DIFFUSE_NOMEM);
        assert_int_equal(arena.used, 0);
        assert_null(v);
        arena_done(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_pieces),
        cmocka_unit_test(longest_prefix_wins),
        cmocka_unit_test(random_words_match_a_plain_search),
        cmocka_unit_test(bad_vocabularies_are_refused),
        cmocka_unit_test(a_small_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
