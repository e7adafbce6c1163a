/* test_segment.c - a text that grows: at every prefix, by any cuts, the logits of the whole text.
 */
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/engine/segment.h"
#include "model/net/net.h"

#define TEXT   48 /* longest text of the comparison */
#define LABELS 3

#if defined(SANITIZED)
#define TEXTS 100 /* of each variant; a sanitizer looks at every path long before */
#else
#define TEXTS 1000
#endif

/* A model with both ways to run it. */
struct rig {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct net_scratch *whole;
    struct engine *e;
    struct segment_scratch *scratch;
    struct segment *segment[8];
};

static void rig_open(struct rig *r, const struct net_config *c, size_t whole, size_t pass,
                     size_t segments) {
    struct engine_kind kind;
    struct rng rng;
    struct reason why = {""};

    r->c = *c;
    assert_int_equal(engine_kind_make("auto", ENGINE_F32, &kind, &why), DIFFUSE_OK);
    assert_int_equal(net_config_check(c, &why), DIFFUSE_OK);
    assert_int_equal(segment_check(c, &why), DIFFUSE_OK);
    assert_int_equal(arena_init(&r->arena, weights_bytes(c) + net_scratch_bytes(c, whole, 1) +
                                               engine_bytes(c, &kind) +
                                               segment_scratch_bytes(c, &kind, pass, segments) +
                                               8 * segment_bytes(c)),
                     DIFFUSE_OK);
    assert_int_equal(weights_new(&r->arena, c, &r->w), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&r->arena, c, whole, 1, &r->whole), DIFFUSE_OK);
    assert_int_equal(segment_scratch_new(&r->arena, c, &kind, pass, segments, &r->scratch),
                     DIFFUSE_OK);
    for (int i = 0; i < 8; i++) {
        void *memory = arena_alloc(&r->arena, segment_bytes(c));

        memset(memory, 0xa5, segment_bytes(c)); /* segment_begin counts on nothing */
        r->segment[i] = segment_begin(c, memory);
    }
    rng_init(&rng, 9, 0);
    weights_init(r->w, c, 1, &rng);
    assert_int_equal(engine_new(&r->arena, &r->c, r->w, &kind, &r->e), DIFFUSE_OK);
    assert_int_equal(r->arena.used, r->arena.cap); /* the byte counts are exact */
}

static struct net_config small(void) {
    struct net_config c;

    net_config_paper(&c);
    c.vocab = 20;
    c.width = 8;
    c.mlp_width = 12;
    c.head_width = 6;
    c.labels = LABELS;
    c.steps = 3;
    c.boundary = NET_BOUNDARY_ZERO;
    return c;
}

static const uint32_t shapes[][4] = {{0}, {1, 1}, {3, 1, 1, 1}, {3, 1, 2, 4}, {2, 9, 3}}; /* T, o */
enum { SHAPES = sizeof shapes / sizeof *shapes, VARIANTS = SHAPES * 3 * 3 * 2 };

/* Every norm, pool and shape, each with n-grams or without, with its own weights a step or not. */
static struct net_config variant(unsigned i) {
    static const enum net_pool pools[] = {NET_POOL_MEAN, NET_POOL_MAX, NET_POOL_MEAN_MAX};
    struct net_config c = small();
    const uint32_t *shape = shapes[i % SHAPES];

    c.steps = shape[0];
    for (uint32_t t = 0; t < c.steps; t++)
        c.offsets[t] = shape[t + 1];
    i /= SHAPES;
    c.norm = (enum net_norm)(i % 3);
    c.pool = pools[i / 3 % 3];
    c.per_step = (i + i / 3) % 2;
    c.ngram_order = i / 9 % 2 ? 2 + i % 4 : 0;
    c.ngram_rows = i / 9 % 2 ? 50 : 0;
    return c;
}

static void whole_logits(struct rig *r, const uint32_t *ids, size_t n, real *logits) {
    const uint32_t start[] = {0, (uint32_t)n};

    net_forward(&r->c, r->w, r->whole, &(struct net_batch){ids, start, 1}, logits);
}

/* What assert_close has seen. */
struct seen {
    unsigned long long compared;
    double worst;
};

static void assert_close(const real *a, const real *b, const char *what, unsigned i, size_t prefix,
                         struct seen *seen) {
    for (int k = 0; k < LABELS; k++) {
        double apart = fabs((double)(a[k] - b[k]));

        if (!(apart < 1e-5))
            fail_msg("%s %u, %zu tokens, label %d: %.9g, whole %.9g", what, i, prefix, k,
                     (double)a[k], (double)b[k]);
        seen->worst = apart > seen->worst ? apart : seen->worst;
    }
    seen->compared++;
}

/* Texts in random pieces; before each piece is appended, the logits as if the text ended within it
 * at each of its tokens. */
static void grow(struct rig *r, struct rng *rng, unsigned which, struct seen *seen) {
    struct segment *s = segment_begin(&r->c, r->segment[0]);
    uint32_t ids[TEXT];
    size_t n = 1 + rng_below(rng, rng_below(rng, 8) ? 12 : TEXT), done = 0;
    uint32_t most = 1 + rng_below(rng, rng_below(rng, 2) ? 3 : 20);

    for (size_t i = 0; i < n; i++)
        ids[i] = rng_below(rng, r->c.vocab);
    while (done < n) {
        size_t piece = rng_below(rng, most + 1);

        piece = piece < n - done ? piece : n - done;
        for (size_t k = 0; k <= piece; k++) {
            real whole[LABELS], grown[LABELS];

            if (done + k == 0)
                continue;
            whole_logits(r, ids, done + k, whole);
            segment_logits(r->e, r->scratch, &(struct segment_feed){s, ids + done, k}, 1, grown);
            assert_close(grown, whole, "variant", which, done + k, seen);
        }
        segment_advance(r->e, r->scratch, &(struct segment_feed){s, ids + done, piece}, 1);
        done += piece;
        assert_int_equal(segment_tokens(s), done);
    }
}

static void test_every_prefix(void **state) {
    struct seen seen = {0};

    (void)state;
    for (unsigned i = 0; i < VARIANTS; i++) {
        struct net_config c = variant(i);
        struct rig r;
        struct rng rng;

        rig_open(&r, &c, TEXT, 20, 1);
        rng_init(&rng, i, 0);
        for (int text = 0; text < TEXTS; text++)
            grow(&r, &rng, i, &seen);
        arena_done(&r.arena);
    }
    print_message("%d variants, %d texts each: %llu prefixes, largest difference %.2g\n",
                  (int)VARIANTS, TEXTS, seen.compared, seen.worst);
}

/* In int8 as well: a token is rounded by itself, so what a text gives does not depend on the pieces
 * that it came in. Against the engine, not net_forward, which rounds nothing. */
static void test_i8_every_prefix(void **state) {
    struct engine_kind kind;
    struct reason why;

    (void)state;
    assert_int_equal(engine_kind_make("auto", ENGINE_I8, &kind, &why), DIFFUSE_OK);
    for (unsigned i = 0; i < VARIANTS; i++) {
        struct net_config c = variant(i);
        struct seen seen = {0};
        struct engine_scratch *whole;
        struct segment_scratch *grown;
        struct arena arena;
        struct engine *e;
        uint32_t ids[TEXT];
        struct rig r;
        struct rng rng;

        rig_open(&r, &c, TEXT, 20, 1);
        assert_int_equal(arena_init(&arena, engine_bytes(&c, &kind) +
                                                engine_scratch_bytes(&c, &kind, TEXT, 1) +
                                                segment_scratch_bytes(&c, &kind, 20, 1)),
                         DIFFUSE_OK);
        assert_int_equal(engine_new(&arena, &c, r.w, &kind, &e), DIFFUSE_OK);
        assert_int_equal(engine_scratch_new(&arena, &c, &kind, TEXT, 1, &whole), DIFFUSE_OK);
        assert_int_equal(segment_scratch_new(&arena, &c, &kind, 20, 1, &grown), DIFFUSE_OK);
        rng_init(&rng, i, 3);
        for (uint32_t k = 0; k < TEXT; k++)
            ids[k] = rng_below(&rng, c.vocab);
        for (size_t done = 0, n; done < TEXT; done += n) {
            real a[LABELS], b[LABELS];
            const uint32_t start[] = {0, (uint32_t)(done + (n = 1 + rng_below(&rng, 3)))};

            if (start[1] > TEXT)
                break;
            segment_advance(e, grown, &(struct segment_feed){r.segment[0], ids + done, n}, 1);
            segment_logits(e, grown, &(struct segment_feed){r.segment[0], NULL, 0}, 1, a);
            engine_forward(e, whole, &(struct net_batch){ids, start, 1}, b);
            assert_close(a, b, "int8, variant", i, start[1], &seen);
        }
        arena_done(&arena);
        arena_done(&r.arena);
    }
}

/* A scratch for fewer tokens takes more passes, and that is all. */
static void test_scratch_size_does_not_matter(void **state) {
    struct seen seen = {0};

    (void)state;
    for (unsigned i = 0; i < VARIANTS; i++)
        for (size_t pass = 1; pass <= 3; pass++) {
            struct net_config c = variant(i);
            struct rig r;
            uint32_t ids[TEXT];
            real whole[LABELS], grown[LABELS];

            rig_open(&r, &c, TEXT, pass, 1);
            for (uint32_t k = 0; k < TEXT; k++)
                ids[k] = (k * k + i) % c.vocab;
            segment_advance(r.e, r.scratch, &(struct segment_feed){r.segment[0], ids, TEXT}, 1);
            segment_logits(r.e, r.scratch, &(struct segment_feed){r.segment[0], NULL, 0}, 1, grown);
            whole_logits(&r, ids, TEXT, whole);
            assert_close(grown, whole, "variant", i, TEXT, &seen);
            arena_done(&r.arena);
        }
}

/* Segments that grow at different paces through shared passes stay apart. */
static void many_at_once(const struct net_config *c, unsigned which, size_t pass, size_t segments) {
    struct rig r;
    struct rng rng;
    uint32_t ids[8][TEXT];
    size_t n[8] = {0};
    struct seen seen = {0};

    rig_open(&r, c, TEXT, pass, segments);
    rng_init(&rng, which, 1);
    for (int i = 0; i < 8 * TEXT; i++)
        ids[i / TEXT][i % TEXT] = rng_below(&rng, c->vocab);
    for (int round = 0; round < 12; round++) {
        struct segment_feed feeds[8];
        real grown[8 * LABELS], whole[LABELS];

        for (int i = 0; i < 8; i++) {
            size_t more = rng_below(&rng, 8 - (uint32_t)i);

            more = n[i] == 0 && more == 0 ? 1 : more;
            more = more < TEXT - n[i] ? more : TEXT - n[i];
            feeds[i] = (struct segment_feed){r.segment[i], ids[i] + n[i], more};
            n[i] += more;
        }
        segment_advance(r.e, r.scratch, feeds, 8);
        for (int i = 0; i < 8; i++)
            feeds[i].n = 0;
        segment_logits(r.e, r.scratch, feeds, 8, grown);
        for (unsigned i = 0; i < 8; i++) {
            whole_logits(&r, ids[i], n[i], whole);
            assert_close(grown + LABELS * i, whole, "segment", i, n[i], &seen);
        }
    }
    arena_done(&r.arena);
}

static void test_segments_do_not_mix(void **state) {
    static const size_t sizes[][2] = {{64, 8}, {5, 8}, {64, 3}, {1, 1}};

    (void)state;
    for (unsigned i = 0; i < VARIANTS; i++) {
        struct net_config c = variant(i);

        many_at_once(&c, i, sizes[i % 4][0], sizes[i % 4][1]);
    }
}

static void test_logits_change_nothing(void **state) {
    (void)state;
    for (unsigned i = 0; i < VARIANTS; i++) {
        struct net_config c = variant(i);
        struct rig r;
        const uint32_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        real logits[LABELS];
        uint8_t *before = malloc(segment_bytes(&c));

        assert_non_null(before);
        rig_open(&r, &c, TEXT, 20, 1);
        segment_advance(r.e, r.scratch, &(struct segment_feed){r.segment[0], ids, 10}, 1);
        memcpy(before, r.segment[0], segment_bytes(&c));
        segment_logits(r.e, r.scratch, &(struct segment_feed){r.segment[0], ids, 10}, 1, logits);
        assert_memory_equal(before, r.segment[0], segment_bytes(&c));
        arena_done(&r.arena);
        free(before);
    }
}

/* The formula of segment.h, by hand. */
static void test_bytes(void **state) {
    struct net_config c = small();

    (void)state;
    c.width = 100;
    c.offsets[1] = 2;
    c.offsets[2] = 4;
    c.pool = NET_POOL_MEAN_MAX;
    assert_int_equal(segment_bytes(&c), 64 + 832 + 448 + 5632);
    c.pool = NET_POOL_MAX;
    assert_int_equal(segment_bytes(&c), 64 + 448 + 5632);
    c.steps = 0;
    c.pool = NET_POOL_MEAN;
    assert_int_equal(segment_bytes(&c), 64 + 832);
    c.steps = LIMIT_STEPS;
    c.width = LIMIT_WIDTH;
    for (uint32_t t = 0; t < c.steps; t++)
        c.offsets[t] = LIMIT_TOKENS;
    assert_int_equal(segment_bytes(&c),
                     64 + 8ull * LIMIT_WIDTH + 8ull * LIMIT_WIDTH * LIMIT_STEPS * LIMIT_TOKENS);
}

/* 200,000 tokens: the logits are those of a model whose mean is summed exactly enough to compare.
 * Every token's last state comes from net_states over stretches with the reach around them. */
static void test_no_drift(void **state) {
    enum { TOKENS = 200000, STRETCH = 1000, REACH = 7 };
    struct net_config c = small(), bag = small();
    struct rig r;
    struct rng rng;
    uint32_t *ids = malloc(TOKENS * sizeof *ids);
    double *sum = calloc(c.width, sizeof *sum);
    real grown[LABELS], reference[LABELS];
    struct rig b;

    (void)state;
    assert_non_null(ids);
    assert_non_null(sum);
    c.offsets[1] = 2;
    c.offsets[2] = 4;
    c.norm = NET_NORM_RESIDUAL; /* states of any length: the hard case for a sum */
    rig_open(&r, &c, STRETCH + 2 * REACH, 512, 1);
    rng_init(&rng, 5, 0);
    for (size_t i = 0; i < TOKENS; i++)
        ids[i] = rng_below(&rng, c.vocab);
    for (size_t done = 0, n; done < TOKENS; done += n) {
        n = 1 + rng_below(&rng, 1000);
        n = n < TOKENS - done ? n : TOKENS - done;
        segment_advance(r.e, r.scratch, &(struct segment_feed){r.segment[0], ids + done, n}, 1);
    }
    segment_logits(r.e, r.scratch, &(struct segment_feed){r.segment[0], NULL, 0}, 1, grown);
    for (size_t from = 0; from < TOKENS; from += STRETCH) {
        size_t first = from > REACH ? from - REACH : 0;
        size_t end = from + STRETCH + REACH < TOKENS ? from + STRETCH + REACH : TOKENS;
        const uint32_t start[] = {(uint32_t)first, (uint32_t)end};
        const real *h = net_states(&c, r.w, r.whole, &(struct net_batch){ids, start, 1}, NULL);

        for (size_t i = from; i < from + STRETCH; i++)
            for (size_t j = 0; j < c.width; j++)
                sum[j] += (double)h[(i - first) * c.width + j];
    }
    /* The head alone: a bag of one token, whose embedding is the mean, under the same head. */
    bag.steps = 0;
    bag.norm = NET_NORM_RESIDUAL;
    rig_open(&b, &bag, 1, 1, 1);
    for (size_t j = 0; j < c.width; j++)
        b.w->embed[j] = (real)(sum[j] / TOKENS);
    memcpy(b.w->head_in, r.w->head_in, c.width * c.head_width * sizeof(real));
    memcpy(b.w->head_out, r.w->head_out, c.head_width * LABELS * sizeof(real));
    whole_logits(&b, &(uint32_t){0}, 1, reference);
    for (int k = 0; k < LABELS; k++)
        assert_true(fabs((double)(grown[k] - reference[k])) < 1e-6);
    assert_true(fabs((double)reference[0]) > 1e-3); /* there is something to see */
    arena_done(&r.arena);
    arena_done(&b.arena);
    free(ids);
    free(sum);
}

static void test_does_not_allocate(void **state) {
    struct net_config c = variant(13);
    struct rig r;
    const uint32_t ids[] = {1, 2, 3, 4, 5, 6, 7};
    real logits[LABELS];
    size_t before = 0;

    (void)state;
    rig_open(&r, &c, TEXT, 20, 1);
    for (int i = 0; i < 1000; i++) {
        if (i == 1) /* the first call may set OpenBLAS up */
            before = mallinfo2().uordblks;
        segment_advance(r.e, r.scratch, &(struct segment_feed){r.segment[0], ids, 7}, 1);
        segment_logits(r.e, r.scratch, &(struct segment_feed){r.segment[0], ids, 3}, 1, logits);
    }
    assert_int_equal(mallinfo2().uordblks, before);
    arena_done(&r.arena);
}

static void test_refuses(void **state) {
    struct net_config c = small();
    struct reason why;

    (void)state;
    c.boundary = NET_BOUNDARY_RING;
    assert_int_equal(segment_check(&c, &why), DIFFUSE_UNSUPPORTED);
    assert_non_null(strstr(why.text, "ring"));
    c.steps = 0; /* nobody has neighbours: the ring does not matter */
    assert_int_equal(segment_check(&c, &why), DIFFUSE_OK);
    c = small();
    c.n_open = c.n_close = 1;
    assert_int_equal(segment_check(&c, &why), DIFFUSE_UNSUPPORTED);
    assert_non_null(strstr(why.text, "bracket"));
    c = small();
    c.pool = NET_POOL_ROOTS;
    assert_int_equal(segment_check(&c, &why), DIFFUSE_UNSUPPORTED);
    assert_non_null(strstr(why.text, "roots"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_i8_every_prefix),
        cmocka_unit_test(test_scratch_size_does_not_matter),
        cmocka_unit_test(test_segments_do_not_mix),
        cmocka_unit_test(test_logits_change_nothing),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_no_drift),
        cmocka_unit_test(test_does_not_allocate),
        cmocka_unit_test(test_refuses),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
