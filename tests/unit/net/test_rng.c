/* test_rng.c - moments and tails of the random numbers, and that seeds and streams differ. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/rng.h"

#define N 400000

struct moments {
    double mean, variance, kurtosis, beyond3, beyond4;
};

static struct moments measure(const real *x) {
    struct moments m = {0};

    for (int i = 0; i < N; i++)
        m.mean += (double)x[i] / N;
    for (int i = 0; i < N; i++) {
        double d = (double)x[i] - m.mean;

        m.variance += d * d / N;
        m.kurtosis += d * d * d * d / N;
        m.beyond3 += fabs(d) > 3;
        m.beyond4 += fabs(d) > 4;
    }
    m.kurtosis /= m.variance * m.variance;
    return m;
}

/* Bounds are five standard errors or more at this N. */
static void assert_normal(const real *x) {
    struct moments m = measure(x);

    assert_true(fabs(m.mean) < 0.008);
    assert_true(fabs(m.variance - 1) < 0.012);
    assert_true(fabs(m.kurtosis - 3) < 0.05);
    assert_true(fabs(m.beyond3 / N - 0.0027) <
                0.0005); /* the ziggurat's layers meet its tail at 3.44 */
    assert_true(fabs(m.beyond4 / N - 6.33e-5) < 7e-5 && m.beyond4 > 0);
}

static void test_normals(void **state) {
    static real x[N];
    struct rng_table table;
    struct rng rng;

    (void)state;
    rng_init(&rng, 17, 0);
    for (int i = 0; i < N; i++)
        x[i] = (real)rng_normal(&rng);
    assert_normal(x);
    memset(x, 0, sizeof x);
    rng_table_init(&table);
    rng_add_normals(&rng, &table, N, 1, x);
    assert_normal(x);
}

static void test_below_is_even(void **state) {
    size_t count[7] = {0};
    struct rng rng;

    (void)state;
    rng_init(&rng, 23, 0);
    for (int i = 0; i < 70000; i++)
        count[rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], 9500, 10500);
    assert_int_equal(rng_below(&rng, 1), 0);
}

static void test_mask_share(void **state) {
    static uint8_t keep[80003];
    size_t kept = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 29, 0);
    rng_mask(&rng, sizeof keep, 0.25, keep);
    for (size_t i = 0; i < sizeof keep; i++) {
        assert_true(keep[i] <= 1);
        kept += keep[i];
    }
    assert_in_range(kept, 59000, 61000);
}

/* A mask is the bytes of the sequence, the lowest of each number first. */
static void test_mask_is_the_sequence(void **state) {
    static uint8_t keep[5003];
    struct rng a, b;
    uint64_t bits = 0;

    (void)state;
    rng_init(&a, 31, 0);
    b = a;
    rng_mask(&a, sizeof keep, 0.7, keep);
    for (size_t i = 0; i < sizeof keep; i++) {
        if (i % 8 == 0)
            bits = rng_next(&b);
        assert_int_equal(keep[i], (bits & 0xff) >= 179);
        bits >>= 8;
    }
    assert_memory_equal(&a, &b, sizeof a);
    rng_mask(&a, sizeof keep, 1, keep);
    for (size_t i = 0; i < sizeof keep; i++)
        assert_int_equal(keep[i], 0);
}

/* Many normals at once are those that one at a time gives: a run of training can be cut anywhere.
 */
static void test_normals_do_not_depend_on_the_cut(void **state) {
    static real x[N], y[N];
    struct rng_table table;
    struct rng a, b;

    (void)state;
    rng_table_init(&table);
    rng_init(&a, 37, 0);
    b = a;
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    rng_add_normals(&a, &table, N, 2, x);
    for (size_t i = 0; i < N; i++)
        rng_add_normals(&b, &table, 1, 2, y + i);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_equal(&a, &b, sizeof a);
}

static void test_seeds_and_streams_differ(void **state) {
    struct rng a, b;

    (void)state;
    for (uint64_t stream = 0; stream < 100; stream++) {
        rng_init(&a, 1, stream);
        rng_init(&b, 1, stream + 1);
        assert_true(rng_next(&a) != rng_next(&b));
        rng_init(&b, 2, stream);
        rng_init(&a, 1, stream);
        assert_true(rng_next(&a) != rng_next(&b));
        rng_init(&b, 1, stream);
        rng_init(&a, 1, stream);
        assert_true(rng_next(&a) == rng_next(&b));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normals),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_mask_share),
        cmocka_unit_test(test_mask_is_the_sequence),
        cmocka_unit_test(test_normals_do_not_depend_on_the_cut),
        cmocka_unit_test(test_seeds_and_streams_differ),
    };

    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
