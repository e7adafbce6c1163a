/* test_net.c - the forward pass: a hand-worked model, ragged batches, neighbours, no allocation. */
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/net/embed.h"
#include "model/net/label.h"
#include "model/net/net.h"

struct bench {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct net_scratch *s;
};

static void bench_open(struct bench *b, const struct net_config *c, size_t tokens, size_t seqs) {
    struct rng rng;
    struct reason why = {""};

    b->c = *c;
    assert_int_equal(net_config_check(c, &why), DIFFUSE_OK);
    assert_int_equal(arena_init(&b->arena, weights_bytes(c) + net_scratch_bytes(c, tokens, seqs)),
                     DIFFUSE_OK);
    assert_int_equal(weights_new(&b->arena, c, &b->w), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&b->arena, c, tokens, seqs, &b->s), DIFFUSE_OK);
    assert_int_equal(b->arena.used, b->arena.cap); /* the byte counts are exact */
    rng_init(&rng, 9, 0);
    weights_init(b->w, c, 1, &rng);
}

static struct net_config small(unsigned bits) {
    struct net_config c;

    net_config_paper(&c);
    c.vocab = 20;
    c.width = 8;
    c.mlp_width = 16;
    c.head_width = 8;
    c.labels = 3;
    c.steps = 3;
    c.offsets[1] = 2;
    c.offsets[2] = 4;
    c.boundary = bits & 1 ? NET_BOUNDARY_RING : NET_BOUNDARY_ZERO;
    c.per_step = bits & 2;
    c.ngram_order = bits & 4 ? 3 : 0;
    c.ngram_rows = bits & 4 ? 50 : 0;
    c.norm = (enum net_norm)(bits / 8 % 3);
    c.pool = (enum net_pool)(bits / 24);
    return c;
}

/* A text's logits do not depend on what it is batched with: no padding, no leak over the ends. */
static void test_batches_do_not_mix(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 72; bits++) {
        struct net_config c = small(bits);
        struct bench b;
        uint32_t ids[64], start[] = {0, 1, 3, 20, 21, 64};
        real together[5 * 3], alone[3];
        struct rng rng;

        bench_open(&b, &c, 64, 5);
        rng_init(&rng, bits, 0);
        for (int i = 0; i < 64; i++)
            ids[i] = rng_below(&rng, c.vocab);
        net_forward(&c, b.w, b.s, &(struct net_batch){ids, start, 5}, together);
        for (uint32_t q = 0; q < 5; q++) {
            net_forward(&c, b.w, b.s, &(struct net_batch){ids, start + q, 1}, alone);
            for (int k = 0; k < 3; k++)
                assert_true(fabs((double)(alone[k] - together[3 * q + (uint32_t)k])) < 1e-5);
        }
        arena_done(&b.arena);
    }
}

/* A ring is a ring: rotating the text changes nothing, as the mean does not see positions. */
static void test_ring_rotates(void **state) {
    struct net_config c = small(1);
    struct bench b;
    uint32_t ids[22], start[] = {0, 11};
    real first[3], turned[3];
    bool zero_differs = false;

    (void)state;
    for (int round = 0; round < 2; round++) {
        bench_open(&b, &c, 11, 1);
        for (uint32_t i = 0; i < 11; i++)
            ids[i] = ids[i + 11] = (i * 7 + 3) % c.vocab;
        net_forward(&c, b.w, b.s, &(struct net_batch){ids, start, 1}, first);
        net_forward(&c, b.w, b.s, &(struct net_batch){ids + 4, start, 1}, turned);
        for (int k = 0; k < 3; k++) {
            if (c.boundary == NET_BOUNDARY_RING)
                assert_true(fabs((double)(first[k] - turned[k])) < 1e-5);
            else
                zero_differs |= fabs((double)(first[k] - turned[k])) > 1e-3;
        }
        arena_done(&b.arena);
        c.boundary = NET_BOUNDARY_ZERO;
    }
    assert_true(zero_differs);
}

/* One token, one channel, no steps: every number by hand. */
static void test_by_hand(void **state) {
    struct net_config c = {
        .vocab = 2, .width = 1, .mlp_width = 1, .head_width = 1, .labels = 2, .alpha = 0.5f};
    struct bench b;
    const uint32_t ids[] = {1, 0}, start[] = {0, 2};
    real logits[2];
    double p = (3.0 + 1.0) / 2, q = 0.5 * p + 0.25, g = q * 0.5 * erfc(-q / sqrt(2));

    (void)state;
    bench_open(&b, &c, 2, 1);
    b.w->embed[0] = 1;
    b.w->embed[1] = 3;
    *b.w->head_in = 0.5f;
    *b.w->head_in_bias = 0.25f;
    b.w->head_out[0] = 2;
    b.w->head_out[1] = -1;
    b.w->head_out_bias[1] = 0.5f;
    net_forward(&c, b.w, b.s, &(struct net_batch){ids, start, 1}, logits);
    assert_true(fabs((double)logits[0] - 2 * g) < 1e-6);
    assert_true(fabs((double)logits[1] - (0.5 - g)) < 1e-6);
    arena_done(&b.arena);
}

/* The rule of FORMAT.md, spelled out once more. */
static void test_ngram_rows(void **state) {
    struct net_config c = {.ngram_rows = 1000};
    const uint32_t ids[] = {5, 17, 3};
    uint64_t h = 0xcbf29ce484222325u ^ 2;

    (void)state;
    for (int i = 1; i < 3; i++) {
        h = (h ^ ids[i]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    assert_int_equal(embed_ngram_row(&c, ids + 2, 2), h % 1000);
    assert_int_not_equal(embed_ngram_row(&c, ids + 2, 3), h % 1000);
}

static void test_softmax(void **state) {
    real scores[3];
    const real huge[] = {1e30f, -1e30f, 0}, bad[] = {1, NAN, 2}, plain[] = {1, 2, 3};

    (void)state;
    assert_int_equal(label_softmax(plain, 3, 1, scores), 2);
    assert_true(fabs((double)(scores[0] + scores[1] + scores[2]) - 1) < 1e-6);
    assert_true(fabs((double)scores[2] / (double)scores[1] - exp(1)) < 1e-4);
    assert_int_equal(label_softmax(huge, 3, 1, scores), 0);
    assert_true(scores[0] == 1 && scores[1] == 0);
    assert_int_equal(label_softmax(bad, 3, 1, scores), 0);
    assert_true(fabs((double)scores[1] - 1.0 / 3) < 1e-6);
}

static void test_forward_does_not_allocate(void **state) {
    struct net_config c = small(14);
    struct bench b;
    const uint32_t ids[] = {1, 2, 3, 4, 5, 6, 7}, start[] = {0, 3, 7};
    real logits[6];
    size_t before;

    (void)state;
    bench_open(&b, &c, 7, 2);
    net_forward(&c, b.w, b.s, &(struct net_batch){ids, start, 2}, logits);
    before = mallinfo2().uordblks;
    for (int i = 0; i < 1000; i++)
        net_forward(&c, b.w, b.s, &(struct net_batch){ids, start, 2}, logits);
    assert_int_equal(mallinfo2().uordblks, before);
    arena_done(&b.arena);
}

static void test_config_refuses(void **state) {
    struct net_config good = small(0), c;
    struct reason why;

    (void)state;
#define REFUSED(change, word)                                                                      \
    do {                                                                                           \
        c = good;                                                                                  \
        change;                                                                                    \
        memset(&why, 0, sizeof why);                                                               \
        assert_int_equal(net_config_check(&c, &why), DIFFUSE_INVAL);                               \
        assert_non_null(strstr(why.text, word));                                                   \
    } while (0)
    REFUSED(c.vocab = 0, "vocab");
    REFUSED(c.width = LIMIT_WIDTH + 1, "width");
    REFUSED(c.steps = LIMIT_STEPS + 1, "steps");
    REFUSED(c.offsets[2] = 0, "offset");
    REFUSED(c.alpha = NAN, "alpha");
    REFUSED(c.alpha = 1.5f, "alpha");
    REFUSED(c.noise_std = INFINITY, "noise_std");
    REFUSED(c.ngram_rows = 5, "ngram");
    REFUSED(c.labels = 0, "labels");
#undef REFUSED
    assert_int_equal(net_config_reach(&good), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_do_not_mix),
        cmocka_unit_test(test_ring_rotates),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_ngram_rows),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_forward_does_not_allocate),
        cmocka_unit_test(test_config_refuses),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
