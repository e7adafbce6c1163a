/* test_bracket.c - which token belongs to which group, and that groups are taken from the inside
 * out, whatever shares the batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/net/bracket.h"
#include "model/net/net.h"

#define MAX  256
#define NONE BRACKET_NONE

struct room {
    uint32_t parent[MAX], height[MAX], order[MAX], level[MAX + 2];
    struct bracket_tree tree;
};

/* Ids: 1 opens, 2 opens too, 3 closes, others are members. */
static struct net_config brackets(void) {
    struct net_config c;

    net_config_paper(&c);
    c.vocab = 10;
    c.n_open = 2;
    c.open[0] = 1;
    c.open[1] = 2;
    c.n_close = 1;
    c.close[0] = 3;
    return c;
}

static const struct bracket_tree *find(struct room *r, const struct net_batch *batch) {
    const struct net_config c = brackets();

    r->tree = (struct bracket_tree){
        .parent = r->parent, .height = r->height, .order = r->order, .level = r->level};
    bracket_find(&c, batch, &r->tree);
    return &r->tree;
}

static void expect(const uint32_t *ids, uint32_t n, const uint32_t *parent,
                   const uint32_t *height) {
    const uint32_t start[] = {0, n};
    const struct net_batch batch = {ids, start, 1};
    struct room r;

    (void)find(&r, &batch);
    assert_memory_equal(r.parent, parent, n * sizeof *parent);
    assert_memory_equal(r.height, height, n * sizeof *height);
}

static void test_groups(void **state) {
    (void)state;
    expect((uint32_t[]){1, 5, 2, 6, 3, 7, 3}, 7, (uint32_t[]){NONE, 0, 0, 2, 2, 0, 0},
           (uint32_t[]){2, 0, 1, 0, NONE, 0, NONE});
    /* A closer without an opener is a member like any other; an empty group has height 1. */
    expect((uint32_t[]){3, 5, 1, 3, 3}, 5, (uint32_t[]){NONE, NONE, NONE, 2, NONE},
           (uint32_t[]){0, 0, 1, NONE, 0});
    /* Groups that are never closed end with the sequence. */
    expect((uint32_t[]){1, 2, 1, 4}, 4, (uint32_t[]){NONE, 0, 1, 2}, (uint32_t[]){3, 2, 1, 0});
}

/* Random soup: every opener is visited once, and after all openers inside it. */
static void test_inner_groups_come_first(void **state) {
    struct rng rng;

    (void)state;
    rng_init(&rng, 4, 0);
    for (int round = 0; round < 500; round++) {
        uint32_t ids[MAX], start[4] = {0}, openers = 0, place[MAX];
        struct net_batch batch = {ids, start, 3};
        const struct bracket_tree *t;
        struct room r;

        for (uint32_t b = 0; b < 3; b++)
            start[b + 1] = start[b] + 1 + rng_below(&rng, 80);
        for (uint32_t i = 0; i < start[3]; i++) {
            ids[i] = rng_below(&rng, 6);
            openers += ids[i] == 1 || ids[i] == 2;
        }
        t = find(&r, &batch);
        assert_int_equal(t->groups, openers);
        assert_int_equal(t->level[1], 0);
        assert_int_equal(t->level[t->levels + 1], openers);
        for (uint32_t k = 0; k < openers; k++)
            place[t->order[k]] = k;
        for (uint32_t i = 0; i < start[3]; i++) {
            uint32_t p = t->parent[i];

            if (p == NONE)
                continue;
            assert_true(p < i && (ids[p] == 1 || ids[p] == 2));
            if (t->height[i] != 0 && t->height[i] != NONE)
                assert_true(place[i] < place[p] && t->height[i] < t->height[p]);
        }
        for (uint32_t b = 0; b < 3; b++) /* no group reaches into another sequence */
            for (uint32_t i = start[b]; i < start[b + 1]; i++)
                assert_true(t->parent[i] == NONE || t->parent[i] >= start[b]);
    }
}

/* Logits of a sequence do not depend on what shares its batch, and the order of a group's members
 * does not matter to a model without steps. */
static void test_batch_and_order(void **state) {
    const uint32_t ids[] = {1, 4, 2, 5, 6, 3, 7, 3, /* */ 2, 8, 3, /* */ 1, 7, 4, 2, 6, 5, 3, 3};
    const uint32_t start[] = {0, 8, 11, 19};
    struct net_batch all = {ids, start, 3}, first = {ids, start, 1};
    struct net_config c = brackets();
    struct net_scratch *s;
    struct net_weights *w;
    struct arena arena;
    struct rng rng;
    real together[9], alone[3];

    (void)state;
    c.width = 16;
    c.mlp_width = 32;
    c.head_width = 16;
    c.labels = 3;
    c.steps = 0;
    c.norm = NET_NORM_PRE;
    c.pool = NET_POOL_ROOTS;
    c.bracket_act = NET_ACT_SINE;
    assert_int_equal(arena_init(&arena, weights_bytes(&c) + net_scratch_bytes(&c, 19, 3)),
                     DIFFUSE_OK);
    assert_int_equal(weights_new(&arena, &c, &w), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&arena, &c, 19, 3, &s), DIFFUSE_OK);
    rng_init(&rng, 9, 0);
    weights_init(w, &c, 1, &rng);
    net_forward(&c, w, s, &all, together);
    net_forward(&c, w, s, &first, alone);
    for (int i = 0; i < 3; i++) {
        assert_true(together[i] - alone[i] < 1e-5f && alone[i] - together[i] < 1e-5f);
        assert_true(together[i] - together[6 + i] < 1e-5f && together[6 + i] - together[i] < 1e-5f);
    }
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_inner_groups_come_first),
        cmocka_unit_test(test_batch_and_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
