/* test_normalize.c - words against a golden file that an independent program made, and properties
 * that hold for any text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/letter.h"
#include "model/text/normalize.h"
#include "model/text/utf8.h"

#include "cmocka.h"

#define GOLDEN "tests/unit/golden/tokenize.txt"

/* Hex digits to bytes; stops at the first other character. */
static size_t unhex(const char *hex, uint8_t *bytes) {
    size_t n = 0;
    unsigned value;

    while (sscanf(hex + 2 * n, "%2x", &value) == 1 && hex[2 * n] > ' ') {
        bytes[n++] = (uint8_t)value;
    }
    return n;
}

static void check_words(const uint8_t *text, size_t len, const char *words, unsigned line) {
    struct normalize n = {.text = text, .len = len};
    struct normalize_word w;

    while (normalize_next(&n, &w)) {
        uint8_t expected[4096];
        size_t expected_len = unhex(words, expected);

        if (w.too_long) {
            assert_true(expected_len > w.len);
        } else if (expected_len != w.len || memcmp(expected, normalize_bytes(&w), w.len) != 0) {
            fail_msg(GOLDEN ":%u: '%.*s', expected '%.*s'", line, (int)w.len,
                     (char *)normalize_bytes(&w), (int)expected_len, (char *)expected);
        }
        words += 2 * expected_len;
        words += *words == ' ';
    }
    assert_int_equal(*words, '\t');
}

static void golden_words(void **state) {
    FILE *f = fopen(GOLDEN, "r");
    static char line[65536];
    unsigned number = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        static uint8_t text[32768];
        char *words = strchr(line, '\t');

        assert_non_null(words);
        check_words(text, unhex(line, text), words + 1, ++number);
    }
    fclose(f);
    assert_true(number > 300);
}

/* The table for ASCII says what the rules for any code point say. */
static void ascii_table_agrees(void **state) {
    (void)state;
    for (uint8_t c = 0; c < 0x80; c++) {
        const uint8_t text[3] = {'a', c, 'b'};
        struct normalize n = {.text = text, .len = sizeof text};
        struct normalize_word w;
        unsigned words = 0, chars = 0;

        for (; normalize_next(&n, &w); words++)
            chars += w.chars;
        assert_int_equal(words, letter_is_punct(c) ? 3 : letter_is_space(c) ? 2 : 1);
        if (words == 1)
            assert_int_equal(chars, letter_is_dropped(c) ? 2 : 3);
    }
}

static size_t random_text(struct rng *r, uint8_t *text, size_t chars) {
    size_t len = 0;

    for (size_t i = 0; i < chars; i++) {
        static const uint32_t tops[] = {0x80, 0x80, 0x80, 0x400, 0x3100, 0x110000};
        uint32_t code = rng_below(r, tops[rng_below(r, 6)]);

        if (code >= 0xd800 && code <= 0xdfff)
            code = ' ';
        len += utf8_put(code, text + len);
    }
    return len;
}

/* Every word is valid, within its limits, and comes out unchanged when normalised once more. */
static void words_are_stable(void **state) {
    struct rng r;

    (void)state;
    rng_init(&r, 1, 0);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t text[4 * 300];
        struct normalize n = {.text = text, .len = random_text(&r, text, 1 + rng_below(&r, 299))};
        struct normalize_word w, again;

        while (normalize_next(&n, &w)) {
            struct normalize one = {.text = normalize_bytes(&w), .len = w.len};

            assert_true(w.len > 0 && w.len <= NORMALIZE_WORD_BYTES);
            assert_true(w.chars > 0 && w.chars <= NORMALIZE_WORD_CHARS && w.chars <= w.len);
            assert_true(utf8_valid(normalize_bytes(&w), w.len));
            assert_true(normalize_next(&one, &again));
            assert_int_equal(again.len, w.len);
            assert_memory_equal(normalize_bytes(&again), normalize_bytes(&w), w.len);
            assert_false(normalize_next(&one, &again));
        }
        assert_int_equal(n.at, n.len);
    }
}

/* Joining two texts by a space joins their words. */
static void words_do_not_depend_on_place(void **state) {
    struct rng r;

    (void)state;
    rng_init(&r, 2, 0);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t text[4 * 81]; /* a half, a space, the other */
        size_t half = random_text(&r, text, rng_below(&r, 40));
        size_t space = utf8_put(' ', text + half);
        size_t rest = random_text(&r, text + half + space, rng_below(&r, 40));
        struct normalize first = {.text = text, .len = half};
        struct normalize second = {.text = text + half + space, .len = rest};
        struct normalize both = {.text = text, .len = half + space + rest};
        struct normalize_word w, expected;

        while (normalize_next(&first, &expected) || normalize_next(&second, &expected)) {
            assert_true(normalize_next(&both, &w));
            assert_int_equal(w.len, expected.len);
            assert_memory_equal(normalize_bytes(&w), normalize_bytes(&expected), w.len);
        }
        assert_false(normalize_next(&both, &w));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_words),
        cmocka_unit_test(ascii_table_agrees),
        cmocka_unit_test(words_are_stable),
        cmocka_unit_test(words_do_not_depend_on_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
