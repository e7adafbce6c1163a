/* test_calibrate.c - the temperature is found again that logits were spoilt with. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/ckpt/model.h"
#include "model/train/eval/calibrate.h"
#include "model/train/eval/quality.h"

#define LABELS 6u

static struct calibrate_set make(size_t n) {
    struct calibrate_set s = {.labels = LABELS, .n = n};

    s.logits = calloc(n * LABELS, sizeof *s.logits);
    s.truth = calloc(n, sizeof *s.truth);
    assert_true(s.logits && s.truth);
    return s;
}

static void done(struct calibrate_set *s) {
    free(s->logits);
    free(s->truth);
}

/* Truths drawn from the softmax of random logits: at temperature 1 these are honest. Then all
 * logits are multiplied, which the same temperature undoes. */
static struct calibrate_set honest(size_t n, double times) {
    struct calibrate_set s = make(n);
    struct rng rng;

    rng_init(&rng, 3, 0);
    for (size_t i = 0; i < n; i++) {
        real *z = s.logits + i * LABELS;
        double sum = 0, at;

        for (uint32_t k = 0; k < LABELS; k++) {
            z[k] = 2 * (real)rng_normal(&rng);
            sum += exp((double)z[k]);
        }
        at = sum * (double)rng_below(&rng, 1u << 30) / (double)(1u << 30);
        for (uint32_t k = 0; k < LABELS; k++) {
            if (at >= 0)
                s.truth[i] = k;
            at -= exp((double)z[k]);
            z[k] = (real)((double)z[k] * times);
        }
    }
    return s;
}

static double loss(const struct calibrate_set *s, double temperature) {
    struct quality m;
    double mean;

    assert_int_equal(quality_init(&m, s->labels, temperature), DIFFUSE_OK);
    for (size_t i = 0; i < s->n; i++)
        assert_int_equal(quality_add(&m, s->logits + i * s->labels, s->truth[i]), DIFFUSE_OK);
    mean = quality_loss(&m, &m.scaled);
    quality_done(&m);
    return mean;
}

static void test_finds_the_temperature(void **state) {
    static const double times[] = {0.1, 0.4, 1, 1.7, 4, 15};

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct calibrate_set s = honest(8000, times[i]);
        double t = calibrate_temperature(&s);

        if (!(fabs(t / times[i] - 1) < 0.05))
            fail_msg("%g, expected about %g", t, times[i]);
        /* no worse than what lies to either side, but for the one row that is held unknown */
        assert_true(loss(&s, t) <= loss(&s, t * 1.03) + 1e-5);
        assert_true(loss(&s, t) <= loss(&s, t / 1.03) + 1e-5);
        done(&s);
    }
}

static void test_calibrating_lowers_the_error(void **state) {
    struct calibrate_set s = honest(8000, 3);
    struct quality m;

    (void)state;
    assert_int_equal(quality_init(&m, LABELS, calibrate_temperature(&s)), DIFFUSE_OK);
    for (size_t i = 0; i < s.n; i++)
        assert_int_equal(quality_add(&m, s.logits + i * LABELS, s.truth[i]), DIFFUSE_OK);
    assert_true(quality_ece(&m, &m.raw) > 0.1);
    assert_true(quality_ece(&m, &m.scaled) < 0.02);
    quality_done(&m);
    done(&s);
}

/* Beyond the range: its end. */
static void test_ends_of_the_range(void **state) {
    struct calibrate_set s = honest(2000, 400);

    (void)state;
    assert_true(calibrate_temperature(&s) == MODEL_TEMPERATURE_MAX);
    done(&s);
    s = honest(2000, 0.01);
    assert_true(calibrate_temperature(&s) == MODEL_TEMPERATURE_MIN);
    done(&s);
    s = make(100); /* always wrong, and sure */
    for (size_t i = 0; i < s.n; i++)
        s.logits[i * LABELS + 1] = 50;
    assert_true(calibrate_temperature(&s) == MODEL_TEMPERATURE_MAX);
    done(&s);
}

/* Without a mistake, n rows do not make anyone surer than n rows can. */
static void test_no_mistakes(void **state) {
    (void)state;
    for (size_t n = 10; n <= 1000; n *= 10) {
        struct calibrate_set s = make(n);
        double t, sure;

        for (size_t i = 0; i < n; i++)
            s.logits[i * LABELS] = 10;
        t = calibrate_temperature(&s);
        sure = 1 / (1 + (LABELS - 1) * exp(-10 / t));
        assert_true(sure > 1 - 1.01 / (double)n && sure < 1 - 0.5 / (double)n);
        done(&s);
    }
}

static void test_nothing_to_go_by(void **state) {
    struct calibrate_set s = make(50);

    (void)state;
    assert_true(calibrate_temperature(&s) == 1); /* all alike */
    for (size_t i = 0; i < s.n; i++)
        s.logits[i * LABELS] = i % 2 ? NAN : INFINITY;
    assert_true(calibrate_temperature(&s) == 1);
    s.n = 0;
    assert_true(calibrate_temperature(&s) == 1);
    done(&s);
}

/* Saturated: differences that a float's exp knows nothing of. */
static void test_huge_logits(void **state) {
    struct calibrate_set s = make(400);
    double t;

    (void)state;
    for (size_t i = 0; i < s.n; i++) {
        s.logits[i * LABELS] = i % 2 ? 3e37f : -3e37f;
        s.truth[i] = i % 3 == 0;
    }
    t = calibrate_temperature(&s);
    assert_true(t >= MODEL_TEMPERATURE_MIN && t <= MODEL_TEMPERATURE_MAX);
    done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_temperature),
        cmocka_unit_test(test_calibrating_lowers_the_error),
        cmocka_unit_test(test_ends_of_the_range),
        cmocka_unit_test(test_no_mistakes),
        cmocka_unit_test(test_nothing_to_go_by),
        cmocka_unit_test(test_huge_logits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
