/* test_corpus.c - rows are reproducible, clean of broken text, and test shows what train never did.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/digest.h"
#include "model/data/corpus/corpus.h"
#include "model/data/corpus/corpus_grammar.h"
#include "model/data/corpus/corpus_table.h"
#include "model/text/utf8.h"
#include "proto/limits.h"

#include "cmocka.h"

#define ROWS 20000u

static struct corpus *open_corpus(uint64_t seed, enum corpus_split split, bool clean) {
    struct corpus_options options = {.seed = seed, .split = split, .clean = clean};
    struct corpus *c = NULL;

    assert_int_equal(corpus_open(&options, &c, NULL), DIFFUSE_OK);
    return c;
}

static void digest_rows(uint64_t seed, enum corpus_split split, char ret_hex[DIGEST_HEX_BYTES]) {
    struct corpus *c = open_corpus(seed, split, false);
    struct corpus_row row;
    struct digest d;

    digest_init(&d);
    for (unsigned i = 0; i < ROWS; i++) {
        corpus_next(c, &row);
        assert_int_equal(strlen(row.text), row.len);
        digest_add(&d, row.label, strlen(row.label) + 1);
        digest_add(&d, row.stream, strlen(row.stream) + 1);
        digest_add(&d, row.text, row.len + 1);
    }
    digest_hex(&d, ret_hex);
    corpus_close(c);
}

static void seed_and_split_decide_the_bytes(void **state) {
    char a[DIGEST_HEX_BYTES], b[DIGEST_HEX_BYTES];

    (void)state;
    digest_rows(5, CORPUS_TRAIN, a);
    digest_rows(5, CORPUS_TRAIN, b);
    assert_string_equal(a, b);
    digest_rows(6, CORPUS_TRAIN, b);
    assert_string_not_equal(a, b);
    digest_rows(5, CORPUS_TEST, b);
    assert_string_not_equal(a, b);
}

static void seek_finds_the_same_row(void **state) {
    struct corpus *c = open_corpus(9, CORPUS_TEST, false),
                  *other = open_corpus(9, CORPUS_TEST, false);
    struct corpus_row row, again;

    (void)state;
    for (uint64_t i = 0; i < 500; i++) {
        corpus_next(c, &row);
        corpus_seek(other, i);
        corpus_next(other, &again);
        assert_string_equal(row.text, again.text);
        assert_string_equal(row.stream, again.stream);
    }
    corpus_close(c);
    corpus_close(other);
}

static void labels_are_documented(void **state) {
    (void)state;
    assert_int_equal(corpus_labels(), CORPUS_LABELS);
    for (uint32_t i = 0; i < corpus_labels(); i++) {
        struct corpus_label_info label = corpus_label(i);

        assert_in_range(strlen(label.name), 3, LIMIT_LABEL_BYTES);
        assert_int_equal(strspn(label.name, "abcdefghijklmnopqrstuvwxyz."), strlen(label.name));
        assert_true(strlen(label.meaning) > 10 && strchr(label.meaning, '\n') == NULL);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(label.name, corpus_label(j).name);
    }
}

/* Shares follow the weights: within a quarter, and 20,000 rows leave no label out. */
static void labels_come_by_weight(void **state) {
    (void)state;
    for (int split = CORPUS_TRAIN; split <= CORPUS_TEST; split++) {
        struct corpus *c = open_corpus(3, (enum corpus_split)split, false);
        uint32_t seen[CORPUS_LABELS] = {0}, sum = 0;
        struct corpus_row row;

        for (unsigned i = 0; i < ROWS; i++) {
            corpus_next(c, &row);
            assert_in_range(row.label_id, 0, CORPUS_LABELS - 1);
            assert_string_equal(row.label, corpus_label(row.label_id).name);
            seen[row.label_id]++;
        }
        for (uint32_t i = 0; i < CORPUS_LABELS; i++)
            sum += corpus_table_labels[i].weight;
        for (uint32_t i = 0; i < CORPUS_LABELS; i++) {
            uint32_t expected = ROWS * corpus_table_labels[i].weight / sum;

            assert_in_range(seen[i], expected * 3 / 4, expected * 5 / 4);
            assert_true(i == CORPUS_LABEL_nominal || seen[i] < seen[CORPUS_LABEL_nominal]);
        }
        corpus_close(c);
    }
}

static unsigned count_words(const char *text) {
    unsigned n = 0;
    bool inside = false;

    for (; *text != '\0'; text++) {
        bool word = isalnum((unsigned char)*text) || (unsigned char)*text >= 0x80;

        n += word && !inside;
        inside = word;
    }
    return n;
}

static void texts_are_whole_lines(void **state) {
    bool beyond_ascii = false;

    (void)state;
    for (int split = CORPUS_TRAIN; split <= CORPUS_TEST; split++) {
        struct corpus *c = open_corpus(4, (enum corpus_split)split, false);
        struct corpus_row row;

        for (unsigned i = 0; i < 5 * ROWS; i++) {
            corpus_next(c, &row);
            assert_true(utf8_valid(row.text, row.len));
            assert_true(row.text[0] != ' ' && row.text[row.len - 1] != ' ');
            assert_null(strpbrk(row.text, "<>\t\n\r"));
            assert_in_range(row.len, 6, CORPUS_TEXT_BYTES / 2);
            assert_in_range(count_words(row.text), 2, 90); /* digits of a stamp count too */
            assert_true(utf8_valid(row.stream, strlen(row.stream)));
            assert_in_range(strlen(row.stream), 3, LIMIT_STREAM_BYTES);
            assert_non_null(strchr(row.stream, '/'));
            for (size_t k = 0; k < row.len; k++)
                beyond_ascii |= (unsigned char)row.text[k] >= 0x80;
        }
        corpus_close(c);
    }
    assert_true(beyond_ascii);
}

static void noise_damages_some_rows_and_no_label(void **state) {
    (void)state;
    for (int split = CORPUS_TRAIN; split <= CORPUS_TEST; split++) {
        struct corpus *clean = open_corpus(8, (enum corpus_split)split, true);
        struct corpus *noisy = open_corpus(8, (enum corpus_split)split, false);
        struct corpus_row a, b;
        unsigned differ = 0;

        for (unsigned i = 0; i < ROWS; i++) {
            corpus_next(clean, &a);
            corpus_next(noisy, &b);
            assert_string_equal(a.label, b.label);
            assert_string_equal(a.stream, b.stream);
            assert_int_equal(a.body, b.body);
            differ += strcmp(a.text, b.text) != 0;
        }
        assert_in_range(differ, ROWS * 12 / 100, ROWS * 30 / 100);
        corpus_close(clean);
        corpus_close(noisy);
    }
}

static void splits_use_their_own_bodies(void **state) {
    (void)state;
    for (int split = CORPUS_TRAIN; split <= CORPUS_TEST; split++) {
        struct corpus *c = open_corpus(11, (enum corpus_split)split, false);
        struct corpus_row row;

        for (unsigned i = 0; i < ROWS; i++) {
            corpus_next(c, &row);
            assert_in_range(row.body, 0, corpus_table_n_bodies - 1);
            assert_int_equal(corpus_table_bodies[row.body].held, split == CORPUS_TEST);
            assert_int_equal((int)corpus_table_bodies[row.body].label, (int)row.label_id);
        }
        corpus_close(c);
    }
}

/* Train never shows the line formats that are held for test, which shows all. */
static void held_formats_stay_out_of_training(void **state) {
    (void)state;
    for (int split = CORPUS_TRAIN; split <= CORPUS_TEST; split++) {
        struct corpus *c = open_corpus(12, (enum corpus_split)split, false);
        struct corpus_row row;
        unsigned held = 0;

        for (unsigned i = 0; i < ROWS; i++) {
            corpus_next(c, &row);
            assert_in_range(row.wrap, 0, corpus_table_n_wraps - 1);
            assert_int_equal((int)corpus_table_wraps[row.wrap].kind,
                             (int)corpus_table_bodies[row.body].kind);
            held += corpus_table_wraps[row.wrap].held;
        }
        if (split == CORPUS_TRAIN)
            assert_int_equal(held, 0);
        else
            assert_in_range(held, ROWS / 50, ROWS * 49 / 50);
        corpus_close(c);
    }
}

static void every_robot_speaks_under_one_name(void **state) {
    struct corpus_options options = {.seed = 2, .robots = 5};
    char names[6][32] = {{0}};
    struct corpus *c = NULL;
    struct corpus_row row;

    (void)state;
    assert_int_equal(corpus_open(&options, &c, NULL), DIFFUSE_OK);
    for (unsigned i = 0; i < 2000; i++) {
        size_t n;

        corpus_next(c, &row);
        n = strcspn(row.stream, "/");
        assert_in_range(n, 2, 31);
        assert_in_range(row.stream[n - 1], '1', '5');
        if (names[row.stream[n - 1] - '0'][0] == '\0')
            memcpy(names[row.stream[n - 1] - '0'], row.stream, n);
        assert_int_equal(strncmp(names[row.stream[n - 1] - '0'], row.stream, n), 0);
    }
    for (unsigned i = 1; i <= 5; i++)
        assert_true(names[i][0] != '\0');
    corpus_close(c);
}

static void bad_options_are_refused(void **state) {
    struct corpus_options options = {.robots = CORPUS_ROBOTS_MAX + 1};
    struct corpus *c = NULL;
    struct reason why = {""};

    (void)state;
    assert_int_equal(corpus_open(&options, &c, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "robots"));
    options = (struct corpus_options){.split = (enum corpus_split)7};
    assert_int_equal(corpus_open(&options, &c, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "split"));
    assert_null(c);
    corpus_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_and_split_decide_the_bytes),
        cmocka_unit_test(seek_finds_the_same_row),
        cmocka_unit_test(labels_are_documented),
        cmocka_unit_test(labels_come_by_weight),
        cmocka_unit_test(texts_are_whole_lines),
        cmocka_unit_test(noise_damages_some_rows_and_no_label),
        cmocka_unit_test(splits_use_their_own_bodies),
        cmocka_unit_test(held_formats_stay_out_of_training),
        cmocka_unit_test(every_robot_speaks_under_one_name),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
