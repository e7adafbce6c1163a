/* test_reservoir.c - a bounded sample: uniform within a label, balanced over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/tune/reservoir.h"

#define CAP    60u
#define LABELS 6u

struct box {
    struct arena arena;
    struct reservoir r;
};

static void box_init(struct box *b, size_t cap, uint32_t vocab, uint64_t seed) {
    assert_int_equal(arena_init(&b->arena, reservoir_bytes(cap, 4, vocab, LABELS)), DIFFUSE_OK);
    assert_int_equal(reservoir_init(&b->r, &b->arena, cap, 4, vocab, LABELS, seed), DIFFUSE_OK);
}

static size_t offer(struct box *b, uint32_t number, uint32_t label, uint64_t owner) {
    return reservoir_offer(&b->r, &number, 1, label, owner);
}

static uint32_t number(const struct box *b, size_t i) {
    uint32_t ids[4];

    assert_int_equal(reservoir_read(&b->r, i, ids), 1);
    return ids[0];
}

/* What the counts say is what lies there. */
static void check_counts(const struct reservoir *r) {
    uint32_t held[LABELS] = {0};

    for (size_t i = 0; i < r->n; i++)
        held[r->label[i]]++;
    assert_memory_equal(held, r->held, sizeof held);
}

/* Label l comes 20 * 4^l times, in a random order: those with few rows keep them all, the others
 * share the rest evenly. */
static void test_balanced(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct box b;
        struct rng rng;
        uint32_t left[LABELS], rows = 0, low = CAP, high = 0;

        box_init(&b, CAP, 100000, seed);
        rng_init(&rng, seed, 9);
        for (uint32_t l = 0; l < LABELS; l++)
            rows += left[l] = l == 0 ? 4 : 20u << 2 * l;
        for (uint32_t i = 0; i < rows; i++) {
            uint32_t at = rng_below(&rng, rows - i), l = 0;

            while (at >= left[l])
                at -= left[l++];
            left[l]--;
            (void)offer(&b, i, l, 0);
        }
        check_counts(&b.r);
        assert_int_equal(b.r.n, CAP);
        assert_int_equal(b.r.held[0], 4);
        for (uint32_t l = 1; l < LABELS; l++) {
            low = b.r.held[l] < low ? b.r.held[l] : low;
            high = b.r.held[l] > high ? b.r.held[l] : high;
        }
        assert_true(high - low <= 2);
        arena_done(&b.arena);
    }
}

/* 30 rows of 300 of one label: each tenth of the stream gets its tenth, over many seeds. */
static void test_uniform_within_a_label(void **state) {
    unsigned part[10] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct box b;

        box_init(&b, 30, 1000, seed);
        for (uint32_t i = 0; i < 300; i++)
            (void)offer(&b, i, 2, 0);
        for (size_t i = 0; i < 30; i++)
            part[number(&b, i) / 30]++;
        arena_done(&b.arena);
    }
    for (unsigned k = 0; k < 10; k++)
        assert_in_range(part[k], 1200 - 140, 1200 + 140); /* four standard deviations */
}

static void test_a_label_that_comes_late_gets_its_share(void **state) {
    struct box b;

    (void)state;
    box_init(&b, CAP, 1000, 1);
    for (uint32_t i = 0; i < 500; i++)
        (void)offer(&b, i, 0, 0);
    for (uint32_t i = 0; i < 30; i++)
        assert_int_not_equal(offer(&b, i, 3, 0), RESERVOIR_NONE);
    assert_int_equal(b.r.held[3], 30);
    assert_int_equal(b.r.held[0], 30);
    check_counts(&b.r);
    arena_done(&b.arena);
}

static void test_an_owner_is_forgotten(void **state) {
    struct box b;

    (void)state;
    box_init(&b, CAP, 1000, 1);
    for (uint32_t i = 0; i < CAP; i++)
        (void)offer(&b, i, i % LABELS, i % 3);
    assert_int_equal(reservoir_drop(&b.r, 1), CAP / 3);
    assert_int_equal(reservoir_drop(&b.r, 1), 0);
    assert_int_equal(b.r.n, CAP - CAP / 3);
    for (size_t i = 0; i < b.r.n; i++) {
        assert_int_not_equal(number(&b, i) % 3, 1);
        assert_int_equal(number(&b, i) % 3, b.r.owner[i]);
        assert_int_equal(number(&b, i) % LABELS, b.r.label[i]);
    }
    check_counts(&b.r);
    arena_done(&b.arena);
}

/* A label that was the largest, and whose rows were then all forgotten, comes again. */
static void test_a_full_label_without_rows(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 4, 1000, 1);
    for (uint32_t i = 0; i < 8; i++)
        (void)offer(&b, i, 0, 7);
    (void)reservoir_drop(&b.r, 7);
    for (uint32_t i = 0; i < 4; i++)
        (void)offer(&b, i, 1, 0);
    for (uint32_t i = 0; i < 100; i++)
        (void)offer(&b, i, 0, 0);
    check_counts(&b.r);
    arena_done(&b.arena);
}

/* Ids above 65535 need four bytes; long rows are cut; no room takes nothing. */
static void test_widths_and_edges(void **state) {
    const uint32_t ids[6] = {0, 65535, 65536, 99999, 5, 6};
    uint32_t out[4];
    struct box b;

    (void)state;
    box_init(&b, 2, 100000, 1);
    assert_int_equal(reservoir_offer(&b.r, ids, 6, 1, 0), 0);
    assert_int_equal(reservoir_read(&b.r, 0, out), 4);
    assert_memory_equal(out, ids, sizeof out);
    arena_done(&b.arena);
    assert_true(reservoir_bytes(1000, 64, 65535, 1) < reservoir_bytes(1000, 64, 65536, 1));
    box_init(&b, 0, 10, 1);
    assert_int_equal(offer(&b, 1, 1, 0), RESERVOIR_NONE);
    arena_done(&b.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balanced),
        cmocka_unit_test(test_uniform_within_a_label),
        cmocka_unit_test(test_a_label_that_comes_late_gets_its_share),
        cmocka_unit_test(test_an_owner_is_forgotten),
        cmocka_unit_test(test_a_full_label_without_rows),
        cmocka_unit_test(test_widths_and_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
