/* test_mix.c - the sum of two parts: which one is trusted, by how much, and by how many rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/train/rows/mix.h"

#define LABELS 3u
#define MOST   4000u

struct bench {
    struct rng rng;
    size_t n;
    real wide[MOST * LABELS], deep[MOST * LABELS];
    uint32_t truth[MOST];
};

/* n rows; each part leans to the truth by so much, in a noise of its own. */
static struct bench *make(size_t n, double wide, double deep) {
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->n = n;
    rng_init(&b->rng, 3, 0);
    for (size_t i = 0; i < n; i++) {
        b->truth[i] = rng_below(&b->rng, LABELS);
        for (uint32_t k = 0; k < LABELS; k++) {
            bool is = k == b->truth[i];

            b->wide[i * LABELS + k] = (real)(rng_normal(&b->rng) + (is ? wide : 0));
            b->deep[i * LABELS + k] = (real)(rng_normal(&b->rng) + (is ? deep : 0));
        }
    }
    return b;
}

static struct mix fit(const struct bench *b) {
    const struct mix_rows rows = {b->wide, b->deep, b->truth, LABELS, b->n};
    struct mix m;

    assert_int_equal(mix_fit(&rows, &m), DIFFUSE_OK);
    return m;
}

static void two_that_err_apart_are_better_together(void **state) {
    struct bench *b = make(MOST, 2, 2);
    struct mix m = fit(b);

    (void)state;
    assert_true(m.accuracy > m.accuracy_wide + 0.05 && m.accuracy > m.accuracy_deep + 0.05);
    assert_true(m.deep / m.wide > 0.6 && m.deep / m.wide < 1.6);
    free(b);
}

static void noise_has_no_share_where_rows_tell(void **state) {
    struct bench *b = make(MOST, 2, 0);
    struct mix m = fit(b);

    (void)state;
    assert_true(m.accuracy >= m.accuracy_wide - 0.005);
    assert_true(m.deep <= 0.12 * m.wide);
    free(b);
}

static void the_better_one_leads(void **state) {
    struct bench *b = make(MOST, 0.5, 3);
    struct mix m = fit(b);

    (void)state;
    assert_true(m.deep > 2 * m.wide && m.wide > 0);
    assert_true(m.accuracy >= m.accuracy_deep - 0.005);
    free(b);
}

/* Four rows cannot tell which part is better, even where all four speak for one. */
static void few_rows_leave_both_in(void **state) {
    struct bench *b = make(4, 6, 0.1);
    struct mix m = fit(b);

    (void)state;
    assert_true(m.wide > 0 && m.deep > 0);
    free(b);
}

static void one_part_alone_is_scaled(void **state) {
    struct bench *b = make(MOST, 2, 2);
    struct mix_rows rows = {b->wide, NULL, b->truth, LABELS, b->n};
    struct mix m, twice;

    (void)state;
    assert_int_equal(mix_fit(&rows, &m), DIFFUSE_OK);
    assert_true(m.wide > 0 && m.deep == 0);
    for (size_t i = 0; i < MOST * LABELS; i++)
        b->wide[i] *= 2;
    assert_int_equal(mix_fit(&rows, &twice), DIFFUSE_OK);
    assert_true(fabs(twice.wide - m.wide / 2) < 1e-2 * m.wide);
    assert_true(fabs(twice.loss - m.loss) < 1e-4);
    free(b);
}

static void without_rows_both_count_as_they_are(void **state) {
    const struct mix_rows rows = {(const real[]){0}, (const real[]){0}, (const uint32_t[]){0},
                                  LABELS, 0};
    struct mix m;

    (void)state;
    assert_int_equal(mix_fit(&rows, &m), DIFFUSE_OK);
    assert_true(m.wide == 1 && m.deep == 1);
}

static void logits_that_are_no_numbers_are_passed_over(void **state) {
    struct bench *b = make(MOST, 2, 2);
    struct mix m;

    (void)state;
    b->deep[7] = (real)INFINITY;
    b->wide[30] = (real)NAN;
    m = fit(b);
    assert_true(isfinite(m.wide) && isfinite(m.deep) && isfinite(m.loss));
    assert_true(m.accuracy > m.accuracy_wide);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_err_apart_are_better_together),
        cmocka_unit_test(noise_has_no_share_where_rows_tell),
        cmocka_unit_test(the_better_one_leads),
        cmocka_unit_test(few_rows_leave_both_in),
        cmocka_unit_test(one_part_alone_is_scaled),
        cmocka_unit_test(without_rows_both_count_as_they_are),
        cmocka_unit_test(logits_that_are_no_numbers_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
