/* test_vec.c - the vector loops against libm and plain sums, over odd lengths and extreme values.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/base/vec.h"

#define N 1037 /* no multiple of any vector width */

static double gelu(double x) {
    return x * 0.5 * erfc(-x * M_SQRT1_2);
}

static double gelu_slope(double x) {
    return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) / sqrt(2 * M_PI);
}

static void test_gelu_is_the_erf_form(void **state) {
    float x[N], y[N], again[N], slope[N];

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = (float)(i - N / 2) * 0.025f;
    vec_gelu(N, x, y);
    vec_gelu_slope(N, x, again, slope);
    for (int i = 0; i < N; i++) {
        assert_true(fabs((double)y[i] - gelu((double)x[i])) < 1e-6);
        assert_true(fabs((double)slope[i] - gelu_slope((double)x[i])) < 1e-6);
        assert_true(y[i] == again[i] || fabsf(y[i] - again[i]) < 1e-6f);
    }
}

static void test_gelu_far_out(void **state) {
    float x[] = {-1e30f, -1000, -40, 40, 1000, 1e30f, -0.0f, NAN}, y[8];

    (void)state;
    vec_gelu(8, x, y);
    for (int i = 0; i < 3; i++)
        assert_true(fabsf(y[i]) < 1e-6f);
    for (int i = 3; i < 6; i++)
        assert_true(y[i] == x[i]);
    assert_true(y[6] == 0);
    assert_true(isnan(y[7])); /* training must see that it diverged */
}

static void test_sums(void **state) {
    float x[N], total[N] = {0}, rows[3 * N];
    double squares = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 5, 0);
    for (int i = 0; i < N; i++) {
        x[i] = (float)rng_normal(&rng);
        squares += (double)x[i] * (double)x[i];
    }
    assert_true(fabs((double)vec_sum_squares(N, x) - squares) < 1e-3);
    for (int i = 0; i < 3 * N; i++)
        rows[i] = 1;
    vec_add_rows(3, N, x, rows);
    vec_sum_rows(3, N, rows, total);
    for (int i = 0; i < N; i++)
        assert_true(fabsf(total[i] - 3 * (1 + x[i])) < 1e-5f);
}

static void test_mask_scales_what_it_keeps(void **state) {
    float y[4] = {1, 2, 3, 4};
    const uint8_t keep[4] = {1, 0, 0, 1};

    (void)state;
    vec_apply_mask(4, keep, 2, y);
    assert_true(y[0] == 2 && y[1] == 0 && y[2] == 0 && y[3] == 8);
}

static void test_sine(void **state) {
    (void)state;
    for (int i = -20000; i <= 20000; i++) {
        real x = (real)i / 20, y, y2, slope;

        vec_sine(1, &x, &y);
        vec_sine_slope(1, &x, &y2, &slope);
        assert_true(y == y2);
        assert_true(fabs((double)y - sin(3 * (double)x)) < 3e-4 * fabs((double)x) / 1000 + 3e-7);
        assert_true(fabs((double)slope - 3 * cos(3 * (double)x)) <
                    9e-4 * fabs((double)x) / 1000 + 9e-7);
    }
}

static void test_exponentials_and_their_sum(void **state) {
    float x[N], y[N];
    double sum = 0, dot = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = -(float)i * 0.37f;
        y[i] = x[i] + 5;
        dot += (double)x[i] * (double)y[i];
    }
    y[3] = -1e30f; /* left out of a softmax */
    assert_true(fabs((double)vec_dot(N, x, x) - (double)vec_sum_squares(N, x)) < 1e-2);
    for (int i = 0; i < N; i++)
        sum += exp((double)y[i] - 5);
    assert_true(fabs((double)vec_exp_sum(N, 5, y) / sum - 1) < 1e-5);
    for (int i = 0; i < N; i++) {
        double expected = i == 3 ? 0 : exp((double)x[i]);

        assert_true(fabs((double)y[i] - expected) <= 1e-5 * expected + 1e-37);
    }
    for (int i = 0; i < N; i++)
        y[i] = x[i] + 5;
    assert_true(fabs((double)vec_dot(N, x, y) / dot - 1) < 1e-5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sine),
        cmocka_unit_test(test_gelu_is_the_erf_form),
        cmocka_unit_test(test_gelu_far_out),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_mask_scales_what_it_keeps),
        cmocka_unit_test(test_exponentials_and_their_sum),
    };

    return cmocka_run_group_tests_name("vec", tests, NULL, NULL);
}
