/* test_gradient.c - every gradient of the network against central differences, in double precision.
 *
 * Every entry of every tensor and of the embeddings is checked, for every boundary, norm, sharing
 * and pool, with n-grams, dropout and noise on: the same seed gives the same masks in each pass.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/net/embed.h"
#include "model/net/label.h"
#include "model/net/net.h"

#define STEP      1e-5
#define TOLERANCE 1e-6

struct bench {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct net_scratch *s;
    struct net_batch batch;
    struct rng_table table;
    real logits[16], dlogits[16];
    uint32_t truth[4];
};

static const uint32_t ids[] = {3, 1, 4, 1, 5, 2, 6, 5, 3, 5, 0};
static const uint32_t start[] = {0, 1, 3,
                                 11}; /* lengths 1, 2, 8: shorter than an offset, and longer */

/* Mean cross-entropy of the batch; fills dlogits. */
static real loss(struct bench *b) {
    struct net_noise noise = {
        .table = &b->table, .embed_dropout = 0.25, .dropout = 0.25, .noise_std = 0.3};
    real total = 0;

    rng_init(&noise.rng, 11, 0);
    net_forward_training(&b->c, b->w, b->s, &b->batch, &noise, b->logits);
    for (uint32_t i = 0; i < b->batch.n; i++) {
        real *scores = b->dlogits + i * b->c.labels;

        label_softmax(b->logits + i * b->c.labels, b->c.labels, 1, scores);
        total -= log(scores[b->truth[i]]);
        scores[b->truth[i]] -= 1;
    }
    return total;
}

static const real *gradients(struct bench *b, struct net_weights *dw) {
    struct net_noise noise = {.embed_dropout = 0.25, .dropout = 0.25};

    (void)loss(b);
    return net_backward(&b->c, b->w, b->s, &b->batch, &noise, b->dlogits, dw)->at;
}

/* The tables' gradient, spelled out: every row gets the sum over the tokens that looked it up. */
static void scatter_tables(const struct bench *b, const real *dh, real *embed, real *ngram) {
    size_t C = b->c.width;

    for (uint32_t q = 0; q < b->batch.n; q++)
        for (uint32_t i = start[q]; i < start[q + 1]; i++)
            for (uint32_t k = 1; k <= (b->c.ngram_order ? b->c.ngram_order : 1); k++) {
                if (k > i - start[q] + 1)
                    continue;
                real *row = k == 1 ? embed + ids[i] * C
                                   : ngram + (size_t)embed_ngram_row(&b->c, ids + i, k) * C;

                for (size_t j = 0; j < C; j++)
                    row[j] += dh[i * C + j];
            }
}

static void check_tensor(struct bench *b, const struct weights_tensor *t, const real *grad) {
    real *x = b->w->block + t->offset, worst = 0, scale = 1e-4;

    for (size_t i = 0; i < t->count; i++)
        scale = fmax(scale, fabs(grad[i]));
    for (size_t i = 0; i < t->count; i++) {
        real kept = x[i], up, down;

        x[i] = kept + STEP;
        up = loss(b);
        x[i] = kept - STEP;
        down = loss(b);
        x[i] = kept;
        worst = fmax(worst, fabs((up - down) / (2 * STEP) - grad[i]) / scale);
    }
    if (worst >= TOLERANCE)
        print_error("%s: relative error %.3g\n", t->name, worst);
    assert_true(worst < TOLERANCE);
}

static void check_config(const struct net_config *c) {
    struct bench b = {.c = *c, .batch = {ids, start, 3}, .truth = {1, 0, 2}};
    struct weights_list l;
    struct net_weights dw;
    struct rng rng;
    struct reason why = {""};
    real *grad;

    assert_int_equal(net_config_check(c, &why), DIFFUSE_OK);
    weights_list_make(c, &l);
    assert_int_equal(
        arena_init(&b.arena, weights_bytes(c) + net_training_scratch_bytes(c, 11, 3, STORE_REAL)),
        DIFFUSE_OK);
    assert_int_equal(weights_new(&b.arena, c, &b.w), DIFFUSE_OK);
    assert_int_equal(net_training_scratch_new(&b.arena, c, 11, 3, STORE_REAL, &b.s), DIFFUSE_OK);
    assert_int_equal(b.arena.used, b.arena.cap); /* the byte counts are exact */
    rng_init(&rng, 7, 0);
    rng_table_init(&b.table);
    weights_init(b.w, c, 1, &rng);
    for (size_t i = l.table_entries; i < l.entries; i++)
        b.w->block[i] += 0.1 * rng_normal(&rng); /* gains and biases must matter too */
    grad = calloc(l.entries, sizeof *grad);
    assert_non_null(grad);
    weights_point(&dw, c, grad + l.table_entries, true);
    scatter_tables(&b, gradients(&b, &dw), grad, grad + l.tensor[0].count);
    for (size_t i = 0; i < l.n; i++)
        check_tensor(&b, &l.tensor[i], grad + l.tensor[i].offset);
    free(grad);
    arena_done(&b.arena);
}

static struct net_config small(void) {
    struct net_config c;

    net_config_paper(&c);
    c.vocab = 7;
    c.width = 6;
    c.mlp_width = 10;
    c.head_width = 5;
    c.labels = 3;
    c.steps = 3;
    c.offsets[1] = 2;
    c.offsets[2] = 4;
    return c;
}

/* Ids 2 and 5 open, 4 closes: groups in groups, one without an end, a closer without an opener. */
static void test_brackets(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 12; bits++) {
        struct net_config c = small();

        c.norm = (enum net_norm)(bits % 3);
        c.pool = bits / 3 % 2 ? NET_POOL_ROOTS : NET_POOL_MEAN_MAX;
        c.steps = bits / 6 ? 2 : 0;
        c.bracket_act = bits % 2 ? NET_ACT_SINE : NET_ACT_GELU;
        c.n_open = 2;
        c.open[0] = 2;
        c.open[1] = 5;
        c.n_close = 1;
        c.close[0] = 4;
        check_config(&c);
    }
}

static void test_every_variant(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 72; bits++) {
        struct net_config c = small();

        c.boundary = bits & 1 ? NET_BOUNDARY_RING : NET_BOUNDARY_ZERO;
        c.per_step = bits & 2;
        c.ngram_order = bits & 4 ? 3 : 0;
        c.ngram_rows = bits & 4 ? 9 : 0;
        c.norm = (enum net_norm)(bits / 8 % 3);
        c.pool = (enum net_pool)(bits / 24);
        check_config(&c);
    }
}

static void test_no_steps(void **state) {
    struct net_config c = small();

    (void)state;
    c.steps = 0;
    check_config(&c);
    c.norm = NET_NORM_PRE;
    check_config(&c);
}

#define LONG 2300 /* more than two tiles */

static real long_loss(struct bench *b, real *weight) {
    struct net_noise noise = {
        .table = &b->table, .embed_dropout = 0.25, .dropout = 0.25, .noise_std = 0.3};
    real total = 0;

    rng_init(&noise.rng, 11, 0);
    net_forward_training(&b->c, b->w, b->s, &b->batch, &noise, b->logits);
    for (uint32_t i = 0; i < b->batch.n * b->c.labels; i++)
        total += weight[i] * b->logits[i];
    return total;
}

/* Along one random direction of all weights but the tables: what crosses from tile to tile. */
static void check_long(const struct net_config *c) {
    static uint32_t many[LONG], ends[] = {0, 600, 603, LONG};
    struct bench b = {.c = *c, .batch = {many, ends, 3}};
    struct net_noise noise = {.embed_dropout = 0.25, .dropout = 0.25};
    real weight[9], *grad, *way, up, down, slope = 0;
    struct weights_list l;
    struct net_weights dw;
    struct rng rng;
    size_t dense;

    weights_list_make(c, &l);
    dense = l.entries - l.table_entries;
    assert_int_equal(
        arena_init(&b.arena, weights_bytes(c) + net_training_scratch_bytes(c, LONG, 3, STORE_REAL)),
        DIFFUSE_OK);
    assert_int_equal(weights_new(&b.arena, c, &b.w), DIFFUSE_OK);
    assert_int_equal(net_training_scratch_new(&b.arena, c, LONG, 3, STORE_REAL, &b.s), DIFFUSE_OK);
    rng_init(&rng, 7, 0);
    rng_table_init(&b.table);
    weights_init(b.w, c, 1, &rng);
    for (size_t i = 0; i < LONG; i++)
        many[i] = rng_below(&rng, c->vocab);
    for (size_t i = 0; i < 9; i++)
        weight[i] = rng_normal(&rng);
    grad = calloc(dense, sizeof *grad);
    way = calloc(dense, sizeof *way);
    assert_true(grad && way);
    weights_point(&dw, c, grad, true);
    (void)long_loss(&b, weight);
    (void)net_backward(c, b.w, b.s, &b.batch, &noise, weight, &dw);
    for (size_t i = 0; i < dense; i++) {
        way[i] = STEP * rng_normal(&rng);
        slope += grad[i] * way[i];
        b.w->block[l.table_entries + i] += way[i];
    }
    up = long_loss(&b, weight);
    for (size_t i = 0; i < dense; i++)
        b.w->block[l.table_entries + i] -= 2 * way[i];
    down = long_loss(&b, weight);
    assert_true(fabs((up - down) / 2 - slope) < 1e-5 * fabs(slope));
    free(grad);
    free(way);
    arena_done(&b.arena);
}

static void test_long_rows(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 12; bits++) {
        struct net_config c = small();

        c.boundary = bits & 1 ? NET_BOUNDARY_RING : NET_BOUNDARY_ZERO;
        c.per_step = bits & 2;
        c.norm = (enum net_norm)(bits / 4);
        check_long(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_variant),
        cmocka_unit_test(test_brackets),
        cmocka_unit_test(test_no_steps),
        cmocka_unit_test(test_long_rows),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("gradient", tests, NULL, NULL);
}
