/* test_gate.c - what may be promoted, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/tune/gate.h"

struct box {
    struct arena arena;
    struct gate g;
};

static void box_init(struct box *b, size_t cap) {
    assert_int_equal(arena_init(&b->arena, gate_bytes(cap)), DIFFUSE_OK);
    assert_int_equal(gate_init(&b->g, &b->arena, cap), DIFFUSE_OK);
    gate_forget(&b->g);
    gate_begin(&b->g, 0);
}

/* So many rows of a stream that the candidate wins, loses, and neither. */
static void feedback(struct box *b, uint64_t owner, unsigned won, unsigned lost, unsigned same) {
    for (unsigned i = 0; i < won + lost + same; i++)
        gate_feedback(&b->g, owner, i >= won, i < won || i >= won + lost, 0);
}

static void rehearsal(struct box *b, unsigned won, unsigned lost, unsigned same) {
    for (unsigned i = 0; i < won + lost + same; i++)
        gate_rehearsal(&b->g, true, i >= won, i < won || i >= won + lost);
}

static struct gate_verdict verdict(struct box *b) {
    struct gate_verdict v;

    gate_end(&b->g, &v);
    arena_done(&b->arena);
    return v;
}

static void expect(struct box *b, bool passes, bool harms, const char *words) {
    struct gate_verdict v = verdict(b);

    if (v.passes != passes || v.harms != harms || !strstr(v.text, words))
        fail_msg("passes %d, harms %d: %s", v.passes, v.harms, v.text);
}

static void test_a_gain_without_a_loss_passes(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    rehearsal(&b, 0, 3, 397); /* one may go, and one in two hundred */
    feedback(&b, 1, 6, 2, 40);
    feedback(&b, 2, 3, 1, 40);
    expect(&b, true, false, "gains on feedback: of 92 rows 9 won, 3 lost");
}

static void test_no_gain_is_no_reason(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    rehearsal(&b, 5, 0, 395);
    feedback(&b, 1, 3, 3, 90);
    expect(&b, false, false, "no gain on feedback");
}

/* As many won as lost: the chances of the labels decide. */
static void test_a_tie_goes_to_the_surer(void **state) {
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct box b;

        box_init(&b, 8);
        for (unsigned i = 0; i < 20; i++)
            gate_feedback(&b.g, i % 3, true, true, 0.01 * sign);
        expect(&b, sign > 0, false, sign > 0 ? "surer of the labels" : "no gain");
    }
}

/* The same gain, where a third of the labels look wrong. */
static void test_doubtful_feedback_must_be_sure(void **state) {
    struct box b;

    (void)state;
    for (unsigned won = 3; won <= 4; won++) {
        box_init(&b, 8);
        gate_begin(&b.g, 0.33);
        feedback(&b, 1, won, 0, 40);
        expect(&b, won == 4, false, won == 4 ? "gains" : "no sure gain"); /* 1/8 and 1/16 */
    }
}

static void test_few_rows_decide_nothing(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    feedback(&b, 1, GATE_LEAST - 1, 0, 0);
    expect(&b, false, false, "too little feedback");
}

static void test_forgetting_is_harm(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    rehearsal(&b, 2, 6, 392); /* four of 400 are more than one and a half percent */
    feedback(&b, 1, 50, 0, 0);
    expect(&b, false, true, "worse on rehearsal");
    box_init(&b, 8);
    rehearsal(&b, 20, 35, 9945); /* within a half percent, but no chance */
    feedback(&b, 1, 50, 0, 0);
    expect(&b, false, true, "worse on rehearsal");
}

/* Each promotion loses little; all together too much. */
static void test_small_losses_add_up(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    for (unsigned i = 0; i < 400; i++)
        gate_rehearsal(&b.g, true, i >= 6, i >= 6); /* serves no better than the candidate */
    feedback(&b, 1, 50, 0, 0);
    expect(&b, false, true, "than the first model");
}

static void test_one_stream_cannot_carry_it(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    feedback(&b, 1, 60, 0, 10); /* what a liar taught, it confirms */
    feedback(&b, 2, 2, 4, 60);
    feedback(&b, 3, 1, 2, 60);
    expect(&b, false, false, "one stream only");
    box_init(&b, 8);
    feedback(&b, 1, 60, 0, 10);
    feedback(&b, 2, 0, 9, 60);
    expect(&b, false, true, "worse for the others");
}

static void test_a_stream_that_is_alone_can(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    feedback(&b, 1, 6, 0, 60);
    expect(&b, true, false, "gains");
}

static void test_significant_loss_on_feedback_is_harm(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    feedback(&b, 1, 1, 9, 60);
    expect(&b, false, true, "worse on feedback");
}

/* What came before the rows held back counts with them, until a new candidate. */
static void test_live_rows_count_until_forgotten(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 8);
    for (unsigned i = 0; i < 20; i++)
        gate_live(&b.g, 5, i % 2, true);
    gate_begin(&b.g, 0);
    feedback(&b, 5, 1, 0, 4);
    gate_begin(&b.g, 0); /* judged twice: counted once */
    feedback(&b, 5, 1, 0, 4);
    expect(&b, true, false, "of 25 rows 11 won, 0 lost");
    box_init(&b, 8);
    gate_live(&b.g, 5, false, true);
    gate_forget(&b.g);
    gate_begin(&b.g, 0);
    expect(&b, false, false, "of 0 rows");
}

/* More streams than are told apart: their rows count all the same. */
static void test_more_streams_than_room(void **state) {
    struct box b;

    (void)state;
    box_init(&b, 2);
    for (uint64_t s = 0; s < 50; s++)
        feedback(&b, s, 1, 0, 1);
    assert_int_equal(b.g.all.streams, 2);
    expect(&b, true, false, "of 100 rows 50 won, 0 lost");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_gain_without_a_loss_passes),
        cmocka_unit_test(test_no_gain_is_no_reason),
        cmocka_unit_test(test_a_tie_goes_to_the_surer),
        cmocka_unit_test(test_doubtful_feedback_must_be_sure),
        cmocka_unit_test(test_few_rows_decide_nothing),
        cmocka_unit_test(test_forgetting_is_harm),
        cmocka_unit_test(test_small_losses_add_up),
        cmocka_unit_test(test_one_stream_cannot_carry_it),
        cmocka_unit_test(test_a_stream_that_is_alone_can),
        cmocka_unit_test(test_significant_loss_on_feedback_is_harm),
        cmocka_unit_test(test_live_rows_count_until_forgotten),
        cmocka_unit_test(test_more_streams_than_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
