/* test_gradient_denoise.c - the gradients of denoising against central differences, in double
 * precision: of every weight of the network and every parameter of the objective. An embedding is
 * used in three ways at once: looked up, as a candidate and as the truth. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/net/embed.h"
#include "model/train/denoise/contrast.h"
#include "model/train/denoise/denoise.h"
#include "model/train/denoise/teach.h"

#define STEP       1e-5
#define TOLERANCE  1e-6
#define N          11
#define CANDIDATES 4
#define SCALE      0.37

struct bench {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct net_scratch *s;
    struct denoise *d;
    struct denoise_scratch room;
    struct net_batch batch;
    struct denoise_picked picked;
    struct rng_table table;
    uint32_t ids[N], place[N], truth[N];
    real dh[N * 8], dtruth[N * 8], drows[(CANDIDATES + 1) * 8], waste[1000];
};

static const uint32_t text[N] = {3, 1, 4, 1, 5, 2, 6, 5, 3, 5, 0};
static const uint32_t start[] = {0, 1, 3, N};

static struct net_noise noise_of(struct bench *b) {
    struct net_noise noise = {
        .table = &b->table, .embed_dropout = 0.25, .dropout = 0.25, .noise_std = 0.3};

    rng_init(&noise.rng, 11, 0);
    return noise;
}

static struct denoise_gradient gradient_into(struct bench *b, real *own) {
    memset(b->dtruth, 0, sizeof b->dtruth);
    memset(b->drows, 0, sizeof b->drows);
    memset(net_states_gradient(b->s), 0, N * b->c.width * sizeof(real));
    return (struct denoise_gradient){net_states_gradient(b->s), b->dtruth, b->drows,
                                     denoise_point(b->c.vocab, b->c.width, own)};
}

static double loss(struct bench *b) {
    struct net_noise noise = noise_of(b);
    const real *h = net_states(&b->c, b->w, b->s, &b->batch, &noise);
    struct denoise_gradient to = gradient_into(b, b->waste);

    denoise_gather(b->d, b->w);
    return SCALE * denoise_learn(b->d, b->w, &b->room, h, &b->picked, SCALE, &to).loss;
}

static void add_row(const struct bench *b, const real *from, real *table, size_t row) {
    for (size_t j = 0; j < b->c.width; j++)
        table[row * b->c.width + j] += from[j];
}

/* Gradients of the network into grad (as its weights lie), of the objective into own. */
static void gradients(struct bench *b, struct net_weights *dw, real *grad, real *own) {
    struct net_noise noise = noise_of(b);
    const real *h = net_states(&b->c, b->w, b->s, &b->batch, &noise), *dh0;
    struct denoise_gradient to = gradient_into(b, own);
    size_t C = b->c.width;

    denoise_gather(b->d, b->w);
    (void)denoise_learn(b->d, b->w, &b->room, h, &b->picked, SCALE, &to);
    dh0 = net_states_backward(&b->c, b->w, b->s, &b->batch, &noise, dw)->at;
    for (uint32_t q = 0; q < b->batch.n; q++)
        for (uint32_t i = start[q]; i < start[q + 1]; i++) {
            add_row(b, dh0 + i * C, grad, b->ids[i]);
            for (uint32_t k = 2; k <= b->c.ngram_order && k <= i - start[q] + 1; k++)
                add_row(b, dh0 + i * C, grad, b->c.vocab + embed_ngram_row(&b->c, b->ids + i, k));
        }
    for (uint32_t i = 0; i < b->picked.n; i++)
        add_row(b, b->dtruth + i * C, grad, b->truth[i]);
    for (uint32_t j = 0; j < b->d->n; j++)
        add_row(b, b->drows + j * C, grad, b->d->candidate[j]);
}

static void check(struct bench *b, const char *name, real *x, size_t n, const real *grad) {
    real worst = 0, scale = 1e-4;

    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(grad[i]));
    for (size_t i = 0; i < n; i++) {
        real kept = x[i];
        double up, down;

        x[i] = kept + STEP;
        up = loss(b);
        x[i] = kept - STEP;
        down = loss(b);
        x[i] = kept;
        worst = fmax(worst, fabs((up - down) / (2 * STEP) - grad[i]) / scale);
    }
    if (worst >= TOLERANCE)
        print_error("%s: relative error %.3g\n", name, worst);
    assert_true(worst < TOLERANCE);
}

static void make(struct bench *b, const struct denoise_options *o) {
    const uint64_t count[] = {1, 9, 3, 2, 5, 4, 2};
    const struct net_config *c = &b->c;
    struct rng rng;

    assert_int_equal(arena_init(&b->arena, weights_bytes(c) +
                                               net_training_scratch_bytes(c, N, 3, STORE_REAL) +
                                               denoise_bytes(c->vocab, c->width, o) +
                                               denoise_scratch_bytes(c->width, o->candidates, N)),
                     DIFFUSE_OK);
    assert_int_equal(weights_new(&b->arena, c, &b->w), DIFFUSE_OK);
    assert_int_equal(net_training_scratch_new(&b->arena, c, N, 3, STORE_REAL, &b->s), DIFFUSE_OK);
    assert_int_equal(denoise_new(&b->arena, c, o, count, &b->d), DIFFUSE_OK);
    assert_int_equal(denoise_scratch_new(&b->arena, c->width, o->candidates, N, &b->room),
                     DIFFUSE_OK);
    assert_int_equal(b->arena.used, b->arena.cap); /* the byte counts are exact */
    rng_table_init(&b->table);
    rng_init(&rng, 7, 0);
    weights_init(b->w, c, 1, &rng);
    for (size_t i = 0; i < denoise_entries(c->vocab, c->width); i++)
        b->d->block[i] += 0.3 * rng_normal(&rng);
    memcpy(b->ids, text, sizeof b->ids);
    b->picked = (struct denoise_picked){b->place, b->truth, 0};
    denoise_pick(b->d, &rng, b->ids, N, &b->picked);
    assert_in_range(b->picked.n, 2, N - 2); /* some are picked, and some are not */
    denoise_draw(b->d, &rng);
    assert_int_equal(b->d->n, o->candidates);
}

static void check_config(const struct net_config *c) {
    const struct denoise_options o = {
        .share = 0.5, .candidates = CANDIDATES, .mask = 6, .unknown = DENOISE_NONE};
    struct bench b = {.c = *c, .batch = {b.ids, start, 3}};
    struct weights_list l;
    struct net_weights dw;
    real *grad, *own;

    make(&b, &o);
    weights_list_make(c, &l);
    grad = calloc(l.entries, sizeof *grad);
    own = calloc(denoise_entries(c->vocab, c->width), sizeof *own);
    assert_true(grad && own);
    weights_point(&dw, c, grad + l.table_entries, true);
    gradients(&b, &dw, grad, own);
    for (size_t i = 0; i < l.n; i++)
        check(&b, l.tensor[i].name, b.w->block + l.tensor[i].offset, l.tensor[i].count,
              grad + l.tensor[i].offset);
    check(&b, "the objective", b.d->block, denoise_entries(c->vocab, c->width), own);
    free(grad);
    free(own);
    arena_done(&b.arena);
}

static void test_denoising(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 24; bits++) {
        struct net_config c;

        net_config_paper(&c);
        c.vocab = 7;
        c.width = 6;
        c.mlp_width = 10;
        c.head_width = 5;
        c.labels = 3;
        c.steps = bits / 12 ? 3 : 0;
        c.offsets[1] = 2;
        c.norm = (enum net_norm)(bits % 3);
        c.ngram_order = bits / 3 % 2 ? 3 : 0;
        c.ngram_rows = bits / 3 % 2 ? 9 : 0;
        c.per_step = bits / 6 % 2;
        check_config(&c);
    }
}

/* --- telling halves apart ------------------------------------------------ */

#define PAIRS       3
#define WIDTH       5
#define TEXT_TOKENS 14

/* Two pairs, a sequence of its own, and a pair; as a chunk that starts behind other tokens. */
static const uint32_t cuts[] = {20, 22, 23, 26, 28, 29, 31, 34};
static const uint8_t pair[] = {1, 0, 1, 0, 0, 1, 0};

static double contrast(const real *h, real *dh) {
    const struct net_batch chunk = {NULL, cuts, 7};
    struct arena arena;
    struct contrast_scratch s;
    uint32_t pairs;
    double sum;

    assert_int_equal(arena_init(&arena, contrast_scratch_bytes(WIDTH, PAIRS)), DIFFUSE_OK);
    assert_int_equal(contrast_scratch_new(&arena, WIDTH, PAIRS, &s), DIFFUSE_OK);
    assert_int_equal(arena.used, arena.cap);
    sum = contrast_learn(&chunk, pair, WIDTH, 0.3, SCALE, &s, h, dh, &pairs);
    assert_int_equal(pairs, PAIRS);
    arena_done(&arena);
    return SCALE * sum;
}

static void test_contrast(void **state) {
    real h[TEXT_TOKENS * WIDTH], dh[TEXT_TOKENS * WIDTH] = {0}, waste[TEXT_TOKENS * WIDTH];
    struct rng rng;

    (void)state;
    rng_init(&rng, 5, 0);
    for (size_t i = 0; i < TEXT_TOKENS * WIDTH; i++)
        h[i] = rng_normal(&rng);
    (void)contrast(h, dh);
    for (size_t i = 0; i < TEXT_TOKENS * WIDTH; i++) {
        real kept = h[i];
        double up, down;

        h[i] = kept + STEP;
        up = contrast(h, waste);
        h[i] = kept - STEP;
        down = contrast(h, waste);
        h[i] = kept;
        assert_true(fabs((up - down) / (2 * STEP) - dh[i]) < TOLERANCE);
    }
    for (size_t j = 0; j < WIDTH; j++) /* the sequence that is no half of anything */
        assert_true(dh[8 * WIDTH + j] == 0);
}

/* --- telling another encoder's vectors ----------------------------------- */

#define NUMBERS 4 /* of a vector */

/* Rows 1 and 0 of two vectors: 1 -2 0.5 0, and 0.25 1 1 -1, as 16-bit floats. */
static const uint16_t told[2 * NUMBERS] = {0x3400, 0x3c00, 0x3c00, 0xbc00,
                                           0x3c00, 0xc000, 0x3800, 0x0000};
static const uint32_t told_start[] = {4, 7, 9};
static const size_t told_row[] = {1, 0};

/* The loss, less its constant; gradients into dh and own where those are given. */
static double teach(const real *h, real *block, real *dh, real *own) {
    const struct teach_vectors v = {.at = told, .n = 2, .width = NUMBERS};
    const struct net_batch chunk = {NULL, told_start, 2};
    struct teach_tensors at = teach_point(NUMBERS, WIDTH, block);
    struct teach_tensors to = teach_point(NUMBERS, WIDTH, own);
    struct teach_scratch s;
    struct arena arena;
    double cosines;

    assert_int_equal(arena_init(&arena, teach_scratch_bytes(NUMBERS, WIDTH, 2)), DIFFUSE_OK);
    assert_int_equal(teach_scratch_new(&arena, NUMBERS, WIDTH, 2, &s), DIFFUSE_OK);
    assert_int_equal(arena.used, arena.cap);
    cosines = teach_learn(&v, &at, &chunk, told_row, WIDTH, SCALE, &s, h, dh, dh ? &to : NULL);
    arena_done(&arena);
    return -SCALE * cosines;
}

static void check_teaching(const real *h, real *block, real *x, size_t n, const real *grad) {
    for (size_t i = 0; i < n; i++) {
        real kept = x[i];
        double up, down;

        x[i] = kept + STEP;
        up = teach(h, block, NULL, NULL);
        x[i] = kept - STEP;
        down = teach(h, block, NULL, NULL);
        x[i] = kept;
        assert_true(fabs((up - down) / (2 * STEP) - grad[i]) < TOLERANCE);
    }
}

static void test_teaching(void **state) {
    enum { STATES = 5 * WIDTH, OWN = NUMBERS * WIDTH + NUMBERS };
    real h[STATES], dh[STATES] = {0}, block[OWN], own[OWN] = {0};
    struct rng rng;

    (void)state;
    assert_int_equal(teach_entries(NUMBERS, WIDTH), OWN);
    rng_init(&rng, 9, 0);
    teach_start(NUMBERS, WIDTH, &rng, block);
    for (size_t i = 0; i < STATES; i++)
        h[i] = rng_normal(&rng);
    for (size_t i = 0; i < NUMBERS; i++)
        block[NUMBERS * WIDTH + i] = rng_normal(&rng);
    (void)teach(h, block, dh, own);
    check_teaching(h, block, h, STATES, dh);
    check_teaching(h, block, block, OWN, own);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_denoising),
                                       cmocka_unit_test(test_contrast),
                                       cmocka_unit_test(test_teaching)};

    gemm_single_thread();
    return cmocka_run_group_tests_name("gradient of denoising", tests, NULL, NULL);
}
