/* Turns: order within a lane, fair shares between lanes, nobody starves, nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/path/turns.h"
#include "model/base/rng.h"

#define ENTRIES 61u
#define LANES   9u
#define STEPS   200000u

static struct turns *make(struct arena *a, size_t entries, uint32_t quantum) {
    struct turns *t = NULL;
    assert_int_equal(arena_init(a, turns_bytes(entries)), DIFFUSE_OK);
    assert_int_equal(turns_new(a, entries, quantum, &t), DIFFUSE_OK);
    assert_int_equal(a->used, a->cap);
    return t;
}

/* A lane as a plain list: the entries that it holds, in order. */
struct plain {
    uint32_t entry[ENTRIES];
    bool waits[ENTRIES], done[ENTRIES];
    uint32_t n;
};

struct world {
    struct turns *t;
    struct rng rng;
    struct plain lane[LANES];
    uint32_t spare[ENTRIES], spares;
    uint32_t taken[ENTRIES], lane_of[ENTRIES], n_taken;
    uint64_t added, answered;
};

static uint32_t place(const struct plain *p, uint32_t entry) {
    uint32_t i = 0;
    while (i < p->n && p->entry[i] != entry)
        i++;
    assert_true(i < p->n);
    return i;
}

static uint32_t first_waiting(const struct plain *p) {
    uint32_t i = 0;
    while (i < p->n && !p->waits[i])
        i++;
    return i;
}

static void cut(struct world *w, uint32_t lane, uint32_t i) {
    struct plain *p = &w->lane[lane];
    w->spare[w->spares++] = p->entry[i];
    p->n--;
    for (; i < p->n; i++) {
        p->entry[i] = p->entry[i + 1];
        p->waits[i] = p->waits[i + 1];
        p->done[i] = p->done[i + 1];
    }
}

static void add(struct world *w) {
    if (w->spares == 0)
        return;
    uint32_t lane = rng_below(&w->rng, LANES), entry = w->spare[--w->spares];
    struct plain *p = &w->lane[lane];
    bool waits = rng_below(&w->rng, 5) > 0;
    if (waits)
        turns_add(w->t, entry, lane, 1 + rng_below(&w->rng, 40));
    else
        turns_add_done(w->t, entry, lane);
    p->entry[p->n] = entry;
    p->waits[p->n] = waits;
    p->done[p->n++] = !waits;
    w->lane_of[entry] = lane;
    w->added++;
}

static void take_some(struct world *w) {
    struct turns_walk walk = turns_walk(w->t);
    uint32_t entry, most = 1 + rng_below(&w->rng, 6);
    bool skipped[LANES] = {false};
    for (uint32_t n = 0; n < most && (entry = turns_offer(w->t, &walk)) != TURNS_NONE;) {
        uint32_t lane = w->lane_of[entry];
        struct plain *p = &w->lane[lane];
        uint32_t i = first_waiting(p);
        assert_true(i < p->n && p->entry[i] == entry); /* the oldest that waits */
        assert_false(skipped[lane]);
        uint32_t what = rng_below(&w->rng, 8);
        if (what == 0) {
            turns_skip(w->t, &walk);
            skipped[lane] = true;
            continue;
        }
        p->waits[i] = false;
        if (what == 1) {
            turns_pass(w->t, &walk);
            p->done[i] = true;
            continue;
        }
        turns_take(w->t, &walk);
        w->taken[w->n_taken++] = entry;
        n++;
    }
}

static void finish_some(struct world *w) {
    while (w->n_taken > 0 && rng_below(&w->rng, 4) > 0) {
        uint32_t i = rng_below(&w->rng, w->n_taken), entry = w->taken[i];
        struct plain *p = &w->lane[w->lane_of[entry]];
        w->taken[i] = w->taken[--w->n_taken];
        turns_done(w->t, entry);
        p->done[place(p, entry)] = true;
    }
}

static void answer_some(struct world *w) {
    uint32_t entry, left = rng_below(&w->rng, 8);
    for (; left > 0 && (entry = turns_ready(w->t)) != TURNS_NONE; left--) {
        uint32_t lane = w->lane_of[entry];
        assert_int_equal(w->lane[lane].entry[0], entry); /* the front */
        assert_true(w->lane[lane].done[0]);
        turns_remove(w->t, entry);
        cut(w, lane, 0);
        w->answered++;
    }
    bool any = false;
    for (uint32_t i = 0; i < LANES; i++)
        any |= w->lane[i].n > 0 && w->lane[i].done[0];
    assert_int_equal(turns_ready(w->t) != TURNS_NONE, any);
}

static void evict(struct world *w) {
    uint32_t lane = rng_below(&w->rng, LANES), entry = turns_waiting(w->t, lane);
    struct plain *p = &w->lane[lane];
    uint32_t i = first_waiting(p);
    assert_int_equal(entry == TURNS_NONE, i == p->n);
    if (entry != TURNS_NONE && rng_below(&w->rng, 2)) { /* not always the oldest */
        uint32_t next = turns_waiting_next(w->t, entry);
        entry = next == TURNS_NONE ? entry : next;
    }
    if (entry == TURNS_NONE)
        return;
    turns_remove(w->t, entry);
    cut(w, lane, place(p, entry));
    w->answered++;
}

static void test_like_plain_lists(void **state) {
    (void)state;
    struct arena a;
    struct world w = {.t = make(&a, ENTRIES, 7), .spares = ENTRIES};
    rng_init(&w.rng, 3, 0);
    for (uint32_t i = 0; i < ENTRIES; i++)
        w.spare[i] = i;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t what = rng_below(&w.rng, 16), lanes = 0;
        if (what < 8)
            add(&w);
        else if (what < 11)
            take_some(&w);
        else if (what < 13)
            finish_some(&w);
        else if (what < 15)
            answer_some(&w);
        else
            evict(&w);
        for (uint32_t i = 0; i < LANES; i++) {
            assert_int_equal(turns_held(w.t, i), w.lane[i].n);
            lanes += w.lane[i].n > 0;
        }
        assert_int_equal(turns_lanes(w.t), lanes);
        assert_int_equal(w.added - w.answered, ENTRIES - w.spares);
    }
    assert_true(w.answered > STEPS / 8);
    arena_done(&a);
}

/* Lanes that always wait, with entries of sizes of their own; takes are cut anywhere. */
static void test_shares_are_equal_within_a_bound(void **state) {
    (void)state;
    static const uint32_t quanta[] = {1, 13, 64, 500};
    enum { EACH = 4, MOST = 100 };
    for (size_t q = 0; q < sizeof quanta / sizeof quanta[0]; q++) {
        struct arena a;
        struct turns *t = make(&a, LANES * EACH, quanta[q]);
        uint64_t served[LANES] = {0};
        uint32_t cost[LANES * EACH];
        struct rng rng;
        rng_init(&rng, 4, q);
        for (uint32_t i = 0; i < LANES * EACH; i++) {
            cost[i] = 1 + rng_below(&rng, 1 + MOST * (i / EACH) / LANES);
            turns_add(t, i, i / EACH, cost[i]);
        }
        for (uint32_t round = 0; round < 20000; round++) {
            struct turns_walk walk = turns_walk(t);
            uint32_t n = 1 + rng_below(&rng, 5), taken[5];
            for (uint32_t k = 0; k < n; k++) {
                taken[k] = turns_offer(t, &walk);
                assert_int_not_equal(taken[k], TURNS_NONE);
                turns_take(t, &walk);
                served[taken[k] / EACH] += cost[taken[k]];
                turns_done(t, taken[k]);
                turns_remove(t,
                             taken[k]); /* it comes again at once: the lane never stops waiting */
                turns_add(t, taken[k], taken[k] / EACH, cost[taken[k]]);
            }
            uint64_t least = served[0], most = served[0];
            for (uint32_t i = 1; i < LANES; i++) {
                least = served[i] < least ? served[i] : least;
                most = served[i] > most ? served[i] : most;
            }
            assert_true(most - least <= quanta[q] + MOST);
        }
        arena_done(&a);
    }
}

/* However long others have been at it, and whatever they have waiting. */
static void test_who_comes_new_waits_for_a_turn_of_each(void **state) {
    (void)state;
    enum { FLOOD = 50, QUANTUM = 64, COST = 30 };
    struct arena a;
    struct turns *t = make(&a, 3 * FLOOD + 1, QUANTUM);
    for (uint32_t i = 0; i < 3 * FLOOD; i++)
        turns_add(t, i, i % 3, COST);
    for (uint32_t round = 0; round < 1000; round++) {
        uint64_t before = 0;
        struct turns_walk walk = turns_walk(t);
        turns_add(t, 3 * FLOOD, 77, 512);
        for (;;) {
            uint32_t entry = turns_offer(t, &walk);
            assert_int_not_equal(entry, TURNS_NONE);
            turns_take(t, &walk);
            turns_done(t, entry);
            turns_remove(t, entry);
            if (entry == 3 * FLOOD)
                break;
            turns_add(t, entry, entry % 3, COST);
            before += COST;
        }
        /* 512 take 8 turns of 64 */
        assert_true(before <= 3 * (8 * QUANTUM + COST));
    }
    arena_done(&a);
}

/* A lane that has nothing waiting saves up no turns. */
static void test_silence_earns_nothing(void **state) {
    (void)state;
    struct arena a;
    struct turns *t = make(&a, 64, 10);
    for (uint32_t i = 0; i < 32;
         i++) { /* lane 1 comes alone, 32 times, and pays less than it gets */
        turns_add(t, 0, 1, 1);
        struct turns_walk walk = turns_walk(t);
        assert_int_equal(turns_offer(t, &walk), 0);
        turns_take(t, &walk);
        turns_done(t, 0);
        turns_remove(t, 0);
    }
    for (uint32_t i = 0; i < 64; i++)
        turns_add(t, i, 1 + i % 2, 1);
    struct turns_walk walk = turns_walk(t);
    uint32_t first = 0;
    while (turns_offer(t, &walk) % 2 == 0) {
        turns_take(t, &walk);
        first++;
    }
    assert_int_equal(first, 10);
    arena_done(&a);
}

/* Nor while others of its entries are still being worked on: the lane is there, and does not wait.
 */
static void test_work_in_progress_earns_nothing(void **state) {
    (void)state;
    enum { ALONE = 32, ALL = 64, QUANTUM = 10 };
    struct arena a;
    struct turns *t = make(&a, ALL, QUANTUM);
    for (uint32_t i = 0; i < ALONE; i++) { /* lane 1 pays less than it gets, each time */
        turns_add(t, i, 1, 1);
        struct turns_walk walk = turns_walk(t);
        assert_int_equal(turns_offer(t, &walk), i);
        turns_take(t, &walk);
    }
    assert_int_equal(turns_held(t, 1), ALONE);
    for (uint32_t i = ALONE; i < ALL; i++)
        turns_add(t, i, 1 + i % 2, 1);
    struct turns_walk walk = turns_walk(t);
    uint32_t first = 0;
    while (turns_offer(t, &walk) % 2 == 0) {
        turns_take(t, &walk);
        first++;
    }
    assert_int_equal(first, QUANTUM);
    arena_done(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_plain_lists),
        cmocka_unit_test(test_shares_are_equal_within_a_bound),
        cmocka_unit_test(test_who_comes_new_waits_for_a_turn_of_each),
        cmocka_unit_test(test_silence_earns_nothing),
        cmocka_unit_test(test_work_in_progress_earns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
