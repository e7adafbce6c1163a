/* test_step.c - what a batch becomes on its way into the weights: the plan and the pieces, the rows
 * that are laid, and whole runs. */
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
#include "model/train/batch.h"
#include "model/train/fit.h"

#define VOCAB 10
#define ROWS  48
#define LONG  9 /* tokens of the longest row */

static struct net_config small(uint32_t steps) {
    struct net_config c = {.vocab = VOCAB,
                           .width = 16,
                           .mlp_width = 32,
                           .head_width = 16,
                           .labels = 2,
                           .steps = steps,
                           .alpha = 0.375f,
                           .pool = NET_POOL_MEAN_MAX};

    for (unsigned t = 0; t < LIMIT_STEPS; t++)
        c.offsets[t] = 1;
    return c;
}

static struct net_config with_ngrams(struct net_config c) {
    c.ngram_order = 3;
    c.ngram_rows = 40;
    return c;
}

/* Rows whose label is whether symbol 1 stands directly before symbol 2. */
static void make_rows(struct rows *rows, size_t n, uint64_t seed) {
    struct rng rng;

    assert_int_equal(rows_init(rows, VOCAB, ROWS_MEMORY), DIFFUSE_OK);
    rng_init(&rng, seed, 0);
    for (size_t r = 0; r < n; r++) {
        uint32_t ids[LONG], len = 5 + rng_below(&rng, LONG - 4), at = rng_below(&rng, len - 1);
        uint32_t label = rng_below(&rng, 2);

        for (uint32_t i = 0; i < len; i++)
            ids[i] = 3 + rng_below(&rng, VOCAB - 3);
        ids[at] = label ? 1 : 2;
        ids[at + 1] = label ? 2 : 1;
        assert_int_equal(rows_append(rows, ids, len, label, NULL), DIFFUSE_OK);
    }
}

struct model {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    size_t entries;
};

static void model_init(struct model *m, struct net_config c, uint64_t seed) {
    struct weights_list l;
    struct rng rng;

    m->c = c;
    assert_int_equal(net_config_check(&m->c, NULL), DIFFUSE_OK);
    assert_int_equal(arena_init(&m->arena, weights_bytes(&c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&m->arena, &m->c, &m->w), DIFFUSE_OK);
    rng_init(&rng, seed, 1);
    weights_init(m->w, &m->c, 0.3, &rng);
    weights_list_make(&m->c, &l);
    m->entries = l.entries;
}

/* --- a batch in pieces --------------------------------------------------- */

/* The smallest budget that there is a plan for. */
static uint64_t least_budget(const struct net_config *c, const struct step_options *o,
                             unsigned members, size_t rows, size_t length) {
    uint64_t low = 0, high = 1;
    struct step_plan plan;

    while (step_plan_make(c, o, members, rows, length, high, &plan, NULL))
        high *= 2;
    while (high - low > 1) {
        uint64_t mid = low + (high - low) / 2;

        if (step_plan_make(c, o, members, rows, length, mid, &plan, NULL))
            low = mid;
        else
            high = mid;
    }
    return high;
}

/* Weights and first moments after n steps over all rows; the caller frees. */
static real *after(const struct model *m, const struct step_options *o,
                   const struct step_plan *plan, const struct rows *rows, unsigned n,
                   struct step_result *ret_last) {
    size_t pick[ROWS];
    struct model copy;
    struct team *team;
    struct step *s;
    real *out = calloc(2 * m->entries, sizeof *out);

    for (size_t i = 0; i < ROWS; i++)
        pick[i] = (i * 5) % ROWS;
    model_init(&copy, m->c, 1);
    memcpy(copy.w->block, m->w->block, m->entries * sizeof *out);
    assert_int_equal(team_new(2, &team, NULL), DIFFUSE_OK);
    assert_int_equal(step_new(&copy.c, copy.w, o, team, rows->longest, plan, &s), DIFFUSE_OK);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(step_run(s, rows, pick, ROWS, 1, ret_last, NULL), DIFFUSE_OK);
    memcpy(out, copy.w->block, m->entries * sizeof *out);
    memcpy(out + m->entries, step_state(s).m, m->entries * sizeof *out);
    step_free(s);
    team_free(team);
    arena_done(&copy.arena);
    return out;
}

static double largest_difference(size_t n, const real *a, const real *b) {
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        double apart = fabs((double)a[i] - (double)b[i]);

        most = apart > most ? apart : most;
    }
    return most;
}

/* A norm above the limit is brought down to it: the first moments after one step are the
 * gradient's, which clipping made shorter and turned nowhere. Below the limit nothing happens. */
static void test_clipping(void **state) {
    const struct net_config c = small(2);
    struct step_options o = {.lr = 1e-3, .table_lr = 1e-3, .label_smoothing = 0.1, .seed = 3};
    struct step_result free_run, clipped, bounded;
    struct step_plan plan;
    struct rows rows;
    struct model m;
    real *x, *y, *z;
    double most = 0;

    (void)state;
    model_init(&m, c, 5);
    make_rows(&rows, ROWS, 7);
    assert_int_equal(step_plan_make(&c, &o, 2, ROWS, LONG, 0, &plan, NULL), DIFFUSE_OK);
    x = after(&m, &o, &plan, &rows, 1, &free_run);
    o.clip = free_run.norm / 4;
    y = after(&m, &o, &plan, &rows, 1, &clipped);
    o.clip = free_run.norm * 4;
    z = after(&m, &o, &plan, &rows, 1, &bounded);
    assert_true(fabs(clipped.norm - free_run.norm) < 1e-6 * free_run.norm); /* what it was before */
    for (size_t i = m.entries; i < 2 * m.entries; i++) {
        assert_true(fabs((double)x[i] / 4 - (double)y[i]) <= 1e-6 * fabs((double)x[i]) + 1e-12);
        most = fabs((double)x[i]) > most ? fabs((double)x[i]) : most;
    }
    assert_true(most > 1e-4);
    assert_memory_equal(x, z, 2 * m.entries * sizeof *x);
    free(x);
    free(y);
    free(z);
    rows_done(&rows);
    arena_done(&m.arena);
}

static void expect_pieces_like_whole(struct net_config c, double clip) {
    struct step_options o = {.lr = 1e-3,
                             .table_lr = 1e-3,
                             .weight_decay = 0.1,
                             .table_decay = 0.1,
                             .clip = clip,
                             .label_smoothing = 0.1,
                             .seed = 3};
    struct step_plan whole, pieces;
    struct step_result a, b;
    struct rows rows;
    struct model m;

    model_init(&m, c, 5);
    make_rows(&rows, ROWS, 7);
    assert_int_equal(step_plan_make(&c, &o, 2, ROWS, LONG, 0, &whole, NULL), DIFFUSE_OK);
    assert_int_equal(
        step_plan_make(&c, &o, 2, ROWS, LONG, least_budget(&c, &o, 2, ROWS, LONG), &pieces, NULL),
        DIFFUSE_OK);
    assert_false(whole.accumulates);
    assert_true(pieces.accumulates);
    assert_true(pieces.piece_tokens < 4 * LONG);
    for (unsigned n = 1; n <= 4; n += 3) {
        real *x = after(&m, &o, &whole, &rows, n, &a), *y = after(&m, &o, &pieces, &rows, n, &b);

        /* Adam's step turns on the sign of a gradient near nothing, which rounding decides. */
        assert_true(largest_difference(m.entries, x, y) < 1e-4);
        assert_true(largest_difference(m.entries, x + m.entries, y + m.entries) < 1e-6);
        assert_true(largest_difference(m.entries, x, m.w->block) > 5e-4); /* it did learn */
        assert_true(fabs(a.loss - b.loss) < 1e-5 && fabs(a.norm - b.norm) < 1e-4 * a.norm);
        assert_int_equal(a.hits, b.hits);
        assert_int_equal(a.tokens, b.tokens);
        if (clip > 0)
            assert_true(a.norm > clip);
        free(x);
        free(y);
    }
    rows_done(&rows);
    arena_done(&m.arena);
}

static void test_pieces_learn_as_the_whole_batch(void **state) {
    (void)state;
    expect_pieces_like_whole(small(1), 0);
    expect_pieces_like_whole(with_ngrams(small(1)), 0);
    expect_pieces_like_whole(with_ngrams(small(2)), 0.01);
    expect_pieces_like_whole(with_ngrams(small(0)), 0.01);
}

/* A random model and batch. */
struct draw {
    struct net_config c;
    struct step_options o;
    unsigned members;
    size_t rows, length;
};

static struct draw draw(struct rng *rng) {
    struct draw d = {.c = small(rng_below(rng, 4)),
                     .o.kept = rng_below(rng, 2) ? STORE_REAL : STORE_BF16,
                     .members = 1 + rng_below(rng, 4),
                     .rows = 1 + rng_below(rng, 300),
                     .length = 1 + rng_below(rng, 2000)};

    d.c.vocab = 8 + rng_below(rng, 5000);
    d.c.width = 1 + rng_below(rng, 100);
    d.c.labels = 2 + rng_below(rng, 200);
    if (rng_below(rng, 2)) {
        d.c.ngram_order = 2 + rng_below(rng, 3);
        d.c.ngram_rows = 1 + rng_below(rng, 100000);
    }
    return d;
}

static void test_plan_keeps_the_budget(void **state) {
    unsigned refused = 0, pieces = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 8, 0);
    for (int i = 0; i < 2000; i++) {
        struct draw d = draw(&rng);
        struct step_plan full, plan = {0};
        struct reason why = {""};
        uint64_t budget;
        char needed[32];

        assert_int_equal(step_plan_make(&d.c, &d.o, d.members, d.rows, d.length, 0, &full, &why),
                         DIFFUSE_OK);
        assert_false(full.accumulates);
        budget = (uint64_t)((double)full.bytes * 1.3 * rng_unit(&rng)) + 1;
        if (step_plan_make(&d.c, &d.o, d.members, d.rows, d.length, budget, &plan, &why)) {
            assert_true(budget < full.bytes);
            (void)snprintf(needed, sizeof needed, "%zu MiB may be used", (size_t)(budget >> 20));
            assert_non_null(strstr(why.text, needed));
            assert_non_null(strstr(why.text, "--memory"));
            refused++;
            continue;
        }
        assert_true(plan.bytes <= budget);
        assert_true(plan.piece_tokens >= d.length);
        assert_true(plan.accumulates == (full.bytes > budget));
        pieces += plan.accumulates;
    }
    assert_true(refused > 50 && pieces > 50);
}

static void test_too_small_a_budget(void **state) {
    const struct net_config c = with_ngrams(small(1));
    const struct step_options o = {.lr = 1e-3};
    uint64_t least = least_budget(&c, &o, 2, ROWS, LONG);
    struct step_plan plan;
    struct reason why = {""};

    (void)state;
    assert_int_equal(step_plan_make(&c, &o, 2, ROWS, LONG, least - 1, &plan, &why), DIFFUSE_TOOBIG);
    assert_int_equal(step_plan_make(&c, &o, 2, ROWS, LONG, least, &plan, &why), DIFFUSE_OK);
    assert_int_equal(plan.bytes, least);
}

/* The plan of a run that goes on: the same pieces, although the budget is a little smaller. */
static void test_plan_repeated(void **state) {
    const struct net_config c = with_ngrams(small(1));
    const struct step_options o = {.lr = 1e-3};
    uint64_t budget = 2 * least_budget(&c, &o, 2, 4000, LONG);
    struct step_plan plan, again;
    struct reason why = {""};

    (void)state;
    assert_int_equal(step_plan_make(&c, &o, 2, 4000, LONG, budget, &plan, &why), DIFFUSE_OK);
    assert_true(plan.accumulates);
    assert_int_equal(step_plan_repeat(&c, &o, 2, 4000, LONG, plan.bytes - plan.bytes / 20,
                                      plan.piece_tokens, &again, &why),
                     DIFFUSE_OK);
    assert_memory_equal(&plan.piece_tokens, &again.piece_tokens, sizeof plan.piece_tokens);
    assert_true(again.bytes == plan.bytes && again.accumulates);
    assert_int_equal(
        step_plan_repeat(&c, &o, 2, 4000, LONG, plan.bytes / 2, plan.piece_tokens, &again, &why),
        DIFFUSE_TOOBIG);
    assert_non_null(strstr(why.text, "--memory"));
    assert_int_equal(step_plan_repeat(&c, &o, 2, 4000, LONG, 0, LONG - 1, &again, &why),
                     DIFFUSE_CORRUPT);
    assert_int_equal(step_plan_repeat(&c, &o, 2, 4000, LONG, 0, SIZE_MAX, &again, &why),
                     DIFFUSE_CORRUPT);
    assert_int_equal(step_plan_repeat(&c, &o, 2, 4000, LONG, 0, (size_t)4000 * LONG, &again, &why),
                     DIFFUSE_OK);
    assert_false(again.accumulates);
}

/* --- rows that are laid -------------------------------------------------- */

struct taken_rows {
    struct rows rows;
    struct arena arena;
    struct batch batch;
    struct rng rng;
    size_t pick[ROWS];
};

static void table_init(struct taken_rows *t, size_t max_tokens) {
    make_rows(&t->rows, ROWS, 11);
    assert_int_equal(
        arena_init(&t->arena, batch_bytes(ROWS) + arena_block(max_tokens * batch_bytes_each())),
        DIFFUSE_OK);
    assert_int_equal(batch_init(&t->batch, &t->arena, max_tokens, ROWS), DIFFUSE_OK);
    rng_init(&t->rng, 12, 0);
    for (size_t i = 0; i < ROWS; i++)
        t->pick[i] = (i * 7) % ROWS;
}

static void table_done(struct taken_rows *t) {
    arena_done(&t->arena);
    rows_done(&t->rows);
}

/* Is ids(n) left over from row when some tokens go? */
static bool is_part_of(const struct taken_rows *t, size_t row, const uint32_t *ids, size_t n) {
    uint32_t whole[LONG], length, label;
    size_t at = 0;

    assert_int_equal(rows_read(&t->rows, row, whole, &length, &label, NULL), DIFFUSE_OK);
    for (uint32_t i = 0; i < length && at < n; i++)
        at += whole[i] == ids[at];
    return at == n;
}

/* Lays all rows in pieces; returns the tokens that were laid. */
static size_t lay_all(struct taken_rows *t, double word_dropout) {
    const struct batch *b = &t->batch;
    size_t tokens = 0;

    for (size_t done = 0, taken; done < ROWS; done += taken) {
        assert_int_equal(batch_lay(&t->batch, &t->rows, t->pick + done, ROWS - done, word_dropout,
                                   &t->rng, &taken, NULL),
                         DIFFUSE_OK);
        assert_true(taken > 0 && b->net.n == taken && b->net.n <= b->max_seqs);
        assert_true(b->start[0] == 0 && b->start[b->net.n] <= b->max_tokens);
        for (uint32_t q = 0; q < b->net.n; q++) {
            uint32_t length, label;
            size_t row = t->pick[done + q], n = b->start[q + 1] - b->start[q];

            assert_int_equal(rows_get(&t->rows, row, &length, &label, NULL), DIFFUSE_OK);
            assert_int_equal(b->truth[q], label);
            assert_true(n > 0 && (word_dropout > 0 ? n <= length : n == length));
            assert_true(is_part_of(t, row, b->ids + b->start[q], n));
        }
        tokens += b->start[b->net.n];
    }
    return tokens;
}

static void test_rows_are_laid_in_pieces(void **state) {
    const size_t rooms[] = {LONG, 2 * LONG, 50, ROWS * LONG};
    size_t all = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct taken_rows t;
        size_t tokens;

        table_init(&t, rooms[i]);
        tokens = lay_all(&t, 0);
        assert_true(i == 0 || tokens == all);
        all = tokens;
        for (int k = 0; k < 20; k++)
            assert_true(lay_all(&t, 0.9) < all / 2);
        table_done(&t);
    }
}

static void test_share_left_out(void **state) {
    size_t all, kept = 0;
    struct taken_rows t;

    (void)state;
    table_init(&t, ROWS * LONG);
    all = lay_all(&t, 0);
    for (int i = 0; i < 100; i++)
        kept += lay_all(&t, 0.3);
    assert_true(fabs((double)kept / (100.0 * (double)all) - 0.7) < 0.01);
    table_done(&t);
}

/* --- whole runs ---------------------------------------------------------- */

struct outcome {
    double accuracy;
    uint64_t digest; /* of all weights' bits */
};

static struct outcome learn(struct model *m, const struct rows *rows, const struct rows *test,
                            uint64_t seed, uint64_t memory) {
    struct fit_options o = {.step = {.lr = 0.01,
                                     .table_lr = 0.01,
                                     .weight_decay = 0.01,
                                     .clip = 1,
                                     .dropout = 0.1,
                                     .embed_dropout = 0.1,
                                     .word_dropout = 0.02,
                                     .seed = seed},
                            .decay = SCHED_LINEAR,
                            .warmup = 0.1,
                            .epochs = 6,
                            .batch = 32,
                            .memory = memory};
    const struct fit_data data = {rows, NULL, test};
    struct fit_epoch epoch = {0};
    struct outcome out = {0};
    struct team *team;
    struct fit *fit;
    bool done;

    assert_int_equal(team_new(2, &team, NULL), DIFFUSE_OK);
    assert_int_equal(fit_new(&m->c, m->w, &o, &data, team, &fit, NULL), DIFFUSE_OK);
    assert_true(fit_plan(fit)->accumulates == (memory > 0));
    for (uint32_t i = 0; i < o.epochs; i++)
        assert_int_equal(fit_run_epoch(fit, NULL, NULL, &epoch, &done, NULL), DIFFUSE_OK);
    out.accuracy = (double)epoch.test.hits / (double)epoch.test.rows;
    for (size_t i = 0; i < m->entries; i++) {
        uint32_t bits;

        memcpy(&bits, &m->w->block[i], sizeof bits);
        out.digest = (out.digest ^ bits) * 0x9e3779b97f4a7c15u;
    }
    fit_free(fit);
    team_free(team);
    return out;
}

static struct outcome learn_new(const struct rows *rows, const struct rows *test, uint64_t seed,
                                uint64_t memory) {
    struct outcome out;
    struct model m;

    model_init(&m, small(1), 4);
    out = learn(&m, rows, test, seed, memory);
    arena_done(&m.arena);
    return out;
}

/* It learns the rule, at once and in pieces, and the same seed gives the same bits. */
static void test_whole_run(void **state) {
    const struct net_config c = small(1);
    const struct step_options o = {.lr = 0.01};
    uint64_t little = least_budget(&c, &o, 2, 32, LONG) + 20000;
    struct rows rows, test;
    struct outcome first, pieces;

    (void)state;
    make_rows(&rows, 1500, 1);
    make_rows(&test, 500, 2);
    first = learn_new(&rows, &test, 4, 0);
    assert_true(first.accuracy > 0.97);
    assert_true(first.digest == learn_new(&rows, &test, 4, 0).digest);
    assert_true(first.digest != learn_new(&rows, &test, 5, 0).digest);
    pieces = learn_new(&rows, &test, 4, little);
    assert_true(pieces.accuracy > 0.97);
    assert_true(pieces.digest == learn_new(&rows, &test, 4, little).digest);
    rows_done(&rows);
    rows_done(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_learn_as_the_whole_batch),
        cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_plan_keeps_the_budget),
        cmocka_unit_test(test_too_small_a_budget),
        cmocka_unit_test(test_plan_repeated),
        cmocka_unit_test(test_rows_are_laid_in_pieces),
        cmocka_unit_test(test_share_left_out),
        cmocka_unit_test(test_whole_run),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("step", tests, NULL, NULL);
}
