/* test_paired.c - the exact test of McNemar, and the watch over a promotion that rests on it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/tune/paired.h"
#include "model/tune/rollback_test.h"

static void near(double got, double expected) {
    if (fabs(got - expected) > 1e-9 * expected)
        fail_msg("%.12g, expected %.12g", got, expected);
}

/* Sums of binomials over 2^n, by hand and by another program (scipy.stats.binom.sf). */
static void test_known_values(void **state) {
    (void)state;
    near(paired_worse(&(struct paired){.won = 0, .lost = 0}), 1);
    near(paired_worse(&(struct paired){.won = 5, .lost = 0}), 1);
    near(paired_better(&(struct paired){.won = 5, .lost = 0}), 1.0 / 32);
    near(paired_worse(&(struct paired){.won = 1, .lost = 4}), 6.0 / 32);
    near(paired_worse(&(struct paired){.won = 2, .lost = 8}), 56.0 / 1024);
    near(paired_better(&(struct paired){.won = 12, .lost = 8}), 0.2517223358154297);
    near(paired_better(&(struct paired){.won = 60, .lost = 40}), 0.02844396682049039);
}

/* Half of a symmetric distribution, whatever its size; no underflow in the thousands. */
static void test_ties_and_large_counts(void **state) {
    (void)state;
    for (size_t n = 1; n <= 20000; n = n * 3 + 1) {
        struct paired p = {.won = n, .lost = n};

        assert_true(paired_worse(&p) > 0.5 && paired_worse(&p) <= 0.75);
        near(paired_worse(&p), paired_better(&p));
    }
    assert_true(paired_better(&(struct paired){.won = 6000, .lost = 4000}) < 1e-80);
    assert_true(paired_better(&(struct paired){.won = 6000, .lost = 4000}) > 0);
    near(paired_worse(&(struct paired){.won = 6000, .lost = 4000}), 1);
}

static void test_counts(void **state) {
    struct paired p = {0};

    (void)state;
    paired_add(&p, true, true);
    paired_add(&p, true, false);
    paired_add(&p, false, true);
    paired_add(&p, false, true);
    paired_add(&p, false, false);
    assert_int_equal(p.rows, 5);
    assert_int_equal(p.both, 1);
    assert_int_equal(p.won, 2);
    assert_int_equal(p.lost, 1);
}

/* How many of 2,000 promotions are called harmful; better(p): chance that each model is right. */
static unsigned regrets(double before, double now) {
    unsigned hurt = 0;

    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct rollback_test r = {0};
        struct rng rng;
        unsigned said = 0;

        rng_init(&rng, seed, 5);
        for (unsigned i = 0; i < 2000; i++)
            said += rollback_test_add(&r, rng_unit(&rng) < before, rng_unit(&rng) < now);
        assert_true(said <= 1 && r.over);
        hurt += said;
    }
    return hurt;
}

static void test_regret_is_rare_without_harm_and_sure_with_it(void **state) {
    (void)state;
    assert_true(regrets(0.9, 0.9) <= 2000 * ROLLBACK_TEST_LEVEL);
    assert_true(regrets(0.9, 0.7) >= 1990);
    assert_true(regrets(0.8, 0.9) <= 2);
}

static void test_regret_looks_only_at_its_looks(void **state) {
    struct rollback_test r = {0};

    (void)state;
    for (unsigned i = 0; i + 1 < ROLLBACK_TEST_FIRST; i++)
        assert_false(rollback_test_add(&r, true, false));
    assert_true(rollback_test_add(&r, true, false));
    assert_false(rollback_test_add(&r, true, false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_ties_and_large_counts),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_regret_is_rare_without_harm_and_sure_with_it),
        cmocka_unit_test(test_regret_looks_only_at_its_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
