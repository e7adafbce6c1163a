/* test_listops.c - generated expressions against an evaluator of its own, and the distribution
 * against figures of an independent generator (6,000 samples). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/data/corpus/listops.h"

#define DEEP 64

static int by_value(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static int value_of(const char *op, int *args, int n) {
    int sum = 0;

    qsort(args, (size_t)n, sizeof *args, by_value);
    for (int i = 0; i < n; i++)
        sum += args[i];
    if (strcmp(op, "[MIN") == 0)
        return args[0];
    if (strcmp(op, "[MAX") == 0)
        return args[n - 1];
    if (strcmp(op, "[SM") == 0)
        return sum % 10;
    assert_string_equal(op, "[MED");
    return n % 2 ? args[n / 2] : (args[n / 2 - 1] + args[n / 2]) / 2;
}

/* With a stack of its own instead of recursion. Also counts the length and the operators. */
static int evaluate(const char *text, size_t *ret_length, uint32_t *ret_operators) {
    static int args[DEEP][16];
    char ops[DEEP][8], *copy = strdup(text), *rest = NULL;
    int n[DEEP] = {0}, depth = 0, result = -1;

    *ret_length = *ret_operators = 0;
    for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) {
        int value;

        assert_true(result < 0); /* nothing after the end */
        ++*ret_length;
        if (*s == '[') {
            assert_true(depth < 10);
            strcpy(ops[depth], s);
            n[depth++] = 0;
            ++*ret_operators;
            continue;
        }
        if (strcmp(s, "X") == 0) {
            assert_true(depth > 0);
            depth--;
            assert_in_range(n[depth], 2, 10);
            value = value_of(ops[depth], args[depth], n[depth]);
        } else {
            assert_int_equal(strlen(s), 1);
            assert_in_range(*s, '0', '9');
            value = *s - '0';
        }
        if (depth == 0)
            result = value;
        else
            args[depth - 1][n[depth - 1]++] = value;
    }
    assert_int_equal(depth, 0);
    free(copy);
    return result;
}

static int by_size(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static void test_distribution(void **state) {
    enum { ROWS = 6000 };
    /* Of the independent generator; tolerances are four standard errors of this sample and that. */
    static const double share[10] = {.177, .088, .080, .082, .088, .084, .082, .069, .091, .160};
    static size_t length[ROWS];
    struct listops_options o;
    struct listops *l;
    struct reason why = {""};
    double sum = 0, operators = 0;
    int count[10] = {0};

    (void)state;
    listops_options_lra(&o);
    assert_int_equal(listops_open(&o, &l, &why), DIFFUSE_OK);
    for (int i = 0; i < ROWS; i++) {
        struct listops_row row;
        uint32_t n;

        assert_int_equal(listops_next(l, &row, &why), DIFFUSE_OK);
        assert_int_equal(evaluate(row.text, &length[i], &n), row.value);
        assert_int_equal(length[i], row.length);
        assert_int_equal(n, row.operators);
        assert_in_range(row.length, 501, 1999);
        sum += (double)row.length;
        operators += n;
        count[row.value]++;
    }
    qsort(length, ROWS, sizeof *length, by_size);
    assert_true(sum / ROWS > 1011 && sum / ROWS < 1069);                       /* 1039.6, sd 394 */
    assert_true(length[ROWS / 10] > 550 && length[ROWS / 10] < 615);           /* 582 */
    assert_true(length[ROWS / 2] > 925 && length[ROWS / 2] < 995);             /* 959 */
    assert_true(length[9 * ROWS / 10] > 1590 && length[9 * ROWS / 10] < 1700); /* 1645 */
    assert_true(operators / ROWS > 143 && operators / ROWS < 153);             /* 148 */
    for (int i = 0; i < 10; i++)
        assert_true((double)count[i] / ROWS > share[i] - .03 &&
                    (double)count[i] / ROWS < share[i] + .03);
    assert_true(ROWS / (double)listops_tried(l) > .078 && ROWS / (double)listops_tried(l) < .091);
    listops_close(l);
}

static void test_same_seed_same_rows(void **state) {
    struct listops_options o;
    struct listops *a, *b, *c;
    struct reason why = {""};
    int differ = 0;

    (void)state;
    listops_options_lra(&o);
    assert_int_equal(listops_open(&o, &a, &why), DIFFUSE_OK);
    assert_int_equal(listops_open(&o, &b, &why), DIFFUSE_OK);
    o.seed = 2;
    assert_int_equal(listops_open(&o, &c, &why), DIFFUSE_OK);
    for (int i = 0; i < 50; i++) {
        struct listops_row x, y, z;

        assert_int_equal(listops_next(a, &x, &why), DIFFUSE_OK);
        assert_int_equal(listops_next(b, &y, &why), DIFFUSE_OK);
        assert_int_equal(listops_next(c, &z, &why), DIFFUSE_OK);
        assert_string_equal(x.text, y.text);
        differ += strcmp(x.text, z.text) != 0;
    }
    assert_int_equal(differ, 50);
    listops_close(a);
    listops_close(b);
    listops_close(c);
}

/* [OP a b X with two arguments: 4 operators, 100 pairs of digits, and no more. */
static void test_no_repetitions(void **state) {
    struct listops_options o = {.seed = 3, .depth = 2, .max_args = 2, .max_length = 5};
    static char seen[400][32];
    struct listops *l;
    struct reason why = {""};
    int groups = 0, digits = 0;

    (void)state;
    assert_int_equal(listops_open(&o, &l, &why), DIFFUSE_OK);
    for (int i = 0; i < 410; i++) {
        struct listops_row row;

        assert_int_equal(listops_next(l, &row, &why), DIFFUSE_OK);
        if (row.operators == 0) {
            digits++;
            continue;
        }
        for (int j = 0; j < groups; j++)
            assert_string_not_equal(seen[j], row.text);
        strcpy(seen[groups++], row.text);
    }
    assert_int_equal(groups, 400);
    assert_int_equal(digits, 10);
    listops_close(l);
}

static void test_refuses(void **state) {
    struct listops_options o;
    struct listops *l = NULL;
    struct reason why = {""};

    (void)state;
    listops_options_lra(&o);
    o.max_args = 1;
    assert_int_equal(listops_open(&o, &l, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "most arguments is 1, expected 2 to"));
    listops_options_lra(&o);
    o.min_length = 1999;
    assert_int_equal(listops_open(&o, &l, &why), DIFFUSE_INVAL);
    assert_null(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_same_seed_same_rows),
        cmocka_unit_test(test_no_repetitions),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
