/* test_permute.c - the computed order: each number once, and no order favoured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/train/rows/permute.h"

static void assert_each_once(uint64_t n, uint64_t seed, uint64_t stream) {
    bool *seen = calloc(n, sizeof *seen);
    struct permute p;

    assert_non_null(seen);
    permute_init(&p, n, seed, stream);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = permute_at(&p, i);

        assert_true(at < n);
        assert_false(seen[at]);
        seen[at] = true;
    }
    free(seen);
}

static void test_each_number_once(void **state) {
    const uint64_t n[] = {1,   2,   3,    4,    7,    10,   63,    64,    65,    255,    256,
                          257, 448, 1000, 1023, 1024, 4097, 65535, 65536, 65537, 1000003};

    (void)state;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        for (uint64_t seed = 0; seed < 3; seed++)
            assert_each_once(n[i], seed, 7 * seed);
}

/* Numbers that no test can list all of: they must still be below n, and apart. */
static void test_large_orders(void **state) {
    const uint64_t n[] = {(1ull << 32) - 1, (1ull << 32) + 1, 1ull << 63, UINT64_MAX};
    uint64_t got[64];
    struct permute p;

    (void)state;
    for (size_t k = 0; k < sizeof n / sizeof *n; k++) {
        permute_init(&p, n[k], 1, 2);
        for (uint64_t i = 0; i < 64; i++) {
            got[i] = permute_at(&p, i % 2 ? n[k] - i : i);
            assert_true(got[i] < n[k]);
            for (uint64_t j = 0; j < i; j++)
                assert_true(got[j] != got[i]);
        }
    }
}

static unsigned places_alike(const struct permute *a, const struct permute *b) {
    unsigned alike = 0;

    for (uint64_t i = 0; i < a->n; i++)
        alike += permute_at(a, i) == permute_at(b, i);
    return alike;
}

/* Two random orders of 1000 agree in one place on average, in 12 or more once in 10^9. */
static void test_seed_and_stream_count(void **state) {
    struct permute a, b;

    (void)state;
    permute_init(&a, 1000, 1, 1);
    permute_init(&b, 1000, 1, 1);
    assert_int_equal(places_alike(&a, &b), 1000);
    permute_init(&b, 1000, 2, 1);
    assert_true(places_alike(&a, &b) < 12);
    permute_init(&b, 1000, 1, 2);
    assert_true(places_alike(&a, &b) < 12);
}

/* Over many seeds, each number comes to each place equally often: chi-square with 81 degrees of
 * freedom exceeds 160 less than once in 10^6. */
static void test_places_are_uniform(void **state) {
    enum { N = 10, SEEDS = 20000 };
    static unsigned count[N][N];
    const double expected = (double)SEEDS / N;
    double chi = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct permute p;

        permute_init(&p, N, seed, 3);
        for (uint64_t i = 0; i < N; i++)
            count[i][permute_at(&p, i)]++;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            chi += (count[i][j] - expected) * (count[i][j] - expected) / expected;
    assert_true(chi < 160);
    assert_true(chi > 30); /* nor more even than chance */
}

/* All 24 orders of four: 23 degrees of freedom, above 75 less than once in 10^6. */
static void test_orders_are_uniform(void **state) {
    enum { SEEDS = 24000 };
    static unsigned count[256];
    double chi = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct permute p;
        uint64_t code = 0;

        permute_init(&p, 4, 9, seed);
        for (uint64_t i = 0; i < 4; i++)
            code = code << 2 | permute_at(&p, i);
        count[code]++;
    }
    for (int i = 0; i < 256; i++)
        if (count[i])
            chi += (count[i] - SEEDS / 24.0) * (count[i] - SEEDS / 24.0) / (SEEDS / 24.0);
    assert_true(chi > 3 && chi < 75);
}

/* Neighbours in one order must not stay neighbours: of 65536 steps, one in 65536 is +1 by chance.
 */
static void test_neighbours_part(void **state) {
    struct permute p;
    unsigned steps = 0;

    (void)state;
    permute_init(&p, 65537, 5, 5);
    for (uint64_t i = 1; i < p.n; i++)
        steps += permute_at(&p, i) == permute_at(&p, i - 1) + 1;
    assert_true(steps < 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_number_once),      cmocka_unit_test(test_large_orders),
        cmocka_unit_test(test_seed_and_stream_count), cmocka_unit_test(test_places_are_uniform),
        cmocka_unit_test(test_orders_are_uniform),    cmocka_unit_test(test_neighbours_part),
    };

    return cmocka_run_group_tests_name("permute", tests, NULL, NULL);
}
