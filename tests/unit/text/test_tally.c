/* test_tally.c - counts against plain arithmetic, and what happens at the bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/tally.h"
#include "proto/limits.h"

#include "cmocka.h"

static uint32_t add(struct tally *t, const char *s, uint64_t weight) {
    uint32_t index;

    assert_int_equal(tally_add(t, (const uint8_t *)s, strlen(s), weight, &index), DIFFUSE_OK);
    return index;
}

static void counts_add_up(void **state) {
    enum { N = 5000 };
    static uint64_t expected[N];
    struct tally *t = NULL;
    struct rng r;
    char s[16];

    (void)state;
    rng_init(&r, 1, 0);
    assert_int_equal(tally_new(&t), DIFFUSE_OK);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t number = rng_below(&r, 1 + rng_below(&r, N)), weight = rng_below(&r, 3);

        snprintf(s, sizeof s, "%x", number);
        add(t, s, weight);
        expected[number] += weight;
    }
    for (unsigned i = 0; i < N; i++) {
        uint32_t index;

        snprintf(s, sizeof s, "%x", i);
        index = tally_find(t, (const uint8_t *)s, strlen(s));
        if (index == TALLY_NONE) {
            assert_int_equal(expected[i], 0);
            continue;
        }
        assert_int_equal(tally_item(t, index).count, expected[i]);
        assert_memory_equal(tally_item(t, index).bytes, s, strlen(s));
    }
    tally_free(t);
}

static void order_is_by_count_then_bytes(void **state) {
    static const char *const expected[] = {"zz", "a", "ab", "b", ""};
    struct tally *t = NULL;
    uint32_t *order;

    (void)state;
    assert_int_equal(tally_new(&t), DIFFUSE_OK);
    assert_int_equal(add(t, "b", 1), 0);
    add(t, "", 0);
    add(t, "ab", 1);
    add(t, "zz", 2);
    assert_int_equal(add(t, "a", 1), 4);
    assert_int_equal(tally_order(t, &order), DIFFUSE_OK);
    for (unsigned i = 0; i < 5; i++) {
        struct tally_item item = tally_item(t, order[i]);

        assert_int_equal(item.len, strlen(expected[i]));
        assert_memory_equal(item.bytes, expected[i], item.len);
    }
    free(order);
    tally_free(t);
}

/* A flood of strings seen once does not push out those seen often, nor grow without end. */
static void rare_strings_are_forgotten(void **state) {
    struct tally *t = NULL;
    char s[64];

    (void)state;
    assert_int_equal(tally_new(&t), DIFFUSE_OK);
    for (unsigned i = 0; i < 3 * TALLY_STRINGS; i++) {
        snprintf(s, sizeof s, "once%x", i);
        add(t, s, 1);
        if (i % 4096 == 0) {
            snprintf(s, sizeof s, "often%x", i / 4096 % 16);
            add(t, s, 50);
        }
        assert_true(tally_size(t) <= TALLY_STRINGS);
    }
    for (unsigned i = 0; i < 16; i++) {
        uint32_t index;

        snprintf(s, sizeof s, "often%x", i);
        index = tally_find(t, (const uint8_t *)s, strlen(s));
        assert_true(index != TALLY_NONE);
        assert_int_equal(tally_item(t, index).count, 50 * (3 * TALLY_STRINGS / 4096 / 16));
    }
    tally_free(t);
}

static void long_strings_are_refused(void **state) {
    static uint8_t s[LIMIT_PIECE_BYTES + 1];
    struct tally *t = NULL;

    (void)state;
    assert_int_equal(tally_new(&t), DIFFUSE_OK);
    assert_int_equal(tally_add(t, s, LIMIT_PIECE_BYTES + 1, 1, NULL), DIFFUSE_TOOBIG);
    assert_int_equal(tally_size(t), 0);
    for (unsigned i = 0; !tally_is_full(t); i++) {
        memcpy(s, &i, sizeof i);
        assert_int_equal(tally_add(t, s, LIMIT_PIECE_BYTES, 1, NULL), DIFFUSE_OK);
    }
    assert_in_range(tally_size(t), TALLY_BYTES / LIMIT_PIECE_BYTES - 2,
                    TALLY_BYTES / LIMIT_PIECE_BYTES);
    tally_free(t);
    tally_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_add_up),
        cmocka_unit_test(order_is_by_count_then_bytes),
        cmocka_unit_test(rare_strings_are_forgotten),
        cmocka_unit_test(long_strings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
