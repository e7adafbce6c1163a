/* Quantiles of the histogram against a sorted list of the same values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/common/stats.h"
#include "model/base/rng.h"

#define VALUES 5000u

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void compare(struct rng *rng, unsigned top_bits) {
    static uint64_t value[VALUES];
    static struct stats s;
    memset(&s, 0, sizeof s);
    for (size_t i = 0; i < VALUES; i++) {
        value[i] = rng_next(rng) >> (64 - 1 - rng_below(rng, top_bits));
        stats_latency(&s, value[i]);
    }
    qsort(value, VALUES, sizeof value[0], by_value);
    static const double qs[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.9999, 1};
    for (size_t i = 0; i < sizeof qs / sizeof qs[0]; i++) {
        double exact = qs[i] * VALUES;
        size_t rank = (size_t)exact + ((double)(size_t)exact < exact);
        uint64_t expected = value[rank ? rank - 1 : 0];
        uint64_t got = stats_quantile(&s, qs[i]);
        assert_true(got >= expected);
        assert_true(got - expected <= expected / 64);
    }
    assert_int_equal(s.max_ns, value[VALUES - 1]);
}

static void test_quantiles(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 3, 0);
    for (unsigned top_bits = 1; top_bits <= STATS_TOP_BITS; top_bits++)
        compare(&rng, top_bits);
}

static void test_edges(void **state) {
    (void)state;
    static struct stats s;
    assert_int_equal(stats_quantile(&s, 0.5), 0);
    stats_latency(&s, UINT64_MAX);
    stats_latency(&s, (uint64_t)1 << STATS_TOP_BITS);
    stats_latency(&s, ((uint64_t)1 << STATS_TOP_BITS) - 1);
    assert_int_equal(stats_quantile(&s, 1), UINT64_MAX);
    assert_int_equal(stats_quantile(&s, 0.3), ((uint64_t)1 << STATS_TOP_BITS) - 1);
}

static void test_counters(void **state) {
    (void)state;
    static struct stats s;
    stats_refused(&s, DIFFUSE_BADMSG);
    stats_refused(&s, DIFFUSE_ERR_FORCE_INT);
    stats_add(&s, STATS_labelled, 3);
    assert_int_equal(s.counter[STATS_refused], 2);
    assert_int_equal(s.error[DIFFUSE_BADMSG], 1);
    assert_int_equal(s.counter[STATS_labelled], 3);
    for (unsigned i = 0; i < STATS_N; i++) {
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(stats_name((enum stats_counter)i),
                                    stats_name((enum stats_counter)k));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
