/* Subscriptions of one connection: a set that is bounded in number and in bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/door/topics.h"

static bool add(struct topics *t, const char *topic) {
    return topics_add(t, (const uint8_t *)topic, strlen(topic));
}

static void cancel(struct topics *t, const char *topic) {
    topics_remove(t, (const uint8_t *)topic, strlen(topic));
}

static void test_a_set(void **state) {
    (void)state;
    struct topics t = {0};
    assert_true(add(&t, "") && add(&t, "a") && add(&t, "ab") && add(&t, "a"));
    assert_int_equal(t.n, 3);
    assert_int_equal(t.bytes, 3);
    cancel(&t, "never there");
    assert_int_equal(t.n, 3);
    cancel(&t, "a");
    cancel(&t, "a");
    assert_int_equal(t.n, 2);
    assert_int_equal(t.bytes, 2);
}

static void test_number_is_bounded(void **state) {
    (void)state;
    struct topics t = {0};
    char topic[16];
    for (unsigned i = 0; i < TOPICS_MAX; i++) {
        snprintf(topic, sizeof topic, "%u", i);
        assert_true(add(&t, topic));
    }
    assert_true(add(&t, "0"));
    assert_false(add(&t, "one more"));
    cancel(&t, "other"); /* a cancel of what is not there makes no room */
    assert_false(add(&t, "one more"));
    cancel(&t, "7");
    assert_true(add(&t, "one more"));
    assert_int_equal(t.n, TOPICS_MAX);
}

static void test_bytes_are_bounded(void **state) {
    (void)state;
    struct topics t = {0};
    uint8_t topic[255] = {0};
    unsigned n = 0;
    while (n < TOPICS_MAX && topics_add(&t, topic, sizeof topic)) {
        topic[0]++;
        n++;
    }
    assert_int_equal(n, TOPICS_BYTES / sizeof topic);
    assert_true(t.bytes <= TOPICS_BYTES);
}

/* What is kept is what was asked for, to the last byte, and whatever is cancelled in between. */
static void test_what_matches(void **state) {
    (void)state;
    struct topics t = {0};
    uint8_t one[255], other[255];
    memset(one, 'x', sizeof one);
    memset(other, 'x', sizeof other);
    other[254] = 'y';
    assert_true(topics_add(&t, one, sizeof one) && add(&t, "ab") && topics_add(&t, other, 255));
    assert_int_equal(t.n, 3);
    cancel(&t, "ab");
    assert_false(topics_match(&t, (const uint8_t *)"abc", 3));
    topics_remove(&t, one, sizeof one);
    assert_false(topics_match(&t, one, sizeof one));
    assert_true(topics_match(&t, other, sizeof other));
    assert_false(topics_match(&t, other, sizeof other - 1));
    assert_true(add(&t, ""));
    assert_true(topics_match(&t, one, 0));
    assert_true(topics_match(&t, one, sizeof one));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set),
        cmocka_unit_test(test_number_is_bounded),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_what_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
