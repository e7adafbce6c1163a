/* test_linear_start.c - the start as a linear classifier: its optimum where that is known, that the
 * whole model tells what is separable. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/train/linear_start.h"

#define COST 10.0

static const struct linear_start_options options = {COST, 2, 50, 7};

struct model_under_test {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
};

/* A bag without steps, its tables zero. */
static void make(struct model_under_test *m, uint32_t labels, uint32_t width, uint32_t head,
                 uint32_t vocab, enum net_pool pool, bool ngrams) {
    struct rng rng;

    *m = (struct model_under_test){0};
    net_config_paper(&m->c);
    m->c.vocab = vocab;
    m->c.labels = labels;
    m->c.width = width;
    m->c.head_width = head;
    m->c.mlp_width = 1;
    m->c.steps = 0;
    m->c.norm = NET_NORM_RESIDUAL;
    m->c.pool = pool;
    m->c.ngram_order = ngrams ? 3 : 0;
    m->c.ngram_rows = ngrams ? 4096 : 0;
    assert_int_equal(net_config_check(&m->c, NULL), DIFFUSE_OK);
    assert_int_equal(arena_init(&m->arena, weights_bytes(&m->c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&m->arena, &m->c, &m->w), DIFFUSE_OK);
    rng_init(&rng, 1, 2);
    weights_init(m->w, &m->c, 0, &rng);
}

static void logits_of(const struct model_under_test *m, const uint32_t *ids, uint32_t n,
                      float *logits) {
    const uint32_t start[] = {0, n};
    const struct net_batch batch = {ids, start, 1};
    struct arena arena = {0};
    struct net_scratch *s;

    assert_int_equal(arena_init(&arena, net_scratch_bytes(&m->c, n, 1)), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&arena, &m->c, n, 1, &s), DIFFUSE_OK);
    net_forward(&m->c, m->w, s, &batch, logits);
    arena_done(&arena);
}

static uint32_t told(const struct model_under_test *m, const uint32_t *ids, uint32_t n) {
    float logits[16];
    uint32_t best = 0;

    logits_of(m, ids, n, logits);
    for (uint32_t k = 1; k < m->c.labels; k++)
        best = logits[k] > logits[best] ? k : best;
    return best;
}

/* Two rows that share nothing: each dual variable is 1 / (1 + 1 / 2C), and so is its score. */
static void test_known_optimum(void **state) {
    static const uint32_t a[] = {3}, b[] = {5}, all[] = {3, 5, 3, 3};
    const double expected = 1 / (1 + 1 / (2 * COST));
    struct model_under_test m;
    struct rows rows;
    float one[2], other[2], both[2], mixed[2];

    (void)state;
    assert_int_equal(rows_init(&rows, 8, ROWS_MEMORY), DIFFUSE_OK);
    assert_int_equal(rows_append(&rows, a, 1, 0, NULL), DIFFUSE_OK);
    assert_int_equal(rows_append(&rows, b, 1, 1, NULL), DIFFUSE_OK);
    make(&m, 2, 1, 2, 8, NET_POOL_MEAN, false);
    assert_int_equal(linear_start(&m.c, m.w, &rows, &options, NULL), DIFFUSE_OK);
    assert_true(fabs(fabs((double)m.w->embed[3]) - expected) < 1e-5);
    assert_true(fabs((double)(m.w->embed[3] + m.w->embed[5])) < 1e-6);
    for (uint32_t f = 0; f < 8; f++)
        assert_true(f == 3 || f == 5 || fabsf(m.w->embed[f]) < 1e-9f); /* no row has it */

    logits_of(&m, a, 1, one);
    logits_of(&m, b, 1, other);
    logits_of(&m, all, 2, both);
    logits_of(&m, all, 4, mixed);
    assert_true(one[0] > one[1] && other[1] > other[0]);
    assert_true(fabsf(both[0] - both[1]) < 1e-5f);
    assert_true(fabsf((mixed[0] - mixed[1]) - (one[0] - one[1]) / 2) < 1e-5f); /* linear */
    rows_done(&rows);
    arena_done(&m.arena);
}

/* Row i: words that any label has, and what tells its label: a word, or the order of two. */
static uint32_t write_row(uint32_t i, uint32_t labels, uint32_t *ids) {
    uint32_t label = i % labels, n = 0;

    for (uint32_t k = 0; k < 3 + i % 5; k++)
        ids[n++] = (i * 7 + k * 3) % 10;
    ids[n++] = 10 + label / 2;
    ids[n++] = 10 + 8; /* before or after: labels 2j and 2j+1 have the same words */
    if (label % 2) {
        ids[n - 1] = 10 + label / 2;
        ids[n - 2] = 10 + 8;
    }
    return n;
}

/* Rows of 400 that the model tells wrong. */
static unsigned count_wrong(uint32_t labels, uint32_t width, uint32_t head, enum net_pool pool) {
    struct model_under_test m;
    struct rows rows;
    uint32_t ids[16], n;
    unsigned wrong = 0;

    assert_int_equal(rows_init(&rows, 19, ROWS_MEMORY), DIFFUSE_OK);
    for (uint32_t i = 0; i < 400; i++) {
        n = write_row(i, labels, ids);
        assert_int_equal(rows_append(&rows, ids, n, i % labels, NULL), DIFFUSE_OK);
    }
    make(&m, labels, width, head, 19, pool, true);
    assert_int_equal(linear_start(&m.c, m.w, &rows, &options, NULL), DIFFUSE_OK);
    for (uint32_t i = 0; i < 400; i++) {
        n = write_row(i, labels, ids);
        wrong += told(&m, ids, n) != i % labels;
    }
    rows_done(&rows);
    arena_done(&m.arena);
    return wrong;
}

static void test_separable(void **state) {
    (void)state;
    assert_int_equal(count_wrong(2, 1, 2, NET_POOL_MEAN), 0);
    assert_int_equal(count_wrong(2, 8, 8, NET_POOL_MEAN), 0);
    assert_int_equal(count_wrong(6, 8, 8, NET_POOL_MEAN), 0);
    assert_int_equal(count_wrong(6, 8, 16, NET_POOL_MEAN_MAX), 0);
    assert_int_equal(count_wrong(16, 64, 128, NET_POOL_MEAN), 0);
    assert_true(count_wrong(16, 12, 24, NET_POOL_MEAN) < 200); /* more labels than channels */
}

/* A label without rows, and a row of any length, do no harm. */
static void test_label_without_rows(void **state) {
    static const uint32_t a[] = {3, 1}, b[] = {5};
    struct model_under_test m;
    struct rows rows;

    (void)state;
    assert_int_equal(rows_init(&rows, 8, ROWS_MEMORY), DIFFUSE_OK);
    assert_int_equal(rows_append(&rows, a, 2, 0, NULL), DIFFUSE_OK);
    assert_int_equal(rows_append(&rows, b, 1, 2, NULL), DIFFUSE_OK);
    make(&m, 3, 4, 8, 8, NET_POOL_MEAN, true);
    assert_int_equal(linear_start(&m.c, m.w, &rows, &options, NULL), DIFFUSE_OK);
    for (size_t i = 0; i < (size_t)8 * 4; i++)
        assert_true(isfinite(m.w->embed[i]));
    assert_int_equal(told(&m, a, 2), 0);
    assert_int_equal(told(&m, b, 1), 2);
    rows_done(&rows);
    arena_done(&m.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_optimum),
        cmocka_unit_test(test_separable),
        cmocka_unit_test(test_label_without_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
