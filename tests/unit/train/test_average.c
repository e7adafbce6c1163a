/* test_average.c - the moving average against its definition, step by step in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/train/update/average.h"

#define N 1003

/* What weight i is after a step: wanders, and settles. */
static float wander(size_t i, uint64_t step) {
    return sinf((float)(i + step)) / (float)step + (float)i;
}

/* The average after so many steps; every weight of the same one. */
static void follow(double decay, uint64_t most, unsigned threads, uint64_t steps, float ret[N]) {
    struct average a = {0};
    struct team *team;
    float x[N];

    assert_int_equal(team_new(threads, &team, NULL), DIFFUSE_OK);
    assert_int_equal(average_init(&a, N, decay, most), DIFFUSE_OK);
    for (uint64_t s = 1; s <= steps; s++) {
        for (size_t i = 0; i < N; i++)
            x[i] = wander(i, s);
        average_step(&a, team, s, x);
    }
    memcpy(ret, a.block, sizeof x);
    average_done(&a);
    team_free(team);
}

/* The mean of takings, every apart, until it forgets faster by itself. */
static double expected(size_t i, double decay, uint64_t every, uint64_t steps) {
    double y = 0, keep = pow(decay, (double)every);

    for (uint64_t taking = 1; taking * every <= steps; taking++) {
        double share = fmax(1 - keep, 1 / (double)taking);

        y += share * ((double)wander(i, taking * every) - y);
    }
    return y;
}

static void check(double decay, uint64_t most, uint64_t every, uint64_t steps) {
    float y[N], alone[N];

    follow(decay, most, 3, steps, y);
    follow(decay, most, 1, steps, alone);
    assert_memory_equal(y, alone, sizeof y);
    for (size_t i = 0; i < N; i++) {
        double e = expected(i, decay, every, steps);

        assert_true(fabs((double)y[i] - e) < 1e-5 * (1 + fabs(e)));
    }
}

static void test_follows_its_definition(void **state) {
    (void)state;
    check(0.9, 1000, 1, 7);    /* still the mean */
    check(0.9, 1000, 1, 100);  /* long past it */
    check(0.99, 1000, 5, 104); /* the last taking is four steps old */
    check(0.999, 1000, 50, 500);
    check(0.999, 20, 20, 500); /* an epoch is shorter */
}

static void test_no_decay_is_the_weights(void **state) {
    float y[N];

    (void)state;
    follow(0, 1000, 2, 9, y);
    for (size_t i = 0; i < N; i++)
        assert_true(y[i] == wander(i, 9));
}

static void test_none_is_kept(void **state) {
    struct average a = {0};

    (void)state;
    average_step(&a, NULL, 1, NULL);
    assert_null(a.block);
    average_done(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_its_definition),
        cmocka_unit_test(test_no_decay_is_the_weights),
        cmocka_unit_test(test_none_is_kept),
    };

    return cmocka_run_group_tests_name("average", tests, NULL, NULL);
}
