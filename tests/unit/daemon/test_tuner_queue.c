/* The box between loop and tuner: bounded, in order, one order at a time, across threads. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/learn/tuner_queue.h"

enum { ITEMS = 8, LENGTH = 4, MANY = 20000 };

static struct arena arena;

static struct tuner_queue *make(void) {
    struct tuner_queue *b = NULL;
    assert_int_equal(arena_init(&arena, tuner_queue_bytes(ITEMS, LENGTH)), DIFFUSE_OK);
    assert_int_equal(tuner_queue_new(&arena, ITEMS, LENGTH, &b), DIFFUSE_OK);
    return b;
}

static void end(struct tuner_queue *b) {
    tuner_queue_done(b);
    arena_done(&arena);
}

static bool readable(const struct tuner_queue *b) {
    struct pollfd p = {.fd = tuner_queue_fd(b), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static bool put(struct tuner_queue *b, uint64_t seq) {
    uint32_t ids[2 * LENGTH];
    char label[LIMIT_LABEL_BYTES + 1];
    struct feedback_row row = {.stream = "r",
                               .stream_len = 1,
                               .seq = seq,
                               .label = label,
                               .ids = ids,
                               .n = (uint32_t)(seq % (2 * LENGTH)) + 1};
    for (uint32_t i = 0; i < row.n; i++)
        ids[i] = (uint32_t)seq + i;
    row.label_len = (size_t)snprintf(label, sizeof label, "label%u", (unsigned)seq);
    return tuner_queue_put(b, &row, "abcd");
}

static void bounded_and_in_order(void **state) {
    struct tuner_queue *b = make();
    uint32_t ids[LENGTH];
    struct tuner_queue_item item = {.ids = ids};
    (void)state;
    assert_false(tuner_queue_take(b, &item));
    for (uint64_t round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < ITEMS; i++)
            assert_true(put(b, round * 100 + i));
        assert_false(put(b, 99));
        for (uint64_t i = 0; i < ITEMS; i++) {
            uint64_t seq = round * 100 + i;
            uint32_t n = (uint32_t)(seq % (2 * LENGTH)) + 1;
            assert_true(tuner_queue_take(b, &item));
            assert_int_equal(item.row.seq, seq);
            assert_int_equal(item.row.n, n < LENGTH ? n : LENGTH); /* cut at what it holds */
            assert_ptr_equal(item.ids, ids);
            for (uint32_t k = 0; k < item.row.n; k++)
                assert_int_equal(ids[k], seq + k);
        }
        assert_false(tuner_queue_take(b, &item));
    }
    end(b);
}

static void one_order_at_a_time(void **state) {
    struct tuner_queue *b = make();
    struct tuner_queue_answer a = {.order = TUNER_QUEUE_ON, .error = DIFFUSE_BUDGET}, got;
    (void)state;
    assert_int_equal(tuner_queue_ordered(b), TUNER_QUEUE_NOTHING);
    assert_int_equal(tuner_queue_order(b, TUNER_QUEUE_ON), DIFFUSE_OK);
    assert_int_equal(tuner_queue_order(b, TUNER_QUEUE_OFF), DIFFUSE_BUSY);
    assert_int_equal(tuner_queue_ordered(b), TUNER_QUEUE_ON);
    assert_false(tuner_queue_answered(b, &got));
    assert_false(readable(b));
    assert_false(tuner_queue_said(b));
    tuner_queue_answer(b, &a);
    assert_true(tuner_queue_said(b));
    assert_false(tuner_queue_said(b)); /* since the last question */
    assert_true(readable(b));
    tuner_queue_acknowledge(b);
    assert_int_equal(tuner_queue_order(b, TUNER_QUEUE_OFF),
                     DIFFUSE_BUSY); /* the answer was not read */
    assert_true(tuner_queue_answered(b, &got));
    assert_int_equal(got.error, DIFFUSE_BUDGET);
    assert_int_equal(tuner_queue_order(b, TUNER_QUEUE_OFF), DIFFUSE_OK);
    end(b);
}

static void the_latest_events_stay(void **state) {
    struct tuner_queue *b = make();
    struct tuner_queue_event e;
    unsigned n = 0;
    (void)state;
    for (unsigned i = 0; i < 3 * TUNER_QUEUE_EVENTS; i++)
        tuner_queue_say(b, "drift", false, "event %u", i);
    assert_true(readable(b));
    while (tuner_queue_heard(b, &e)) {
        unsigned number;
        assert_int_equal(sscanf(e.text, "event %u", &number), 1);
        assert_int_equal(number, 2 * TUNER_QUEUE_EVENTS + n);
        n++;
    }
    assert_int_equal(n, TUNER_QUEUE_EVENTS);
    end(b);
}

static void *take_all(void *user) {
    struct tuner_queue *b = user;
    uint32_t ids[LENGTH];
    struct tuner_queue_item item = {.ids = ids};
    uint64_t expected = 0;
    while (expected < MANY) {
        if (!tuner_queue_take(b, &item))
            continue;
        if (item.row.seq != expected++ || ids[0] != (uint32_t)item.row.seq)
            return user;
    }
    return NULL;
}

static void across_threads(void **state) {
    struct tuner_queue *b = make();
    pthread_t thread;
    void *bad;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, take_all, b), 0);
    for (uint64_t i = 0; i < MANY;)
        i += put(b, i);
    pthread_join(thread, &bad);
    assert_null(bad);
    end(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounded_and_in_order), cmocka_unit_test(one_order_at_a_time),
        cmocka_unit_test(the_latest_events_stay), cmocka_unit_test(across_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
