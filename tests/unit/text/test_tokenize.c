/* test_tokenize.c - ids against the golden file; cuts, refusals and the other kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/tokenize.h"
#include "model/text/utf8.h"

#include "cmocka.h"

#define GOLDEN       "tests/unit/golden/tokenize.txt"
#define GOLDEN_VOCAB "tests/unit/golden/tokenize_vocab.txt"
#define IDS          4096

static struct arena arena;

static struct tokenizer *make(enum tokenizer_kind kind, const void *vocab, size_t len) {
    struct tokenizer *t = NULL;

    arena_done(&arena);
    assert_int_equal(arena_init(&arena, tokenizer_bytes(kind, vocab, len)), DIFFUSE_OK);
    assert_int_equal(tokenizer_new(&arena, kind, vocab, len, &t, NULL), DIFFUSE_OK);
    assert_int_equal(arena.used, arena.cap);
    return t;
}

static struct tokenizer *golden_tokenizer(void) {
    static uint8_t vocab[1 << 16];
    FILE *f = fopen(GOLDEN_VOCAB, "rb");
    size_t len;

    assert_non_null(f);
    len = fread(vocab, 1, sizeof vocab, f);
    fclose(f);
    return make(TOKENIZER_WORDPIECE, vocab, len);
}

static size_t unhex(const char *hex, char *bytes) {
    size_t n = 0;
    unsigned value;

    while (hex[2 * n] > ' ' && sscanf(hex + 2 * n, "%2x", &value) == 1)
        bytes[n++] = (char)value;
    return n;
}

static size_t read_ids(const char *list, uint32_t *ids) {
    size_t n = 0;
    char *end;

    for (; *list && *list != '\n'; list = end + (*end == ' '))
        ids[n++] = (uint32_t)strtoul(list, &end, 10);
    return n;
}

/* Calls check(t, text, len, ids, n) for each golden text. */
typedef void golden_check(const struct tokenizer *t, const char *text, size_t len,
                          const uint32_t *ids, size_t n);
static void each_golden(golden_check *check) {
    static char line[65536], text[32768];
    static uint32_t ids[IDS];
    struct tokenizer *t = golden_tokenizer();
    FILE *f = fopen(GOLDEN, "r");
    unsigned lines = 0;

    assert_non_null(f);
    for (; fgets(line, sizeof line, f); lines++) {
        size_t len = unhex(line, text);

        check(t, text, len, ids, read_ids(strrchr(line, '\t') + 1, ids));
    }
    fclose(f);
    assert_true(lines > 300);
}

static void same_ids(const struct tokenizer *t, const char *text, size_t len, const uint32_t *ids,
                     size_t n) {
    uint32_t got[IDS];
    size_t got_n = 12345;
    bool truncated = true;
    diffuse_err e = tokenizer_encode(t, text, len, got, IDS, &got_n, &truncated);

    if (n == 0) {
        assert_int_equal(e, DIFFUSE_EMPTY);
        assert_int_equal(got_n, 12345); /* untouched */
        return;
    }
    assert_int_equal(e, DIFFUSE_OK);
    if (got_n != n || memcmp(got, ids, n * sizeof *ids) != 0)
        fail_msg("'%.*s': %zu ids, expected %zu, or another id", (int)len, text, got_n, n);
    assert_false(truncated);
}

static void golden_ids(void **state) {
    (void)state;
    each_golden(same_ids);
}

/* Any cap gives the first cap ids, says whether there were more, and writes nothing beyond. */
static void cuts(const struct tokenizer *t, const char *text, size_t len, const uint32_t *ids,
                 size_t n) {
    for (size_t cap = 0; n > 0 && cap <= n + 1 && cap < 60; cap++) {
        size_t got_n, kept = cap < n ? cap : n;
        bool truncated;
        uint32_t *got = malloc((cap + 1) * sizeof *got); /* its end is watched by the sanitizer */

        assert_non_null(got);
        got[cap] = 0xabcd;
        assert_int_equal(tokenizer_encode(t, text, len, got, cap, &got_n, &truncated), DIFFUSE_OK);
        assert_int_equal(got_n, kept);
        assert_int_equal(truncated, n > cap);
        assert_memory_equal(got, ids, kept * sizeof *ids);
        assert_int_equal(got[cap], 0xabcd);
        free(got);
    }
}

static void any_cut_is_a_prefix(void **state) {
    (void)state;
    each_golden(cuts);
}

/* The same bytes give the same ids wherever they lie, with hostile neighbours on both sides. */
static void moved(const struct tokenizer *t, const char *text, size_t len, const uint32_t *ids,
                  size_t n) {
    for (size_t shift = 0; shift < 8; shift++) {
        char *copy = malloc(len + 16);

        assert_non_null(copy);
        memset(copy, 0xcc, len + 16);
        memcpy(copy + shift, text, len);
        same_ids(t, copy + shift, len, ids, n);
        free(copy);
    }
}

static void place_does_not_matter(void **state) {
    (void)state;
    each_golden(moved);
}

/* Mostly random bytes, with stretches of text: refused exactly when they are not UTF-8. */
static void random_bytes_never_harm(void **state) {
    struct rng r;

    (void)state;
    rng_init(&r, 4, 0);
    for (unsigned round = 0; round < 3; round++) {
        static const uint8_t vocab[] = "[UNK]\na\nb\n##a\n";
        struct tokenizer *t = make((enum tokenizer_kind)round, vocab, 14);

        for (unsigned i = 0; i < 20000; i++) {
            uint32_t ids[64];
            size_t len = rng_below(&r, 64), n = 0;
            char *text = malloc(len + 1);
            bool truncated, ascii = rng_below(&r, 2);
            diffuse_err e;

            assert_non_null(text);
            for (size_t k = 0; k < len; k++)
                text[k] = (char)rng_below(&r, ascii && rng_below(&r, 64) ? 128 : 256);
            e = tokenizer_encode(t, text, len, ids, 64, &n, &truncated);
            if (round != TOKENIZER_BYTE && !utf8_valid(text, len))
                assert_int_equal(e, DIFFUSE_BADTEXT);
            else
                assert_int_equal(e, n ? DIFFUSE_OK : DIFFUSE_EMPTY);
            for (size_t k = 0; k < n; k++)
                assert_true(ids[k] < tokenizer_vocab_size(t));
            free(text);
        }
    }
}

static void symbols_are_looked_up_whole(void **state) {
    static const char vocab[] = "[PAD]\n[UNK]\n[MAX\n]\n1\n2\n";
    static const char text[] = "[MAX 1\t2\r\n\v\f ] [max 12 [UNK]  ";
    const uint32_t expected[] = {2, 4, 5, 3, 1, 1, 1};
    struct tokenizer *t = make(TOKENIZER_SYMBOL, vocab, strlen(vocab));
    uint32_t ids[16];
    size_t n;
    bool truncated;

    (void)state;
    assert_int_equal(tokenizer_encode(t, text, strlen(text), ids, 16, &n, &truncated), DIFFUSE_OK);
    assert_int_equal(n, 7);
    assert_memory_equal(ids, expected, sizeof expected);
    assert_int_equal(tokenizer_encode(t, text, strlen(text), ids, 6, &n, &truncated), DIFFUSE_OK);
    assert_true(n == 6 && truncated);
    assert_int_equal(tokenizer_encode(t, " \n", 2, ids, 16, &n, &truncated), DIFFUSE_EMPTY);
    assert_int_equal(tokenizer_unk(t), 1);
}

static void bytes_are_ids(void **state) {
    struct tokenizer *t = make(TOKENIZER_BYTE, NULL, 0);
    uint32_t ids[256];
    char text[256];
    size_t n;
    bool truncated;

    (void)state;
    for (unsigned i = 0; i < 256; i++)
        text[i] = (char)i;
    assert_int_equal(tokenizer_encode(t, text, 256, ids, 256, &n, &truncated), DIFFUSE_OK);
    assert_true(n == 256 && !truncated);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(ids[i], i);
    assert_int_equal(tokenizer_encode(t, text, 256, ids, 255, &n, &truncated), DIFFUSE_OK);
    assert_true(n == 255 && truncated);
    assert_int_equal(tokenizer_encode(t, text, 0, ids, 256, &n, &truncated), DIFFUSE_EMPTY);
    assert_int_equal(tokenizer_vocab_size(t), 256);
    assert_int_equal(tokenizer_unk(t), UINT32_MAX);
    assert_null(tokenizer_piece(t, 65, &n));
    assert_null(tokenizer_vocab(t, &n));
    assert_int_equal(n, 0);
}

static void the_vocabulary_can_be_read_back(void **state) {
    static const char vocab[] = "[PAD]\r\n[UNK]\nrobot";
    struct tokenizer *t = make(TOKENIZER_WORDPIECE, vocab, strlen(vocab));
    size_t len;

    (void)state;
    assert_int_equal(tokenizer_kind_of(t), TOKENIZER_WORDPIECE);
    assert_int_equal(tokenizer_vocab_size(t), 3);
    assert_int_equal(tokenizer_unk(t), 1);
    assert_memory_equal(tokenizer_piece(t, 2, &len), "robot", 5);
    assert_int_equal(len, 5);
    assert_null(tokenizer_piece(t, 3, &len));
    assert_memory_equal(tokenizer_vocab(t, &len), vocab, strlen(vocab));
    assert_int_equal(len, strlen(vocab));
}

static void a_vocabulary_needs_unk(void **state) {
    struct tokenizer *t = NULL;
    struct reason why = {""};

    (void)state;
    arena_done(&arena);
    assert_int_equal(arena_init(&arena, 4096), DIFFUSE_OK);
    assert_int_equal(
        tokenizer_new(&arena, TOKENIZER_SYMBOL, (const uint8_t *)"a\nb\n", 4, &t, &why),
        DIFFUSE_CORRUPT);
    assert_non_null(strstr(why.text, "[UNK]"));
    assert_null(t);
    assert_int_equal(arena.used, 0);
}

static void kinds_have_names(void **state) {
    enum tokenizer_kind kind;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(tokenizer_kind_parse(tokenizer_kind_name((enum tokenizer_kind)i), &kind),
                         DIFFUSE_OK);
        assert_int_equal(kind, i);
    }
    assert_int_equal(tokenizer_kind_parse("sentencepiece", &kind), DIFFUSE_NOTFOUND);
    assert_int_equal(kind, TOKENIZER_BYTE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_ids),
        cmocka_unit_test(any_cut_is_a_prefix),
        cmocka_unit_test(place_does_not_matter),
        cmocka_unit_test(random_bytes_never_harm),
        cmocka_unit_test(symbols_are_looked_up_whole),
        cmocka_unit_test(bytes_are_ids),
        cmocka_unit_test(the_vocabulary_can_be_read_back),
        cmocka_unit_test(a_vocabulary_needs_unk),
        cmocka_unit_test(kinds_have_names),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    arena_done(&arena);
    return failed;
}
