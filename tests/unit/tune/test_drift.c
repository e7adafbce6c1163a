/* test_drift.c - a change of the error rate is noticed, and chance is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/tune/drift.h"

/* Alarms of a kind among n values of rate p. */
static unsigned run(struct drift *d, struct rng *rng, unsigned n, double p,
                    enum drift_change kind) {
    unsigned alarms = 0;

    for (unsigned i = 0; i < n; i++)
        alarms += drift_add(d, rng_unit(rng) < p) == kind;
    return alarms;
}

/* Streams of 10,000 values at one rate: how many of 300 give a false alarm. */
static unsigned false_alarms(double p) {
    unsigned streams = 0;

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct drift d;
        struct rng rng;

        drift_init(&d, 0.002);
        rng_init(&rng, seed, 3);
        streams += run(&d, &rng, 10000, p, DRIFT_MORE) > 0;
    }
    return streams;
}

static void test_stable_streams_are_quiet(void **state) {
    const double rates[] = {0, 0.02, 0.1, 0.3, 0.5};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        unsigned n = false_alarms(rates[i]);

        print_message("rate %.2f: %u of 300 streams gave a false alarm\n", rates[i], n);
        assert_true(n <= 15); /* one in twenty */
    }
}

/* From 10 % to 30 % errors: noticed within 400 values in all but one of fifty. */
static void test_a_rise_is_noticed(void **state) {
    unsigned seen = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct drift d;
        struct rng rng;

        drift_init(&d, 0.002);
        rng_init(&rng, seed, 4);
        (void)run(&d, &rng, 1000, 0.1, DRIFT_MORE);
        seen += run(&d, &rng, 400, 0.3, DRIFT_MORE) > 0;
    }
    print_message("a rise from 0.1 to 0.3 seen in %u of 200 streams\n", seen);
    assert_true(seen >= 196);
}

/* One change, one alarm, or two when it was first noticed by few of the new values. */
static void test_one_change_is_not_said_for_ever(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct drift d;
        struct rng rng;
        unsigned alarms;

        drift_init(&d, 0.002);
        rng_init(&rng, seed, 5);
        (void)run(&d, &rng, 2000, 0.1, DRIFT_MORE);
        alarms = run(&d, &rng, 5000, 0.5, DRIFT_MORE);
        assert_in_range(alarms, 1, 2);
    }
}

static void test_an_improvement_is_not_a_rise(void **state) {
    struct drift d;
    struct rng rng;

    (void)state;
    drift_init(&d, 0.002);
    rng_init(&rng, 1, 6);
    (void)run(&d, &rng, 1000, 0.4, DRIFT_MORE);
    for (unsigned i = 0, less = 0; i < 500; i++) {
        enum drift_change change = drift_add(&d, rng_unit(&rng) < 0.05);

        less += change == DRIFT_LESS;
        assert_int_not_equal(change, DRIFT_MORE);
        if (i == 499)
            assert_true(less >= 1);
    }
}

/* The histogram's counts are those of the values in it, however many went past. */
static void test_the_window_adds_up(void **state) {
    struct drift d;
    struct rng rng;

    (void)state;
    drift_init(&d, 0.002);
    rng_init(&rng, 1, 7);
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t n = 0, ones = 0;

        (void)drift_add(&d, rng_unit(&rng) < (i / 20000 % 2 ? 0.2 : 0.25));
        if (i % 997)
            continue;
        for (uint32_t k = 0; k < DRIFT_ROWS; k++) {
            assert_true(d.used[k] <= DRIFT_BUCKETS);
            n += (uint64_t)d.used[k] << k;
            for (uint32_t b = 0; b < d.used[k]; b++)
                ones += d.one[k][b];
        }
        assert_int_equal(n, d.n);
        assert_int_equal(ones, d.ones);
        assert_true(n <= i + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stable_streams_are_quiet),
        cmocka_unit_test(test_a_rise_is_noticed),
        cmocka_unit_test(test_one_change_is_not_said_for_ever),
        cmocka_unit_test(test_an_improvement_is_not_a_rise),
        cmocka_unit_test(test_the_window_adds_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
