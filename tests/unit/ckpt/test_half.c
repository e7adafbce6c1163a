/* test_half.c - number conversions against arithmetic in double: all F16 and BF16, and random
 * floats. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/base/narrow.h"
#include "model/base/rng.h"
#include "model/ckpt/file/half.h"

#include "cmocka.h"

#define F16_COUNT  65536u
#define F16_FINITE 0x7c00u /* patterns of positive finite numbers */

static uint32_t bits_of(float x) {
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* What a pattern of exponent and mantissa bits means, from the definition. */
static double value_of(uint32_t bits, int mantissa_bits, int exponent_bits) {
    int sign = (bits >> (mantissa_bits + exponent_bits)) & 1;
    int exponent = (int)(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    double mantissa = bits & ((1u << mantissa_bits) - 1);
    int bias = (1 << (exponent_bits - 1)) - 1;
    double v;

    if (exponent == (1 << exponent_bits) - 1)
        v = mantissa != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        v = ldexp(mantissa, 1 - bias - mantissa_bits);
    else
        v = ldexp(mantissa + (1u << mantissa_bits), exponent - bias - mantissa_bits);
    return sign ? -v : v;
}

static void test_from_every_pattern(void **state) {
    (void)state;
    for (uint32_t b = 0; b < F16_COUNT; b++) {
        double f16 = value_of(b, 10, 5), bf16 = value_of(b, 7, 8);

        assert_int_equal(isnan(narrow_from_f16((uint16_t)b)) != 0, isnan(f16) != 0);
        assert_int_equal(isnan(narrow_from_bf16((uint16_t)b)) != 0, isnan(bf16) != 0);
        if (!isnan(f16))
            assert_int_equal(bits_of(narrow_from_f16((uint16_t)b)), bits_of((float)f16));
        if (!isnan(bf16))
            assert_int_equal(bits_of(narrow_from_bf16((uint16_t)b)), bits_of((float)bf16));
    }
}

static void test_there_and_back_every_pattern(void **state) {
    (void)state;
    for (uint32_t b = 0; b < F16_COUNT; b++) {
        float f16 = narrow_from_f16((uint16_t)b), bf16 = narrow_from_bf16((uint16_t)b);

        if (isnan(f16))
            assert_true(isnan(narrow_from_f16(narrow_to_f16(f16))));
        else
            assert_int_equal(narrow_to_f16(f16), b);
        if (isnan(bf16))
            assert_true(isnan(narrow_from_bf16(narrow_to_bf16(bf16))));
        else
            assert_int_equal(narrow_to_bf16(bf16), b);
    }
}

/* The nearest pattern to |x|, ties to the even one, by search: the patterns are in order of value,
 * and infinity stands where the next number would be. */
static uint32_t nearest(double x, int mantissa_bits, int exponent_bits) {
    uint32_t low = 0, high = ((1u << exponent_bits) - 1) << mantissa_bits; /* infinity */
    double top = 2 * value_of(high - 1, mantissa_bits, exponent_bits) -
                 value_of(high - 2, mantissa_bits, exponent_bits);
    double a, b;

    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;

        if (value_of(middle, mantissa_bits, exponent_bits) <= x)
            low = middle;
        else
            high = middle;
    }
    a = value_of(low, mantissa_bits, exponent_bits);
    b = value_of(high, mantissa_bits, exponent_bits);
    b = isinf(b) ? top : b;
    if (x - a != b - x)
        return x - a < b - x ? low : high;
    return low % 2 ? high : low;
}

static void check_rounding(float x) {
    uint32_t sign = bits_of(x) >> 31;

    if (isnan(x)) {
        assert_true(isnan(narrow_from_f16(narrow_to_f16(x))));
        assert_true(isnan(narrow_from_bf16(narrow_to_bf16(x))));
        return;
    }
    assert_int_equal(narrow_to_f16(x), sign << 15 | nearest(fabs((double)x), 10, 5));
    assert_int_equal(narrow_to_bf16(x), sign << 15 | nearest(fabs((double)x), 7, 8));
}

static void test_rounding_of_random_floats(void **state) {
    struct rng r;

    (void)state;
    rng_init(&r, 7, 0);
    for (int i = 0; i < 300000; i++) {
        check_rounding(float_of((uint32_t)rng_next(&r)));
        check_rounding((float)rng_normal(&r));
        check_rounding(ldexpf((float)rng_normal(&r), -(int)rng_below(&r, 40)));
    }
}

/* Just at, above and below every tie of F16. */
static void test_rounding_at_ties(void **state) {
    (void)state;
    for (uint32_t b = 0; b + 1 < F16_FINITE; b++) {
        float tie = (float)((value_of(b, 10, 5) + value_of(b + 1, 10, 5)) / 2);

        check_rounding(tie);
        check_rounding(-tie);
        check_rounding(nextafterf(tie, INFINITY));
        check_rounding(nextafterf(tie, 0));
    }
    check_rounding(65519.996f);
    check_rounding(65520.0f);
    check_rounding(INFINITY);
    check_rounding(-INFINITY);
    check_rounding(NAN);
}

static void test_arrays_are_little_endian(void **state) {
    const uint8_t f32[] = {0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0}; /* 1, -2.5 */
    const uint8_t f16[] = {0, 0x3c, 0, 0xc1};
    const uint8_t bf16[] = {0x80, 0x3f, 0x20, 0xc0};
    uint8_t out[sizeof f32];
    float y[2];

    (void)state;
    half_load_f32(y, f32, 2);
    assert_true(y[0] == 1.0f && y[1] == -2.5f);
    half_load_f16(y, f16, 2);
    assert_true(y[0] == 1.0f && y[1] == -2.5f);
    half_load_bf16(y, bf16, 2);
    assert_true(y[0] == 1.0f && y[1] == -2.5f);
    half_store_f32(out, y, 2);
    assert_memory_equal(out, f32, sizeof f32);
    half_store_f16(out, y, 2);
    assert_memory_equal(out, f16, sizeof f16);
    half_store_bf16(out, y, 2);
    assert_memory_equal(out, bf16, sizeof bf16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_every_pattern),
        cmocka_unit_test(test_there_and_back_every_pattern),
        cmocka_unit_test(test_rounding_of_random_floats),
        cmocka_unit_test(test_rounding_at_ties),
        cmocka_unit_test(test_arrays_are_little_endian),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
