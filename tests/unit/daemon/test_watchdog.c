/* The watchdog hears of a path that moves, and of no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/report/watchdog.h"

#define SECOND 1000000000u

struct scene {
    struct watchdog pulse;
    struct worker worker[2];
    uint64_t now;
};

static void begin(struct scene *s, uint64_t watchdog_s) {
    *s = (struct scene){.now = 77 * (uint64_t)SECOND};
    watchdog_init(&s->pulse, watchdog_s * SECOND, s->now);
}

static bool second_later(struct scene *s, bool waiting, bool held) {
    s->now += SECOND;
    return watchdog_look(&s->pulse, s->worker, 2, waiting, held, s->now);
}

static void turn(struct scene *s, int worker) {
    s->worker[worker].turns++;
}

static void test_without_watchdog(void **state) {
    (void)state;
    struct scene s;
    begin(&s, 0);
    assert_false(second_later(&s, false, false));
}

static void test_idle_is_well(void **state) {
    (void)state;
    struct scene s;
    begin(&s, 10);
    for (int i = 0; i < 100; i++)
        assert_true(second_later(&s, false, false));
}

/* Batches that each take longer than the time between two looks. */
static void test_slow_is_well(void **state) {
    (void)state;
    struct scene s;
    begin(&s, 10);
    for (int i = 0; i < 100; i++) {
        if (i % 4 == 0)
            turn(&s, 0);
        if (i % 3 == 0)
            turn(&s, 1);
        assert_true(second_later(&s, true, false));
    }
}

static void test_one_stuck_worker(void **state) {
    (void)state;
    struct scene s;
    begin(&s, 10);
    turn(&s, 0); /* begins, and never ends */
    for (int i = 0; i < 100; i++) {
        turn(&s, 1); /* the other goes on */
        assert_int_equal(second_later(&s, true, false), i < 5);
    }
    turn(&s, 0); /* it ends after all */
    assert_true(second_later(&s, true, false));
}

static void test_nobody_takes_what_waits(void **state) {
    (void)state;
    struct scene s;
    begin(&s, 10);
    assert_true(second_later(&s, false, false));
    for (int i = 1; i <= 100; i++)
        assert_int_equal(second_later(&s, true, false), i < 5);
    turn(&s, 1);
    assert_true(second_later(&s, true, false));
}

/* The subscriber that holds everybody back is no fault of ours, as long as label_wait may be. */
static void test_held_is_well(void **state) {
    (void)state;
    struct scene s;
    begin(&s, 10);
    for (int i = 0; i < 100; i++)
        assert_true(second_later(&s, true, true));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_watchdog),
        cmocka_unit_test(test_idle_is_well),
        cmocka_unit_test(test_slow_is_well),
        cmocka_unit_test(test_one_stuck_worker),
        cmocka_unit_test(test_nobody_takes_what_waits),
        cmocka_unit_test(test_held_is_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
