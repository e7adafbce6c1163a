/* test_rehearse.c - the training rows that are kept: balanced, random, repeatable, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/train/rows/rehearse.h"

#include "cmocka.h"

#define VOCAB  70000u
#define LABELS 5u

/* Row i says its number: two ids, or more. Labels as often as in `often`, mixed. */
static const uint32_t often[LABELS] = {700, 200, 97, 3, 0};

static void fill(struct rows *r, size_t *ret_n) {
    uint32_t left[LABELS], ids[40];
    struct rng rng;
    size_t total = 0;

    rng_init(&rng, 1, 0);
    memcpy(left, often, sizeof left);
    for (uint32_t i = 0; i < LABELS; i++)
        total += often[i];
    assert_int_equal(rows_init(r, VOCAB, ROWS_MEMORY), DIFFUSE_OK);
    for (size_t i = 0; i < total; i++) {
        uint32_t at = rng_below(&rng, (uint32_t)(total - i)), label = 0, n = 2 + (uint32_t)i % 30;

        for (; at >= left[label]; label++)
            at -= left[label];
        left[label]--;
        for (uint32_t k = 0; k < n; k++)
            ids[k] = (uint32_t)i;
        ids[1] = VOCAB - 1 - label;
        assert_int_equal(rows_append(r, ids, n, label, NULL), DIFFUSE_OK);
    }
    *ret_n = total;
}

static void pick(size_t count, size_t max_bytes, uint64_t seed, struct rehearse *ret) {
    struct rows rows;
    size_t n;

    fill(&rows, &n);
    assert_int_equal(rehearse_pick(&rows, LABELS, VOCAB, count, max_bytes, seed, ret, NULL),
                     DIFFUSE_OK);
    rows_done(&rows);
}

/* How many of each label; every kept row is one that was given, with its label, and none twice. */
static void tally(const struct rehearsal *h, uint32_t ret[LABELS]) {
    static uint8_t seen[2000];

    memset(ret, 0, LABELS * sizeof *ret);
    memset(seen, 0, sizeof seen);
    for (uint32_t r = 0; h && r < h->rows; r++) {
        uint32_t i = rehearsal_id(h, r, 0);

        assert_int_equal(h->start[r + 1] - h->start[r], 2 + i % 30);
        assert_int_equal(rehearsal_id(h, r, 1), VOCAB - 1 - h->label[r]);
        assert_int_equal(seen[i]++, 0);
        ret[h->label[r]]++;
    }
}

static void test_balanced(void **state) {
    uint32_t n[LABELS];
    struct rehearse r;

    (void)state;
    pick(203, SIZE_MAX, 1, &r); /* 3, and 66 or 67 of each of the others */
    tally(r.kept, n);
    assert_int_equal(n[0] + n[1] + n[2] + n[3], 203);
    assert_int_equal(n[3], 3);
    for (uint32_t label = 0; label < 3; label++)
        assert_in_range(n[label], 66, 67);
    rehearse_done(&r);
    pick(100000, SIZE_MAX, 1, &r); /* more than there are: all */
    tally(r.kept, n);
    assert_memory_equal(n, often, sizeof often);
    rehearse_done(&r);
}

/* A prefix is balanced as well, for bytes may run out. */
static void test_bytes_run_out(void **state) {
    uint32_t n[LABELS];
    struct rehearse r;
    char *text;
    size_t len;

    (void)state;
    for (size_t bytes = 0; bytes < 9000; bytes += 613) {
        pick(512, bytes, 1, &r);
        tally(r.kept, n);
        if (r.kept) {
            assert_int_equal(rehearsal_print(r.kept, &text, &len), DIFFUSE_OK);
            assert_true(len <= bytes && len + 6 * 40 > bytes);
            free(text);
        }
        assert_in_range(n[1], n[0] ? n[0] - 1 : 0, n[0]); /* label 0 comes first in a turn */
        assert_in_range(n[2], n[1] ? n[1] - 1 : 0, n[1]);
        assert_in_range(n[3], n[2] < 3 ? (n[2] ? n[2] - 1 : 0) : 3, 3);
        rehearse_done(&r);
    }
    pick(512, 5, 1, &r); /* no row fits */
    assert_null(r.kept);
    rehearse_done(&r);
    pick(0, SIZE_MAX, 1, &r);
    assert_null(r.kept);
    rehearse_done(&r);
}

/* Every row has the same chance within its label. */
static void test_random(void **state) {
    static uint32_t times[2000];
    uint32_t n[LABELS], never = 0, most = 0, rows = 0;
    struct rehearse a, b;

    (void)state;
    pick(40, SIZE_MAX, 3, &a);
    pick(40, SIZE_MAX, 3, &b);
    assert_int_equal(a.arena.used, b.arena.used);
    assert_memory_equal(a.kept->ids, b.kept->ids, a.kept->start[a.kept->rows] * 4);
    rehearse_done(&a);
    rehearse_done(&b);
    memset(times, 0, sizeof times);
    for (uint64_t seed = 0; seed < 200; seed++) {
        pick(303, SIZE_MAX, seed, &a); /* about half of label 1: 97 + 3 + 2 * 101 */
        tally(a.kept, n);
        for (uint32_t r = 0; r < a.kept->rows; r++)
            if (a.kept->label[r] == 1)
                times[rehearsal_id(a.kept, r, 0)]++;
        rehearse_done(&a);
    }
    for (uint32_t i = 0; i < 2000; i++) {
        rows += times[i] > 0;
        most = times[i] > most ? times[i] : most;
        never += times[i] > 0 && times[i] < 65; /* 101 expected, 5 deviations below */
    }
    assert_int_equal(rows, often[1]);
    assert_int_equal(never, 0);
    assert_true(most < 137);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balanced),
        cmocka_unit_test(test_bytes_run_out),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
