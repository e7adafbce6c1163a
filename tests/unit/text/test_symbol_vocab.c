/* test_symbol_vocab.c - the symbols of a corpus, commonest first, and the tokenizer that reads
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "model/text/symbol_vocab.h"
#include "model/text/tokenize.h"

#include "cmocka.h"

static struct symbol_vocab *fed(const char *const *texts, size_t n) {
    struct symbol_vocab *s = NULL;

    assert_int_equal(symbol_vocab_new(&s), DIFFUSE_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(symbol_vocab_add(s, texts[i], strlen(texts[i])), DIFFUSE_OK);
    return s;
}

static void built(const struct symbol_vocab *s, uint32_t size, uint64_t min_count,
                  const char *expected) {
    uint8_t *vocab;
    size_t len;

    assert_int_equal(symbol_vocab_build(s, size, min_count, &vocab, &len, NULL), DIFFUSE_OK);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(vocab, expected, len);
    free(vocab);
}

static void commonest_first(void **state) {
    static const char *const texts[] = {"[MAX 1 2 1 X", "[MIN\t3 1\n[PAD] [UNK] [PAD]", "3 2 1"};
    struct symbol_vocab *s = fed(texts, 3);

    (void)state;
    built(s, 100, 0, "[PAD]\n[UNK]\n1\n2\n3\nX\n[MAX\n[MIN\n");
    built(s, 100, 2, "[PAD]\n[UNK]\n1\n2\n3\n");
    built(s, 4, 0, "[PAD]\n[UNK]\n1\n2\n");
    symbol_vocab_free(s);
}

static void nothing_is_unknown_afterwards(void **state) {
    static const char *const texts[] = {"[SM 1 [MED 2 3 ] 4 ]", "\xe2\x86\x92 [SM"};
    struct symbol_vocab *s = fed(texts, 2);
    struct tokenizer *t;
    struct arena arena;
    uint8_t *vocab;
    size_t len, n;

    (void)state;
    assert_int_equal(symbol_vocab_build(s, 100, 0, &vocab, &len, NULL), DIFFUSE_OK);
    assert_int_equal(arena_init(&arena, tokenizer_bytes(TOKENIZER_SYMBOL, vocab, len)), DIFFUSE_OK);
    assert_int_equal(tokenizer_new(&arena, TOKENIZER_SYMBOL, vocab, len, &t, NULL), DIFFUSE_OK);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t ids[16];
        bool truncated;

        assert_int_equal(tokenizer_encode(t, texts[i], strlen(texts[i]), ids, 16, &n, &truncated),
                         DIFFUSE_OK);
        assert_int_equal(n, i ? 2 : 8);
        for (size_t k = 0; k < n; k++)
            assert_true(ids[k] > tokenizer_unk(t));
    }
    arena_done(&arena);
    free(vocab);
    symbol_vocab_free(s);
}

static void what_cannot_be_is_refused(void **state) {
    struct symbol_vocab *s = fed(NULL, 0);
    struct reason why = {""};
    uint8_t *vocab = NULL;
    size_t len;

    (void)state;
    assert_int_equal(symbol_vocab_build(s, 100, 0, &vocab, &len, &why), DIFFUSE_EMPTY);
    assert_int_equal(symbol_vocab_add(s, "a \xc3", 3), DIFFUSE_BADTEXT);
    assert_int_equal(symbol_vocab_build(s, 100, 0, &vocab, &len, &why), DIFFUSE_EMPTY);
    assert_int_equal(symbol_vocab_add(s, "a", 1), DIFFUSE_OK);
    assert_int_equal(symbol_vocab_build(s, 2, 0, &vocab, &len, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "expected 3 to"));
    assert_null(vocab);
    symbol_vocab_free(s);
    symbol_vocab_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commonest_first),
        cmocka_unit_test(nothing_is_unknown_afterwards),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
