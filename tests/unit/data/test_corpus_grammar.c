/* test_corpus_grammar.c - patterns become text: pieces, pins, numbers, gaps; and bad patterns show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus/corpus_grammar.h"
#include "model/data/corpus/corpus_table.h"

#include "cmocka.h"

static const struct corpus_pin pins[] = {{"robot", "r7"}, {"both", "<robot> and <robot>"}};

static const char *expand(uint64_t seed, const char *pattern, char bytes[256]) {
    struct rng rng;
    struct corpus_scope scope = {&rng, false, pins, 2};
    struct corpus_text out = {bytes, 255, 0};

    rng_init(&rng, seed, 0);
    corpus_grammar_expand(&scope, pattern, &out);
    bytes[out.len] = '\0';
    return bytes;
}

static void pins_and_plain_text(void **state) {
    char b[256];

    (void)state;
    assert_string_equal(expand(1, "", b), "");
    assert_string_equal(expand(1, "a|b {\"c\":1}", b), "a|b {\"c\":1}");
    assert_string_equal(expand(1, "[<robot>] <both>", b), "[r7] r7 and r7");
}

static void every_piece_comes_up(void **state) {
    unsigned seen[4] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < 4000; seed++) {
        char b[256];
        const char *text = expand(seed, "x <one|two <a|b>|> y", b);

        if (strcmp(text, "x one y") == 0)
            seen[0]++;
        else if (strcmp(text, "x two a y") == 0)
            seen[1]++;
        else if (strcmp(text, "x two b y") == 0)
            seen[2]++;
        else if (strcmp(text, "x y") == 0) /* no gap where the piece is empty */
            seen[3]++;
    }
    assert_in_range(seen[0], 1200, 1470);
    assert_in_range(seen[3], 1200, 1470);
    assert_in_range(seen[1], 550, 790);
    assert_int_equal(seen[0] + seen[1] + seen[2] + seen[3], 4000);
}

/* Reads a number back and compares it with the bounds of its slot. */
static void check_numbers(const char *name) {
    const struct corpus_slot *slot = corpus_table_slot(name, strlen(name));
    int64_t low = INT64_MAX, high = INT64_MIN;
    char pattern[64], b[256];

    assert_non_null(slot);
    (void)snprintf(pattern, sizeof pattern, "<%s>", name);
    for (uint64_t seed = 0; seed < 20000; seed++) {
        const char *text = expand(seed, pattern, b), *point = strchr(text, '.');
        char digits[32];
        size_t n = 0;
        int64_t v;

        for (const char *p = text; *p != '\0'; p++)
            if (*p != '.')
                digits[n++] = *p;
        digits[n] = '\0';
        v = strtoll(digits, NULL, 10);
        assert_true(v >= slot->low && v <= slot->high);
        assert_int_equal(point == NULL ? 0 : strlen(point + 1), slot->decimals);
        assert_true(strlen(digits) >= slot->width);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    assert_true(low - slot->low <= (slot->high - slot->low) / 50);
    assert_true(slot->high - high <= (slot->high - slot->low) / 50);
}

static void numbers_stay_in_their_bounds(void **state) {
    (void)state;
    check_numbers("n_coord"); /* negative, two decimals */
    check_numbers("frac6");   /* padded */
    check_numbers("v3_low");
    check_numbers("n_rssi_ok");
    check_numbers("n_deg_ok"); /* 0.1 keeps its zero */
}

static void held_values_only_where_asked(void **state) {
    struct rng rng;
    struct corpus_scope scope = {&rng, false, pins, 2};
    unsigned seen = 0;

    (void)state;
    rng_init(&rng, 4, 0);
    for (unsigned i = 0; i < 4000; i++) {
        char b[256];
        struct corpus_text out = {b, sizeof b - 1, 0};

        scope.held = i >= 2000;
        corpus_grammar_expand(&scope, "<site>", &out);
        b[out.len] = '\0';
        if (strstr(corpus_table_slot("site", 4)->shared, b) == NULL) {
            assert_true(scope.held);
            seen++;
        }
    }
    assert_true(seen > 200);
}

static void faults_are_found(void **state) {
    static const char *const bad[] = {"a <robot", "a > b", "<no_such_slot>", "<a|<nope>>",
                                      "<a|b>>",   "<>",    "<a|<b>"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(corpus_grammar_fault(bad[i], pins, 2));
    assert_null(corpus_grammar_fault("<both> <site|<robot>|> {a|b}", pins, 2));
    assert_null(corpus_grammar_fault("", pins, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_and_plain_text),
        cmocka_unit_test(every_piece_comes_up),
        cmocka_unit_test(numbers_stay_in_their_bounds),
        cmocka_unit_test(held_values_only_where_asked),
        cmocka_unit_test(faults_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
