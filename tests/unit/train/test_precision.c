/* test_precision.c - training with 16-bit numbers: the conversions of whole vectors, how near the
 * gradients are to float ones, the scale of the loss, what it saves, and that it still learns. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/base/narrow.h"
#include "model/train/fit.h"

static const enum store_type types[] = {STORE_REAL, STORE_F16, STORE_BF16};

/* --- stores -------------------------------------------------------------- */

#define COUNT 1003 /* not a multiple of any vector's length */

static void make_numbers(float *x, size_t n) {
    struct rng rng;

    rng_init(&rng, 3, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = ldexpf((float)rng_normal(&rng), 20 - (int)rng_below(&rng, 50));
    x[0] = INFINITY;
    x[1] = -1e30f;
    x[2] = NAN;
    x[3] = -0.0f;
}

static void test_vectors_convert_as_single_numbers_do(void **state) {
    float x[COUNT], y[COUNT];
    uint16_t bits[COUNT];

    (void)state;
    make_numbers(x, COUNT);
    narrow_f16(COUNT, x, bits);
    narrow_wide_f16(COUNT, bits, y);
    for (size_t i = 0; i < COUNT; i++) {
        float one = narrow_from_f16(bits[i]);

        assert_int_equal(bits[i], narrow_to_f16(x[i]));
        assert_memory_equal(&y[i], &one, sizeof one);
    }
    narrow_bf16(COUNT, x, bits);
    narrow_wide_bf16(COUNT, bits, y);
    for (size_t i = 0; i < COUNT; i++) {
        float one = narrow_from_bf16(bits[i]);

        assert_int_equal(bits[i], narrow_to_bf16(x[i]));
        assert_memory_equal(&y[i], &one, sizeof one);
    }
}

static void test_too_large_becomes_infinite(void **state) {
    uint16_t bits[2];
    const struct store s = {STORE_F16, bits};
    const float x[2] = {65519, -65520};
    float y[2];

    (void)state;
    store_put(&s, 0, 2, x);
    store_load(&s, 0, 2, y);
    assert_true(y[0] == 65504);
    assert_true(isinf(y[1]) && y[1] < 0);
}

static void test_stores_keep_numbers_in_place_or_narrowed(void **state) {
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        float at[8] = {0}, room[3], *x;
        const struct store s = {types[t], at};

        x = store_place(&s, 5, room);
        assert_true(x == (types[t] == STORE_REAL ? at + 5 : room));
        for (int i = 0; i < 3; i++)
            x[i] = 1.5f * (float)i - 1;
        store_put(&s, 5, 3, x);
        memset(room, 0, sizeof room);
        x = store_get(&s, 5, 3, room);
        assert_true(x[0] == -1 && x[1] == 0.5f && x[2] == 2);
    }
}

static void test_names(void **state) {
    enum store_type t = STORE_F16;

    (void)state;
    assert_int_equal(store_type_parse("bf16", &t), DIFFUSE_OK);
    assert_int_equal(t, STORE_BF16);
    assert_int_equal(store_type_parse("f64", &t), DIFFUSE_NOTFOUND);
}

/* --- the scale ----------------------------------------------------------- */

static void test_scale_halves_and_doubles(void **state) {
    struct scaler s;

    (void)state;
    scaler_init(&s, STORE_F16);
    assert_true(s.scale == 65536);
    for (unsigned i = 0; i < SCALER_PATIENCE - 1; i++)
        assert_true(scaler_take(&s, STORE_F16, true));
    assert_false(scaler_take(&s, STORE_F16, false)); /* a good run must start again */
    assert_true(s.scale == 32768);
    for (unsigned i = 0; i < SCALER_PATIENCE - 1; i++)
        assert_true(scaler_take(&s, STORE_F16, true));
    assert_true(s.scale == 32768);
    assert_true(scaler_take(&s, STORE_F16, true));
    assert_true(s.scale == 65536);
    assert_int_equal(s.skipped, 1);
    for (unsigned i = 0; i < 20 * SCALER_PATIENCE; i++)
        assert_true(scaler_take(&s, STORE_F16, true));
    assert_true(s.scale == SCALER_MOST);
}

static void test_scale_of_bf16_is_one_at_most(void **state) {
    struct scaler s;

    (void)state;
    scaler_init(&s, STORE_BF16);
    assert_true(s.scale == 1);
    assert_false(scaler_take(&s, STORE_BF16, false));
    assert_true(s.scale == 0.5f);
    for (unsigned i = 0; i < 3 * SCALER_PATIENCE; i++)
        assert_true(scaler_take(&s, STORE_BF16, true));
    assert_true(s.scale == 1);
}

static void test_scale_is_lost_when_nothing_helps(void **state) {
    struct scaler s;
    unsigned halved = 0;

    (void)state;
    scaler_init(&s, STORE_F16);
    for (; !scaler_lost(&s); halved++)
        assert_false(scaler_take(&s, STORE_F16, false));
    assert_int_equal(halved, 27);
    scaler_init(&s, STORE_REAL);
    for (unsigned i = 0; i < 100; i++)
        assert_true(scaler_take(&s, STORE_REAL, false)); /* nobody's business here */
    assert_false(scaler_lost(&s));
    assert_true(s.scale == 1);
}

/* --- gradients of the network -------------------------------------------- */

#define TOKENS 2500 /* several tiles */
#define SEQS   3
#define LABELS 3

struct bench {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct net_scratch *s;
    struct rng_table table;
    uint32_t ids[TOKENS], start[SEQS + 1];
};

static void bench_open(struct bench *b, enum net_norm norm, enum net_boundary boundary,
                       enum store_type kept) {
    struct rng rng;

    net_config_paper(&b->c);
    b->c.vocab = 50;
    b->c.width = 16;
    b->c.mlp_width = 32;
    b->c.head_width = 16;
    b->c.labels = LABELS;
    b->c.steps = 4;
    b->c.offsets[2] = 7;
    b->c.norm = norm;
    b->c.boundary = boundary;
    b->c.pool = NET_POOL_MEAN_MAX;
    assert_int_equal(arena_init(&b->arena, weights_bytes(&b->c) + net_training_scratch_bytes(
                                                                      &b->c, TOKENS, SEQS, kept)),
                     DIFFUSE_OK);
    assert_int_equal(weights_new(&b->arena, &b->c, &b->w), DIFFUSE_OK);
    assert_int_equal(net_training_scratch_new(&b->arena, &b->c, TOKENS, SEQS, kept, &b->s),
                     DIFFUSE_OK);
    assert_int_equal(b->arena.used, b->arena.cap); /* the byte counts are exact */
    rng_table_init(&b->table);
    rng_init(&rng, 5, 0);
    weights_init(b->w, &b->c, 1, &rng);
    for (size_t i = 0; i < TOKENS; i++)
        b->ids[i] = rng_below(&rng, 50);
    memcpy(b->start, (uint32_t[]){0, 700, 713, TOKENS}, sizeof b->start);
}

/* Gradients of the weights, then of the embedded tokens; logits too. Freed by the caller. */
static float *gradients(struct bench *b, size_t *ret_n, float logits[SEQS * LABELS]) {
    struct net_noise noise = {
        .table = &b->table, .embed_dropout = 0.3, .dropout = 0.2, .noise_std = 0.05};
    const struct net_batch batch = {b->ids, b->start, SEQS};
    float dlogits[SEQS * LABELS];
    struct weights_list l;
    struct net_weights dw;
    const struct store *dh;
    size_t dense;
    float *all;

    weights_list_make(&b->c, &l);
    dense = l.entries - l.table_entries;
    *ret_n = dense + TOKENS * b->c.width;
    all = calloc(*ret_n, sizeof *all);
    assert_non_null(all);
    weights_point(&dw, &b->c, all, true);
    rng_init(&noise.rng, 9, 0);
    net_forward_training(&b->c, b->w, b->s, &batch, &noise, logits);
    for (int i = 0; i < SEQS * LABELS; i++)
        dlogits[i] = i % LABELS == 0 ? -20 : 10;
    dh = net_backward(&b->c, b->w, b->s, &batch, &noise, dlogits, &dw);
    store_load(dh, 0, TOKENS * b->c.width, all + dense);
    return all;
}

/* |x - y| / |y| of n numbers. */
static double distance(size_t n, const float *x, const float *y) {
    double apart = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        apart += pow((double)x[i] - (double)y[i], 2);
        size += pow((double)y[i], 2);
    }
    return sqrt(apart / size);
}

static void check_gradients(enum net_norm norm, enum net_boundary boundary, enum store_type kept,
                            double most) {
    float logits[2][SEQS * LABELS], *grad[2];
    double apart;
    size_t n;

    for (int i = 0; i < 2; i++) {
        struct bench b;

        bench_open(&b, norm, boundary, i ? kept : STORE_REAL);
        grad[i] = gradients(&b, &n, logits[i]);
        arena_done(&b.arena);
    }
    apart = distance(n, grad[1], grad[0]);
    if (!(apart < most) || !(apart > 0))
        print_error("norm %d, boundary %d, type %d: %g apart\n", norm, boundary, kept, apart);
    assert_true(apart < most && apart > 0);
    assert_true(distance(SEQS * LABELS, logits[1], logits[0]) < most);
    free(grad[0]);
    free(grad[1]);
}

static void test_gradients_are_near_float_ones(void **state) {
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        check_gradients((enum net_norm)(i % 3), (enum net_boundary)(i / 3), STORE_F16, 4e-3);
        check_gradients((enum net_norm)(i % 3), (enum net_boundary)(i / 3), STORE_BF16, 3e-2);
    }
}

/* Without noise the pass that keeps things gives what the pass that does not gives. */
static void test_training_pass_is_the_models(void **state) {
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        float trained[SEQS * LABELS], used[SEQS * LABELS];
        struct net_noise noise = {.noise_std = 0};
        struct net_scratch *s;
        struct arena arena;
        struct bench b;

        bench_open(&b, (enum net_norm)(i % 3), (enum net_boundary)(i / 3), STORE_REAL);
        assert_int_equal(arena_init(&arena, net_scratch_bytes(&b.c, TOKENS, SEQS)), DIFFUSE_OK);
        assert_int_equal(net_scratch_new(&arena, &b.c, TOKENS, SEQS, &s), DIFFUSE_OK);
        net_forward(&b.c, b.w, s, &(struct net_batch){b.ids, b.start, SEQS}, used);
        net_forward_training(&b.c, b.w, b.s, &(struct net_batch){b.ids, b.start, SEQS}, &noise,
                             trained);
        assert_true(distance(SEQS * LABELS, trained, used) < 1e-5);
        arena_done(&arena);
        arena_done(&b.arena);
    }
}

static void test_half_the_memory(void **state) {
    struct net_config c;
    size_t f32, f16;

    (void)state;
    net_config_paper(&c);
    c.vocab = 16384;
    c.labels = 2;
    f32 = net_training_scratch_bytes(&c, 16384, 1, STORE_REAL);
    f16 = net_training_scratch_bytes(&c, 16384, 1, STORE_F16);
    assert_true((double)f16 < 0.53 * (double)f32);
    assert_int_equal(f16, net_training_scratch_bytes(&c, 16384, 1, STORE_BF16));
}

/* --- whole runs ---------------------------------------------------------- */

#define VOCAB 10

/* Rows whose label is whether symbol 1 stands directly before symbol 2. */
static void make_rows(struct rows *rows, size_t n, uint64_t seed) {
    struct rng rng;

    assert_int_equal(rows_init(rows, VOCAB, ROWS_MEMORY), DIFFUSE_OK);
    rng_init(&rng, seed, 0);
    for (size_t r = 0; r < n; r++) {
        uint32_t ids[9], len = 5 + rng_below(&rng, 5), at = rng_below(&rng, len - 1), label;

        for (uint32_t i = 0; i < len; i++)
            ids[i] = 3 + rng_below(&rng, VOCAB - 3);
        label = rng_below(&rng, 2);
        ids[at] = label ? 1 : 2;
        ids[at + 1] = label ? 2 : 1;
        assert_int_equal(rows_append(rows, ids, len, label, NULL), DIFFUSE_OK);
    }
}

struct run {
    struct net_config c;
    struct rows rows, test;
    struct arena arena;
    struct net_weights *w;
    struct weights_list list;
    struct team *team;
    struct fit *fit;
};

static void run_open(struct run *r, enum store_type kept, uint64_t memory, double rate) {
    struct fit_options o = {.step = {.lr = rate,
                                     .table_lr = rate,
                                     .weight_decay = 0.01,
                                     .clip = 1,
                                     .dropout = 0.1,
                                     .embed_dropout = 0.1,
                                     .seed = 4,
                                     .kept = kept},
                            .decay = SCHED_LINEAR,
                            .warmup = 0.1,
                            .epochs = 6,
                            .batch = 32,
                            .memory = memory};
    struct fit_data data = {&r->rows, NULL, &r->test};
    struct reason why = {""};
    struct rng rng;

    *r = (struct run){.c = {.vocab = VOCAB,
                            .width = 16,
                            .mlp_width = 32,
                            .head_width = 16,
                            .labels = 2,
                            .steps = 1,
                            .alpha = 0.375f,
                            .noise_std = 0.05f}};
    for (unsigned t = 0; t < LIMIT_STEPS; t++)
        r->c.offsets[t] = 1;
    make_rows(&r->rows, 1500, 1);
    make_rows(&r->test, 500, 2);
    weights_list_make(&r->c, &r->list);
    assert_int_equal(arena_init(&r->arena, weights_bytes(&r->c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&r->arena, &r->c, &r->w), DIFFUSE_OK);
    rng_init(&rng, 4, 1);
    weights_init(r->w, &r->c, 0.1, &rng);
    assert_int_equal(team_new(2, &r->team, NULL), DIFFUSE_OK);
    assert_int_equal(fit_new(&r->c, r->w, &o, &data, r->team, &r->fit, &why), DIFFUSE_OK);
}

static void run_close(struct run *r) {
    fit_free(r->fit);
    team_free(r->team);
    arena_done(&r->arena);
    rows_done(&r->rows);
    rows_done(&r->test);
}

static double accuracy_with(enum store_type kept) {
    struct fit_epoch epoch = {0};
    struct reason why = {""};
    struct run r;
    bool done;

    run_open(&r, kept, 0, 0.01);
    for (int i = 0; i < 6; i++)
        assert_int_equal(fit_run_epoch(r.fit, NULL, NULL, &epoch, &done, &why), DIFFUSE_OK);
    assert_int_equal(epoch.skipped, 0);
    assert_true(epoch.loss_scale == (kept == STORE_F16 ? 65536 : 1));
    run_close(&r);
    return (double)epoch.test.hits / (double)epoch.test.rows;
}

static void test_learns_as_well(void **state) {
    double f32 = accuracy_with(STORE_REAL);

    (void)state;
    assert_true(f32 > 0.97);
    assert_true(fabs(accuracy_with(STORE_F16) - f32) < 0.015);
    assert_true(fabs(accuracy_with(STORE_BF16) - f32) < 0.015);
}

struct watch {
    struct run *run;
    float *before; /* (list.entries) weights before the step */
    float scale;   /* the same of the scale */
    unsigned skipped, taken;
};

/* A step was skipped if and only if the scale was halved; then no weight may have moved. */
static enum fit_order watch_step(void *user, size_t done, size_t total, double loss) {
    struct watch *w = user;
    size_t bytes = w->run->list.entries * sizeof *w->before;
    const struct scaler *s = fit_step_state(w->run->fit).scaler;
    bool same = memcmp(w->before, w->run->w->block, bytes) == 0;

    (void)done;
    (void)total;
    assert_true(isfinite(loss));
    assert_true(same == (s->scale < w->scale));
    if (same) {
        assert_true(s->scale == w->scale / 2);
        w->skipped++;
    } else {
        w->taken++;
    }
    memcpy(w->before, w->run->w->block, bytes);
    w->scale = s->scale;
    return FIT_GO_ON;
}

/* memory so small that gradients are collected over pieces, or any. */
static void check_overflow(uint64_t memory) {
    struct reason why = {""};
    struct fit_epoch epoch;
    struct scaler *scaler;
    struct run r;
    struct watch w = {.run = &r};
    bool done;

    run_open(&r, STORE_F16, memory, 0.01);
    assert_int_equal(fit_plan(r.fit)->accumulates, memory != 0);
    scaler = fit_step_state(r.fit).scaler;
    scaler->scale = w.scale = 0x1p40f;
    w.before = malloc(r.list.entries * sizeof *w.before);
    assert_non_null(w.before);
    memcpy(w.before, r.w->block, r.list.entries * sizeof *w.before);
    assert_int_equal(fit_run_epoch(r.fit, watch_step, &w, &epoch, &done, &why), DIFFUSE_OK);
    assert_true(w.skipped > 5 && w.taken > 10);
    assert_int_equal(w.skipped, epoch.skipped);
    assert_int_equal(w.skipped, scaler->skipped);
    assert_true(epoch.loss_scale == ldexp(0x1p40, -(int)w.skipped));
    assert_true(isfinite(epoch.grad_norm) && epoch.grad_norm > 0);
    assert_int_equal(*fit_step_state(r.fit).count, w.taken);

    /* far below what overflows, and patient for long: the next good step doubles */
    scaler->scale = 1024;
    scaler->good_steps = SCALER_PATIENCE - 1;
    assert_int_equal(fit_run_epoch(r.fit, NULL, NULL, &epoch, &done, &why), DIFFUSE_OK);
    assert_true(epoch.loss_scale == 2048);
    assert_int_equal(epoch.skipped, 0);
    free(w.before);
    run_close(&r);
}

static void test_overflow_skips_and_backs_off(void **state) {
    struct run r;
    size_t bytes;

    (void)state;
    check_overflow(0);
    run_open(&r, STORE_F16, 0, 0.01);
    bytes = fit_plan(r.fit)->bytes;
    run_close(&r);
    check_overflow(bytes - 1);
}

static void test_divergence_is_reported(void **state) {
    for (size_t t = 1; t < 3; t++) {
        struct reason why = {""};
        struct fit_epoch epoch;
        struct run r;
        bool done;
        diffuse_err e = DIFFUSE_OK;

        run_open(&r, types[t], 0, 1e30);
        for (int i = 0; i < 3 && !e; i++)
            e = fit_run_epoch(r.fit, NULL, NULL, &epoch, &done, &why);
        assert_int_equal(e, DIFFUSE_INVAL);
        assert_non_null(strstr(why.text, "--lr"));
        run_close(&r);
    }
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_convert_as_single_numbers_do),
        cmocka_unit_test(test_too_large_becomes_infinite),
        cmocka_unit_test(test_stores_keep_numbers_in_place_or_narrowed),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_scale_halves_and_doubles),
        cmocka_unit_test(test_scale_of_bf16_is_one_at_most),
        cmocka_unit_test(test_scale_is_lost_when_nothing_helps),
        cmocka_unit_test(test_gradients_are_near_float_ones),
        cmocka_unit_test(test_training_pass_is_the_models),
        cmocka_unit_test(test_half_the_memory),
        cmocka_unit_test(test_learns_as_well),
        cmocka_unit_test(test_overflow_skips_and_backs_off),
        cmocka_unit_test(test_divergence_is_reported),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("precision", tests, NULL, NULL);
}
