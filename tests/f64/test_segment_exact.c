/* test_segment_exact.c - in double precision a growing text's logits are the whole text's to the
 * last bits, and so are the engine's, for random configurations: nothing is left out, and nothing
 * is approximate. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/engine/segment.h"
#include "model/net/net.h"

#define TEXT   60
#define LABELS 2

static struct net_config random_config(struct rng *rng) {
    struct net_config c;

    net_config_paper(&c);
    c.vocab = 10;
    c.width = 1 + rng_below(rng, 9);
    c.mlp_width = 1 + rng_below(rng, 9);
    c.head_width = 1 + rng_below(rng, 9);
    c.labels = LABELS;
    c.steps = rng_below(rng, 6);
    for (uint32_t t = 0; t < c.steps; t++)
        c.offsets[t] = 1 + rng_below(rng, rng_below(rng, 2) ? 2 : 20);
    c.alpha = (float)rng_below(rng, 5) / 4;
    c.boundary = NET_BOUNDARY_ZERO;
    c.norm = (enum net_norm)rng_below(rng, 3);
    c.pool = (enum net_pool)rng_below(rng, 3);
    c.per_step = rng_below(rng, 2);
    c.ngram_order = rng_below(rng, 2) ? 2 + rng_below(rng, 4) : 0;
    c.ngram_rows = c.ngram_order ? 40 : 0;
    return c;
}

static void test_random_configurations(void **state) {
    struct rng rng;

    (void)state;
    rng_init(&rng, 3, 0);
    for (int round = 0; round < 300; round++) {
        struct net_config c = random_config(&rng);
        struct arena a = {0};
        struct net_weights *w;
        struct net_scratch *whole;
        struct engine_kind kind;
        struct engine *e;
        struct engine_scratch *fused;
        struct segment_scratch *scratch;
        struct reason why;
        struct segment *s;
        uint32_t ids[TEXT];

        assert_int_equal(engine_kind_make("auto", ENGINE_F32, &kind, &why), DIFFUSE_OK);
        assert_int_equal(
            arena_init(&a, weights_bytes(&c) + net_scratch_bytes(&c, TEXT, 1) +
                               engine_bytes(&c, &kind) + engine_scratch_bytes(&c, &kind, TEXT, 1) +
                               segment_scratch_bytes(&c, &kind, 16, 1) + segment_bytes(&c)),
            DIFFUSE_OK);
        assert_int_equal(weights_new(&a, &c, &w), DIFFUSE_OK);
        assert_int_equal(net_scratch_new(&a, &c, TEXT, 1, &whole), DIFFUSE_OK);
        assert_int_equal(segment_scratch_new(&a, &c, &kind, 16, 1, &scratch), DIFFUSE_OK);
        assert_int_equal(engine_scratch_new(&a, &c, &kind, TEXT, 1, &fused), DIFFUSE_OK);
        s = segment_begin(&c, arena_alloc(&a, segment_bytes(&c)));
        weights_init(w, &c, 1, &rng);
        assert_int_equal(engine_new(&a, &c, w, &kind, &e), DIFFUSE_OK);
        for (int i = 0; i < TEXT; i++)
            ids[i] = rng_below(&rng, c.vocab);
        for (size_t done = 0, n; done < TEXT; done += n) {
            real grown[LABELS], all[LABELS], tiled[LABELS];
            struct net_batch batch;

            n = 1 + rng_below(&rng, rng_below(&rng, 2) ? 3 : 30);
            n = n < TEXT - done ? n : TEXT - done;
            segment_advance(e, scratch, &(struct segment_feed){s, ids + done, n}, 1);
            segment_logits(e, scratch, &(struct segment_feed){s, NULL, 0}, 1, grown);
            batch = (struct net_batch){ids, (const uint32_t[]){0, (uint32_t)(done + n)}, 1};
            net_forward(&c, w, whole, &batch, all);
            engine_forward(e, fused, &batch, tiled);
            for (int k = 0; k < LABELS; k++) {
                assert_true(fabs(grown[k] - all[k]) < 1e-12 * (1 + fabs(all[k])));
                assert_true(fabs(tiled[k] - all[k]) < 1e-12 * (1 + fabs(all[k])));
            }
        }
        arena_done(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_configurations)};

    gemm_single_thread();
    return cmocka_run_group_tests_name("segment in double", tests, NULL, NULL);
}
