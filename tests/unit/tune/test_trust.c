/* test_trust.c - liars lose the trust, teachers and the noisy keep it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/tune/trust.h"

struct box {
    struct arena arena;
    struct trust t;
};

static void box_init(struct box *b, size_t cap) {
    assert_int_equal(arena_init(&b->arena, trust_bytes(cap)), DIFFUSE_OK);
    assert_int_equal(trust_init(&b->t, &b->arena, cap), DIFFUSE_OK);
}

static const struct trust_stream *hear(struct box *b, const char *name, bool agrees, double sure,
                                       bool *ret_lost) {
    return trust_hear(&b->t, name, strlen(name), agrees, sure, ret_lost);
}

/* Rows until a stream is distrusted, of n; agrees with that chance where the model is sure. */
static unsigned until_lost(uint64_t seed, double agrees, unsigned n) {
    struct box b;
    struct rng rng;
    bool lost = false;
    unsigned i = 0;

    box_init(&b, 2);
    rng_init(&rng, seed, 1);
    for (; i < n && !lost; i++)
        (void)hear(&b, "a", rng_unit(&rng) < agrees, 0.9, &lost);
    arena_done(&b.arena);
    return lost ? i : n + 1;
}

static void test_a_liar_is_caught_at_once(void **state) {
    (void)state;
    assert_int_equal(until_lost(1, 0, 100), 6);
}

/* 95 % right where the model is sure, and the same with 30 % of labels at random. */
static void test_honest_and_noisy_streams_are_believed(void **state) {
    unsigned honest = 0, noisy = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        honest += until_lost(seed, 0.95, 1000) <= 1000;
        noisy += until_lost(seed, 0.95 * 0.7, 1000) <= 1000;
    }
    print_message("distrusted within 1,000 rows: honest %u, noisy %u of 200\n", honest, noisy);
    assert_int_equal(honest, 0);
    assert_true(noisy <= 6);
}

static void test_teaching_costs_nothing(void **state) {
    struct box b;
    bool lost;

    (void)state;
    box_init(&b, 2);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(hear(&b, "a", false, TRUST_SURE - 0.01, &lost)->distrusted);
    arena_done(&b.arena);
}

/* Honest for long, then lying; said once; then honest again. */
static void test_trust_is_lost_and_won_back(void **state) {
    struct box b;
    bool lost;
    unsigned said = 0, lies = 0, truths = 0;

    (void)state;
    box_init(&b, 2);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(hear(&b, "a", true, 1, &lost)->distrusted);
    for (; said == 0 && lies < 1000; lies++)
        said += hear(&b, "a", false, 1, &lost)->distrusted && lost;
    assert_true(lies < 100);
    (void)hear(&b, "a", false, 1, &lost);
    assert_false(lost);
    while (hear(&b, "a", true, 1, &lost)->distrusted && truths < 1000)
        truths++;
    assert_in_range(truths, 3, 100);
    arena_done(&b.arena);
}

static void test_the_least_recent_makes_room(void **state) {
    struct box b;
    bool lost;
    uint64_t a, again;

    (void)state;
    box_init(&b, 3);
    a = hear(&b, "a", true, 1, &lost)->owner;
    (void)hear(&b, "b", true, 1, &lost);
    (void)hear(&b, "c", true, 1, &lost);
    assert_int_equal(hear(&b, "a", true, 1, &lost)->owner, a);
    (void)hear(&b, "d", true, 1, &lost); /* in the place of b */
    assert_int_equal(b.t.n, 3);
    assert_int_equal(hear(&b, "a", true, 1, &lost)->feedback, 3);
    assert_int_equal(hear(&b, "b", true, 1, &lost)->feedback, 1);
    (void)hear(&b, "d", true, 1, &lost);
    (void)hear(&b, "e", true, 1, &lost);
    again = hear(&b, "a", true, 1, &lost)->owner;
    assert_true(again != a); /* forgotten meanwhile: rows of the old one are not its own */
    arena_done(&b.arena);
}

/* One name is the beginning of the other, and the longest name there may be. */
static void test_names(void **state) {
    struct box b;
    bool lost;
    char longest[LIMIT_STREAM_BYTES + 1];

    (void)state;
    memset(longest, 'x', LIMIT_STREAM_BYTES);
    longest[LIMIT_STREAM_BYTES] = '\0';
    box_init(&b, 4);
    (void)hear(&b, "ab", true, 1, &lost);
    assert_int_equal(hear(&b, "a", true, 1, &lost)->feedback, 1);
    (void)hear(&b, longest, true, 1, &lost);
    assert_string_equal(hear(&b, longest, true, 1, &lost)->name, longest);
    assert_int_equal(b.t.n, 3);
    arena_done(&b.arena);
}

/* A third of the labels at random shows; a liar's do not count any more, nor what was not sure. */
static void test_doubt(void **state) {
    struct box b;
    struct rng rng;
    bool lost;

    (void)state;
    box_init(&b, 4);
    rng_init(&rng, 1, 1);
    assert_true(trust_doubt(&b.t) == 0);
    for (unsigned i = 0; i < 50; i++)
        (void)hear(&b, "liar", false, 0.99, &lost);
    assert_true(trust_doubt(&b.t) == 0);
    for (unsigned i = 0; i < 400; i++) {
        (void)hear(&b, i % 2 ? "a" : "b", rng_unit(&rng) < 0.67, 0.9, &lost);
        (void)hear(&b, "a", false, 0.5, &lost);
    }
    assert_true(trust_doubt(&b.t) > 0.2 && trust_doubt(&b.t) < 0.46);
    arena_done(&b.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_liar_is_caught_at_once),
        cmocka_unit_test(test_honest_and_noisy_streams_are_believed),
        cmocka_unit_test(test_teaching_costs_nothing),
        cmocka_unit_test(test_trust_is_lost_and_won_back),
        cmocka_unit_test(test_the_least_recent_makes_room),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
