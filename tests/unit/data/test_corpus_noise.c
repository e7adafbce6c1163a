/* test_corpus_noise.c - damage stays inside the body, spares numbers and keeps the text valid. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus/corpus_noise.h"
#include "model/text/utf8.h"

#include "cmocka.h"

#define RUNS 20000u

static const char before[] = "[WARN] [17.25] node: ";
static const char body[] =
    "motor 3 at 98.5°C near the Göteborg hall, is not ready, limit -12.75 dB";
static const char after[] = " (µ 0x12ab)";

static struct corpus_line make(char *bytes, size_t cap, bool body_whole) {
    struct corpus_line l = {bytes, cap, 0, 0, 0, body_whole};

    l.len = (size_t)snprintf(bytes, cap, "%s%s%s", before, body, after);
    l.body_at = strlen(before);
    l.body_end = l.body_at + strlen(body);
    return l;
}

/* Every number left in text must be one that was in it before. */
static void check_numbers(const char *text, size_t len) {
    static const char *const allowed[] = {"3", "98.5", "-12.75", "12.75"};

    for (size_t i = 0; i < len;) {
        size_t n = 0;
        bool found = false;

        while (i + n < len && (isdigit((unsigned char)text[i + n]) ||
                               (n > 0 && text[i + n] == '.') || text[i + n] == '-'))
            n++;
        if (n == 0) {
            i++;
            continue;
        }
        for (size_t k = 0; k < 4; k++)
            found |= strlen(allowed[k]) == n && memcmp(allowed[k], text + i, n) == 0;
        if (!found)
            print_error("\"%.*s\" in \"%.*s\"\n", (int)n, text + i, (int)len, text);
        assert_true(found);
        i += n;
    }
}

static unsigned run(enum corpus_noise_kind kind, bool body_whole) {
    char bytes[256], original[256];
    unsigned damaged = 0;

    for (unsigned i = 0; i < RUNS; i++) {
        struct corpus_line l = make(original, sizeof original, body_whole);
        size_t len = l.len;
        struct rng rng;

        l = make(bytes, sizeof bytes, body_whole);
        rng_init(&rng, 1, i);
        corpus_noise_apply(&rng, kind, &l);
        assert_true(l.len <= l.cap && l.body_at <= l.body_end && l.body_end <= l.len);
        assert_true(utf8_valid(bytes, l.len));
        assert_memory_equal(bytes, before, strlen(before));
        assert_true(memmem(bytes, l.len, "not", 3) || memmem(bytes, l.len, "NOT", 3));
        check_numbers(bytes + l.body_at, l.body_end - l.body_at);
        if (body_whole)
            assert_true(memmem(bytes, l.len, "dB", 2) || memmem(bytes, l.len, "DB", 2) ||
                        memmem(bytes, l.len, "db", 2));
        damaged += l.len != len || memcmp(bytes, original, len) != 0;
    }
    return damaged;
}

static void numbers_and_negations_survive(void **state) {
    (void)state;
    assert_in_range(run(CORPUS_NOISE_HUMAN, false), RUNS * 35 / 100, RUNS * 50 / 100);
    assert_in_range(run(CORPUS_NOISE_MACHINE, false), RUNS * 12 / 100, RUNS * 22 / 100);
    assert_in_range(run(CORPUS_NOISE_MACHINE, true), RUNS * 12 / 100, RUNS * 22 / 100);
    assert_in_range(run(CORPUS_NOISE_RECORD, true), RUNS * 3 / 100, RUNS * 8 / 100);
}

/* Bodies of every length from nothing up, in a buffer with no byte to spare. */
static void short_lines_are_safe(void **state) {
    static const char text[] = "abcd efgh";

    (void)state;
    for (size_t n = 0; n <= strlen(text); n++)
        for (unsigned i = 0; i < 3000; i++) {
            char *bytes = malloc(n + 1);
            struct corpus_line l = {bytes, n, n, 0, n, false};
            struct rng rng;

            assert_non_null(bytes);
            memcpy(bytes, text, n);
            rng_init(&rng, 2, i);
            corpus_noise_apply(&rng, CORPUS_NOISE_HUMAN, &l);
            assert_true(l.len <= n);
            free(bytes);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_negations_survive),
        cmocka_unit_test(short_lines_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
