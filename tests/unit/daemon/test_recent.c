/* The samples answered last: found by stream and number, forgotten in order, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/path/recent.h"
#include "model/base/rng.h"

enum { ROWS = 50, LENGTH = 8 };

static struct arena arena;

static struct recent *make(void) {
    struct recent *r = NULL;
    assert_int_equal(arena_init(&arena, recent_bytes(ROWS, LENGTH)), DIFFUSE_OK);
    assert_int_equal(recent_new(&arena, ROWS, LENGTH, &r), DIFFUSE_OK);
    return r;
}

static struct stream_name named(const char *name, size_t len) {
    static const struct keyed key = {{7}};
    return stream_name(&key, name, len);
}

/* A sample whose every field follows from stream and seq. */
static void keep(struct recent *r, unsigned stream, uint64_t seq, uint32_t label) {
    uint32_t ids[2 * LENGTH];
    struct inflight_sample s = {.seq = seq, .ids = ids, .label = label, .confidence = 0.5f};
    s.stream_len = (uint8_t)snprintf(s.stream, sizeof s.stream, "robot%u", stream);
    s.stream_hash = named(s.stream, s.stream_len).hash;
    s.n = (uint32_t)(seq % (2 * LENGTH)) + 1;
    for (uint32_t i = 0; i < s.n; i++)
        ids[i] = (uint32_t)seq + i;
    recent_keep(r, &s);
}

static bool find(const struct recent *r, unsigned stream, uint64_t seq, struct feedback_row *row) {
    char name[32];
    int len = snprintf(name, sizeof name, "robot%u", stream);
    return recent_find(r, named(name, (size_t)len), seq, row);
}

static void found_as_kept(void **state) {
    struct recent *r = make();
    struct feedback_row row;
    (void)state;
    keep(r, 1, 7, 3);
    keep(r, 2, 7, 4);
    assert_true(find(r, 1, 7, &row));
    assert_int_equal(row.predicted, 3);
    assert_int_equal(row.n, 8);
    assert_int_equal(row.ids[7], 14);
    assert_int_equal(row.label_id, FEEDBACK_NO_LABEL);
    assert_true(find(r, 2, 7, &row));
    assert_int_equal(row.predicted, 4);
    assert_false(find(r, 3, 7, &row));
    assert_false(find(r, 1, 8, &row));
    keep(r, 1, 15, 3); /* 16 tokens: cut at what a row holds */
    assert_true(find(r, 1, 15, &row));
    assert_int_equal(row.n, LENGTH);
    arena_done(&arena);
}

static void same_number_takes_the_place(void **state) {
    struct recent *r = make();
    struct feedback_row row;
    (void)state;
    keep(r, 1, 7, 3);
    recent_judge(r, named("robot1", 6), 7, 2);
    assert_true(find(r, 1, 7, &row));
    assert_int_equal(row.label_id, 2);
    keep(r, 1, 7, 5);
    assert_int_equal(recent_count(r), 1);
    assert_true(find(r, 1, 7, &row));
    assert_int_equal(row.predicted, 5);
    assert_int_equal(row.label_id, FEEDBACK_NO_LABEL);
    arena_done(&arena);
}

/* What may not be aimed at: rows that fall into one chain of a hash without a key (FNV-1a of the
 * name, the number xored in, times an odd number) cost no more than others. */
static double seconds_of(uint64_t (*number)(uint64_t i)) {
    enum { MANY = 1 << 15 };
    struct recent *r = NULL;
    struct timespec begin, end;
    uint32_t id = 1;
    assert_int_equal(arena_init(&arena, recent_bytes(MANY, 1)), DIFFUSE_OK);
    assert_int_equal(recent_new(&arena, MANY, 1, &r), DIFFUSE_OK);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (uint64_t i = 0; i < MANY; i++) {
        struct inflight_sample s = {
            .stream = "r", .stream_len = 1, .seq = number(i), .ids = &id, .n = 1};
        recent_keep(r, &s);
    }
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    assert_int_equal(recent_count(r), MANY);
    arena_done(&arena);
    return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}

static uint64_t in_order(uint64_t i) {
    return i;
}

static uint64_t aimed(uint64_t i) {
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    const uint64_t name = (14695981039346656037u ^ (uint8_t)'r') * 1099511628211u;
    uint64_t inverse = odd;
    for (int k = 0; k < 6; k++)
        inverse *= 2 - odd * inverse;
    return (i * inverse) ^ name; /* times odd: i, of which the upper half is the bucket */
}

static void nobody_aims_at_a_chain(void **state) {
    (void)state;
    double usual = seconds_of(in_order), crafted = seconds_of(aimed);
    if (crafted > 20 * usual)
        fail_msg("%.4f s for numbers in order, %.4f s for crafted ones", usual, crafted);
}

/* Against a plain list, through many laps and repeated numbers. */
static void holds_the_latest(void **state) {
    struct recent *r = make();
    struct {
        unsigned stream;
        uint64_t seq;
        bool gone;
    } kept[5000];
    struct rng rng;
    struct feedback_row row;
    (void)state;
    rng_init(&rng, 5, 0);
    for (size_t n = 0; n < 5000; n++) {
        kept[n].stream = (unsigned)rng_below(&rng, 4);
        kept[n].seq = rng_below(&rng, 400);
        kept[n].gone = false;
        for (size_t i = n > 200 ? n - 200 : 0; i < n; i++)
            if (kept[i].stream == kept[n].stream && kept[i].seq == kept[n].seq)
                kept[i].gone = true; /* replaced */
        keep(r, kept[n].stream, kept[n].seq, (uint32_t)n);
        for (size_t i = n > 100 ? n - 100 : 0; i <= n; i++) {
            bool there = find(r, kept[i].stream, kept[i].seq, &row) && row.predicted == i;
            assert_int_equal(there, !kept[i].gone && n - i < ROWS);
        }
        assert_true(recent_count(r) <= ROWS);
    }
    recent_clear(r);
    assert_int_equal(recent_count(r), 0);
    assert_false(find(r, kept[4999].stream, kept[4999].seq, &row));
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_aims_at_a_chain), cmocka_unit_test(found_as_kept),
        cmocka_unit_test(same_number_takes_the_place), cmocka_unit_test(holds_the_latest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
