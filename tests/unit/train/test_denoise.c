/* test_denoise.c - learning to denoise: what is picked, the sampled softmax, and a whole run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/train/denoise/denoise_fit.h"
#include "model/train/rows/load.h"

#define V 40u /* pieces */
#define C 8u  /* width */

/* --- the objective ------------------------------------------------------- */

struct bench {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct denoise *d;
    struct denoise_scratch room;
    struct rng rng;
};

/* Piece v occurs about 1000/(v+1) times. */
static void bench_init(struct bench *b, struct denoise_options o, size_t tokens) {
    uint64_t count[V];

    *b = (struct bench){.c = {.vocab = V, .width = C, .labels = 1, .head_width = 1}};
    for (uint32_t v = 0; v < V; v++)
        count[v] = 1000 / (v + 1);
    assert_int_equal(arena_init(&b->arena, weights_bytes(&b->c) + denoise_bytes(V, C, &o) +
                                               denoise_scratch_bytes(C, o.candidates, tokens)),
                     DIFFUSE_OK);
    assert_int_equal(weights_new(&b->arena, &b->c, &b->w), DIFFUSE_OK);
    assert_int_equal(denoise_new(&b->arena, &b->c, &o, count, &b->d), DIFFUSE_OK);
    assert_int_equal(denoise_scratch_new(&b->arena, C, o.candidates, tokens, &b->room), DIFFUSE_OK);
    rng_init(&b->rng, 3, 0);
    weights_init(b->w, &b->c, 0.5, &b->rng);
}

static void test_picks_and_corrupts(void **state) {
    enum { N = 200000, UNKNOWN = 1, MASK = 2 };
    struct denoise_options o = {.share = 0.15, .candidates = 8, .mask = MASK, .unknown = UNKNOWN};
    uint32_t *ids = calloc(4 * N, sizeof *ids), *before = ids + N, masked = 0, stayed = 0;
    struct denoise_picked p = {ids + 2 * N, ids + 3 * N, 0};
    struct bench b;
    size_t known = 0, at = 0;

    (void)state;
    assert_non_null(ids);
    bench_init(&b, o, 1);
    for (size_t i = 0; i < N; i++) {
        ids[i] = 3 + (uint32_t)(i % (V - 3));
        if (i % 10 == 0)
            ids[i] = UNKNOWN;
        known += ids[i] != UNKNOWN;
    }
    memcpy(before, ids, N * sizeof *ids);
    denoise_pick(b.d, &b.rng, ids, N, &p);
    for (uint32_t i = 0; i < p.n; at = p.place[i++] + 1) {
        assert_in_range(p.place[i], at, N - 1); /* ascending */
        assert_memory_equal(before + at, ids + at, (p.place[i] - at) * sizeof *ids);
        assert_int_equal(p.truth[i], before[p.place[i]]);
        assert_int_not_equal(p.truth[i], UNKNOWN);
        assert_true(ids[p.place[i]] < V);
        masked += ids[p.place[i]] == MASK;
        stayed += ids[p.place[i]] == p.truth[i];
    }
    assert_true(fabs((double)p.n / (double)known - 0.15) < 0.003);
    assert_true(fabs((double)masked / p.n - 0.8 - 0.1 / V) < 0.01);
    assert_true(fabs((double)stayed / p.n - 0.1 - 0.1 / V) < 0.01);
    b.d->o.mask = DENOISE_NONE; /* a vocabulary without the piece */
    denoise_pick(b.d, &b.rng, ids, N, &p);
    masked = 0;
    for (uint32_t i = 0; i < p.n; i++)
        masked += ids[p.place[i]] == MASK;
    assert_true((double)masked / p.n < 0.04);
    arena_done(&b.arena);
    free(ids);
}

static void test_candidates_come_with_their_chances(void **state) {
    enum { DRAWS = 20000 };
    struct denoise_options o = {.share = 0.15, .candidates = 10};
    uint32_t drawn[V] = {0};
    struct bench b;
    double sum = 0;

    (void)state;
    bench_init(&b, o, 1);
    for (int k = 0; k < DRAWS; k++) {
        denoise_draw(b.d, &b.rng);
        assert_int_equal(b.d->n, 10);
        for (uint32_t j = 0; j < b.d->n; j++) {
            drawn[b.d->candidate[j]]++;
            assert_int_equal(b.d->column[b.d->candidate[j]], j);
        }
    }
    for (uint32_t v = 0; v < V; v++) {
        assert_true(fabs((double)drawn[v] / DRAWS - b.d->chance[v]) < 0.02);
        sum += b.d->chance[v];
        if (v > 0)
            assert_true(b.d->chance[v] <= b.d->chance[v - 1]); /* the common ones more often */
    }
    assert_true(fabs(sum - 10) < 1e-9);
    assert_true(b.d->chance[0] == 1 && b.d->chance[V - 1] < 0.15);
    arena_done(&b.arena);
}

/* e^loss of one token by a draw of S candidates: the softmax's sum over e^logit of the truth. */
static double odds(struct bench *b, const real *h, uint32_t truth) {
    real dh[C] = {0}, dtruth[C], drows[(V + 1) * C] = {0}, own[V + 2 * C + C * C] = {0};
    uint32_t place = 0;
    struct denoise_picked p = {&place, &truth, 1};
    struct denoise_gradient to = {dh, dtruth, drows, denoise_point(V, C, own)};

    denoise_draw(b->d, &b->rng);
    denoise_gather(b->d, b->w);
    return exp(denoise_learn(b->d, b->w, &b->room, h, &p, 1, &to).loss);
}

static void test_sampled_softmax_is_right_on_average(void **state) {
    enum { DRAWS = 20000 };
    static const uint32_t truths[] = {0, 7, V - 1}; /* always a candidate, sometimes, seldom */
    struct denoise_options few = {.share = 0.15, .candidates = 10},
                           all = {.share = 0.15, .candidates = 1000};
    struct bench b, full;
    real h[C];

    (void)state;
    bench_init(&b, few, 1);
    bench_init(&full, all, 1);
    for (uint32_t j = 0; j < C; j++)
        h[j] = (real)rng_normal(&b.rng);
    for (size_t k = 0; k < 3; k++) {
        uint32_t place = 0, truth = truths[k];
        struct denoise_picked p = {&place, &truth, 1};
        double exact = exp(denoise_score(b.d, b.w, &b.room, h, &p).loss), mean = 0;

        for (int i = 0; i < DRAWS; i++)
            mean += odds(&b, h, truth) / DRAWS;
        assert_true(fabs(mean / exact - 1) < 0.02);
        assert_true(fabs(odds(&full, h, truth) / exact - 1) < 1e-5); /* S covers them: no chance */
    }
    arena_done(&b.arena);
    arena_done(&full.arena);
}

static void test_score_counts_hits(void **state) {
    struct denoise_options o = {.share = 0.15, .candidates = 7}; /* the last block is not full */
    uint32_t place[V], truth[V], best = 0;
    struct denoise_picked p = {place, truth, V};
    real h[V * C];
    struct bench b;

    (void)state;
    bench_init(&b, o, V);
    for (uint32_t v = 0; v < V; v++) { /* the same state for every truth: one of them is a hit */
        place[v] = v;
        truth[v] = v;
        for (uint32_t j = 0; j < C; j++)
            h[v * C + j] = (real)(j == 2) - (real)(j == 5);
    }
    assert_int_equal(denoise_score(b.d, b.w, &b.room, h, &p).hits, 1);
    for (p.n = 1, best = 0; best < V; best++, p.place++, p.truth++) {
        struct denoise_sum s = denoise_score(b.d, b.w, &b.room, h, &p);

        if (s.hits)
            assert_true(exp(-s.loss) > 1.0 / V); /* the largest of V */
    }
    arena_done(&b.arena);
}

/* --- whole runs ---------------------------------------------------------- */

#define MASK   0u
#define PIECES 24u

/* Rows in which each token is always followed by the same other. */
static void make_rows(struct rows *rows, size_t n, uint64_t seed, uint64_t *count) {
    struct reason why = {""};
    struct rng rng;

    assert_int_equal(rows_init(rows, PIECES, ROWS_MEMORY), DIFFUSE_OK);
    rng_init(&rng, seed, 0);
    for (size_t r = 0; r < n; r++) {
        uint32_t ids[16], len = 8 + rng_below(&rng, 9), at = rng_below(&rng, PIECES - 1);

        for (uint32_t i = 0; i < len; i++) {
            ids[i] = 1 + at;
            count[ids[i]]++;
            at = (at * 5 + 3) % (PIECES - 1);
        }
        assert_int_equal(rows_append(rows, ids, len, 0, &why), DIFFUSE_OK);
    }
}

struct outcome {
    double accuracy;
    uint64_t digest; /* of all weights' bits */
};

static struct outcome learn(struct net_config c, unsigned threads, uint64_t seed, uint32_t passes) {
    const struct denoise_fit_options o = {
        .step = {.update = {.lr = 0.01, .table_lr = 0.01, .clip = 1},
                 .task = {.share = 0.15, .candidates = 10, .mask = MASK, .unknown = DENOISE_NONE},
                 .dropout = 0.05,
                 .seed = seed},
        .decay = SCHED_LINEAR,
        .warmup = 0.1,
        .passes = passes,
        .batch = 32};
    uint64_t count[PIECES] = {0};
    struct denoise_pass pass = {0};
    struct reason why = {""};
    struct outcome out = {0};
    struct denoise_fit *fit;
    struct weights_list l;
    struct net_weights *w;
    struct rows rows, held;
    struct arena arena;
    struct team *team;
    struct rng rng;
    bool done = false;

    make_rows(&rows, 1000, 1, count);
    make_rows(&held, 300, 2, count);
    assert_int_equal(net_config_check(&c, &why), DIFFUSE_OK);
    assert_int_equal(arena_init(&arena, weights_bytes(&c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&arena, &c, &w), DIFFUSE_OK);
    rng_init(&rng, seed, 1);
    weights_init(w, &c, 0.1, &rng);
    assert_int_equal(team_new(threads, &team, NULL), DIFFUSE_OK);
    assert_int_equal(denoise_fit_new(&c, w, &o, &rows, &held, count, team, &fit), DIFFUSE_OK);
    for (uint32_t i = 0; i < passes; i++)
        assert_int_equal(denoise_fit_run(fit, NULL, NULL, &pass, &done, &why), DIFFUSE_OK);
    assert_true(done);
    assert_int_equal(pass.pass, passes);
    weights_list_make(&c, &l);
    for (size_t i = 0; i < l.entries; i++) {
        uint32_t bits;

        memcpy(&bits, &w->block[i], sizeof bits);
        out.digest = (out.digest ^ bits) * 0x9e3779b97f4a7c15u;
    }
    out.accuracy = (double)pass.held.hits / (double)pass.held.picked;
    denoise_fit_free(fit);
    team_free(team);
    arena_done(&arena);
    rows_done(&rows);
    rows_done(&held);
    return out;
}

static struct net_config small(uint32_t steps) {
    struct net_config c = {.vocab = PIECES,
                           .width = 16,
                           .mlp_width = 32,
                           .head_width = 4,
                           .labels = 1,
                           .steps = steps,
                           .ngram_order = 2,
                           .ngram_rows = 512,
                           .norm = NET_NORM_RESIDUAL,
                           .alpha = 0.375f};

    for (unsigned t = 0; t < LIMIT_STEPS; t++)
        c.offsets[t] = t + 1;
    return c;
}

static void test_learns_what_follows_what(void **state) {
    struct net_config c = small(2), alone = small(0);

    (void)state;
    assert_true(learn(c, 2, 4, 10).accuracy > 0.9);
    c.norm = NET_NORM_PRE;
    c.ngram_order = c.ngram_rows = 0;
    assert_true(learn(c, 1, 4, 10).accuracy > 0.9);
    alone.ngram_order = alone.ngram_rows = 0; /* each token sees nothing but itself */
    assert_true(learn(alone, 2, 4, 10).accuracy < 0.3);
}

/* A gradient that is no number is said, and never reaches the weights. */
static void test_divergence_leaves_the_weights(void **state) {
    struct net_config c = small(1);
    const struct denoise_fit_options o = {
        .step = {.update = {.lr = 0.01, .table_lr = 0.01},
                 .task = {.share = 0.15, .candidates = 10, .mask = MASK, .unknown = DENOISE_NONE}},
        .passes = 1,
        .batch = 32};
    uint64_t count[PIECES] = {0};
    struct denoise_pass pass = {0};
    struct reason why = {""};
    struct denoise_fit *fit;
    struct weights_list l;
    struct net_weights *w;
    struct rows rows;
    struct arena arena;
    struct team *team;
    struct rng rng;
    real *before;
    bool done = false;

    (void)state;
    make_rows(&rows, 100, 1, count);
    assert_int_equal(net_config_check(&c, &why), DIFFUSE_OK);
    assert_int_equal(arena_init(&arena, weights_bytes(&c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&arena, &c, &w), DIFFUSE_OK);
    rng_init(&rng, 3, 1);
    weights_init(w, &c, 0.1, &rng);
    weights_list_make(&c, &l);
    for (size_t i = 0; i < l.entries; i++)
        w->block[i] *= (real)1e16;
    before = malloc(l.entries * sizeof *before);
    assert_non_null(before);
    memcpy(before, w->block, l.entries * sizeof *before);
    assert_int_equal(team_new(2, &team, NULL), DIFFUSE_OK);
    assert_int_equal(denoise_fit_new(&c, w, &o, &rows, NULL, count, team, &fit), DIFFUSE_OK);
    assert_int_equal(denoise_fit_run(fit, NULL, NULL, &pass, &done, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "diverged"));
    assert_memory_equal(before, w->block, l.entries * sizeof *before);
    free(before);
    denoise_fit_free(fit);
    team_free(team);
    arena_done(&arena);
    rows_done(&rows);
}

static void test_same_seed_same_bits(void **state) {
    struct net_config c = small(2);

    (void)state;
    assert_true(learn(c, 2, 4, 1).digest == learn(c, 2, 4, 1).digest);
    assert_true(learn(c, 1, 4, 1).digest == learn(c, 1, 4, 1).digest);
    assert_true(learn(c, 2, 4, 1).digest != learn(c, 2, 5, 1).digest);
}

/* --- rows as windows ----------------------------------------------------- */

static void test_windows_leave_nothing_out(void **state) {
    static const char text[] = "x\tabcdefghijklmnopqrstuvwxy\nx\tabc\n";
    char path[] = "/tmp/test_denoise_XXXXXX", spec[64];
    int fd = mkstemp(path);
    uint64_t count[256] = {0};
    uint32_t ids[10], length, label, got = 0;
    const struct load load = {.spec = spec, .split = DATASET_TRAIN};
    struct dataset_stats stats;
    struct reason why = {""};
    struct tokenizer *t;
    struct arena arena;
    struct rows rows;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    (void)snprintf(spec, sizeof spec, "tsv:%s", path);
    assert_int_equal(arena_init(&arena, tokenizer_bytes(TOKENIZER_BYTE, NULL, 0)), DIFFUSE_OK);
    assert_int_equal(tokenizer_new(&arena, TOKENIZER_BYTE, NULL, 0, &t, &why), DIFFUSE_OK);
    assert_int_equal(rows_init(&rows, 256, ROWS_MEMORY), DIFFUSE_OK);
    assert_int_equal(load_windows(&load, t, 10, &rows, count, &stats, &why), DIFFUSE_OK);
    assert_int_equal(stats.rows, 2);
    assert_int_equal(rows.n, 4);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rows_read(&rows, i, ids, &length, &label, &why), DIFFUSE_OK);
        assert_in_range(length, 8, 9); /* of 25: none is a short rest */
        for (uint32_t k = 0; k < length; k++)
            assert_int_equal(ids[k], 'a' + got++);
    }
    assert_int_equal(got, 25);
    assert_int_equal(count['a'], 2);
    assert_int_equal(count['y'], 1);
    assert_int_equal(count['z'], 0);
    rows_done(&rows);
    arena_done(&arena);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picks_and_corrupts),
        cmocka_unit_test(test_candidates_come_with_their_chances),
        cmocka_unit_test(test_sampled_softmax_is_right_on_average),
        cmocka_unit_test(test_score_counts_hits),
        cmocka_unit_test(test_learns_what_follows_what),
        cmocka_unit_test(test_divergence_leaves_the_weights),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_windows_leave_nothing_out),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("denoise", tests, NULL, NULL);
}
