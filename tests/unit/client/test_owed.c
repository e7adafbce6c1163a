/* test_owed.c - labels still to come, against plain counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/relay/owed.h"
#include "model/base/rng.h"

#include "cmocka.h"

static struct owed *owed;

static int make(void **state) {
    (void)state;
    return (owed = calloc(1, sizeof *owed)) ? 0 : -1;
}

static int drop(void **state) {
    (void)state;
    free(owed);
    return 0;
}

static void agrees_with_counting(void **state) {
    enum { STREAMS = 500 };
    uint64_t counts[STREAMS] = {0}, total = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1, 1);
    for (int i = 0; i < 200000; i++) {
        uint32_t s = rng_below(&rng, STREAMS);
        uint64_t hash = (uint64_t)s * OWED_STREAMS / 4; /* they collide; and one of them is 0 */

        if (rng_below(&rng, 2)) {
            owed_add(owed, hash);
            counts[s]++;
            total++;
        } else {
            owed_pay(owed, hash);
            total -= counts[s] > 0; /* labels of what others sent pay for nothing */
            counts[s] -= counts[s] > 0;
        }
        assert_int_equal(owed->total, total);
    }
    owed_forgive(owed);
    owed_pay(owed, 1);
    assert_int_equal(owed->total, 0);
}

/* More streams than there is room for: the rest is not waited for, and nothing hangs. */
static void more_streams_than_places(void **state) {
    (void)state;
    owed_forgive(owed);
    for (uint64_t i = 1; i <= 3 * OWED_STREAMS; i++)
        owed_add(owed, i);
    assert_int_equal(owed->total, OWED_STREAMS / 4 * 3);
    for (uint64_t i = 1; i <= 3 * OWED_STREAMS; i++)
        owed_pay(owed, i);
    assert_int_equal(owed->total, 0);
    owed_add(owed, 3 * OWED_STREAMS + 1); /* all are paid: there is room again */
    assert_int_equal(owed->total, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_counting),
        cmocka_unit_test(more_streams_than_places),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
