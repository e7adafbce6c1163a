/* test_axis.c - the scale of an axis covers its values, in few round steps, for any size of number.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/tool/common/axis.h"

/* Its first digit alone is not zero, and is 1, 2 or 5. */
static void assert_round(double step) {
    char text[32];

    (void)snprintf(text, sizeof text, "%.6e", step);
    assert_true(text[0] == '1' || text[0] == '2' || text[0] == '5');
    assert_memory_equal(text + 1, ".000000", 7);
}

static void test_covers_in_few_round_steps(void **state) {
    struct rng rng;

    (void)state;
    rng_init(&rng, 41, 0);
    for (int i = 0; i < 2000; i++) {
        double size = pow(10, (double)rng_below(&rng, 12) - 6);
        double low = (rng_unit(&rng) - 0.5) * size, span = (rng_unit(&rng) + 1e-3) * size;
        struct axis a = axis_make(low, low + span);
        char text[32];

        assert_round(a.step);
        assert_true(a.step == axis_step(low + span - low));
        assert_true(a.low <= low && a.high >= low + span);
        assert_true(low - a.low < a.step && a.high - (low + span) < a.step);
        assert_true((a.high - a.low) / a.step < 8.5);
        assert_true(span / a.step <= 6 * (1 + 1e-9));
        (void)snprintf(text, sizeof text, "%.*f", a.decimals, a.step);
        assert_true(fabs(atof(text) - a.step) < 1e-9 * a.step); /* no two steps read the same */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_covers_in_few_round_steps)};

    return cmocka_run_group_tests_name("axis", tests, NULL, NULL);
}
