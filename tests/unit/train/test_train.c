/* test_train.c - the trainer's parts, and a whole run on a task that a bag of words cannot solve.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/net/embed.h"
#include "model/train/eval/loss.h"
#include "model/train/fit.h"
#include "model/train/rows/label_set.h"
#include "model/train/update/adamw.h"
#include "model/train/update/lookups.h"
#include "model/train/update/sched.h"

/* --- parts --------------------------------------------------------------- */

/* AdamW spelled out in double, from the paper's algorithm 2. */
static void test_adamw_follows_the_paper(void **state) {
    float x[3] = {1, -2, 0.5f}, m[3] = {0}, v[3] = {0};
    double X[3] = {1, -2, 0.5}, M[3] = {0}, V[3] = {0};
    struct adamw a = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.1};

    (void)state;
    for (a.step = 1; a.step <= 50; a.step++) {
        float g[3] = {x[0], (float)a.step * 0.1f, -1};
        double G[3] = {2 * X[0], 2 * (double)a.step * 0.1, -2};

        adamw_update(&a, 3, 2, g, m, v, x);
        for (int i = 0; i < 3; i++) {
            double mh, vh;

            M[i] = 0.9 * M[i] + 0.1 * G[i];
            V[i] = 0.999 * V[i] + 0.001 * G[i] * G[i];
            mh = M[i] / (1 - pow(0.9, (double)a.step));
            vh = V[i] / (1 - pow(0.999, (double)a.step));
            X[i] -= 0.01 * (mh / (sqrt(vh) + 1e-8) + 0.1 * X[i]);
        }
    }
    for (int i = 0; i < 3; i++)
        assert_true(fabs((double)x[i] - X[i]) < 1e-4);
}

static void test_schedule(void **state) {
    enum sched_decay kind;
    double before = 0;

    (void)state;
    for (uint64_t s = 0; s < 10; s++) {
        assert_true(sched_factor(SCHED_LINEAR, s, 10, 100) > before);
        before = sched_factor(SCHED_LINEAR, s, 10, 100);
    }
    assert_true(sched_factor(SCHED_LINEAR, 10, 10, 100) == 1);
    assert_true(fabs(sched_factor(SCHED_LINEAR, 55, 10, 100) - 0.5) < 1e-9);
    assert_true(fabs(sched_factor(SCHED_COSINE, 55, 10, 100) - 0.5) < 1e-9);
    assert_true(sched_factor(SCHED_CONSTANT, 99, 10, 100) == 1);
    assert_true(sched_factor(SCHED_COSINE, 1000, 10, 100) > 0);
    assert_int_equal(sched_parse("cosine", &kind), DIFFUSE_OK);
    assert_int_equal(kind, SCHED_COSINE);
    assert_int_equal(sched_parse("Cosine", &kind), DIFFUSE_NOTFOUND);
}

static void test_loss_and_its_gradient(void **state) {
    const float logits[] = {0.3f, -1.2f, 2.0f};
    float d[3], sum = 0;
    double e = 1e-3, up, down;
    bool hit;

    (void)state;
    (void)loss_row(logits, 3, 1, 0, 1, d, &hit);
    assert_false(hit);
    for (int i = 0; i < 3; i++) {
        float bent[3], waste[3];

        memcpy(bent, logits, sizeof bent);
        bent[i] += (float)e;
        up = loss_row(bent, 3, 1, 0, 1, waste, &hit);
        bent[i] -= (float)(2 * e);
        down = loss_row(bent, 3, 1, 0, 1, waste, &hit);
        assert_true(fabs((up - down) / (2 * e) - (double)d[i]) < 1e-3);
    }
    (void)loss_row(logits, 3, 2, 0.3, 0.5, d, &hit);
    assert_true(hit);
    for (int i = 0; i < 3; i++)
        sum += d[i];
    assert_true(fabsf(sum) < 1e-6f); /* probabilities and targets both sum to one */
}

static void test_labels(void **state) {
    struct label_set s = {0};
    uint32_t id;

    (void)state;
    assert_int_equal(label_set_add(&s, "b", &id), DIFFUSE_OK);
    assert_int_equal(label_set_add(&s, "a", &id), DIFFUSE_OK);
    assert_int_equal(label_set_add(&s, "b", &id), DIFFUSE_OK);
    assert_int_equal(id, 0);
    assert_int_equal(s.n, 2);
    label_set_sort(&s);
    assert_int_equal(label_set_find(&s, "a", &id), DIFFUSE_OK);
    assert_int_equal(id, 0);
    assert_int_equal(label_set_find(&s, "c", &id), DIFFUSE_NOTFOUND);
    label_set_done(&s);
}

static void count_calls(void *arg, unsigned member) {
    size_t *calls = arg;

    calls[member]++;
}

static void test_team_runs_every_member_once_a_round(void **state) {
    struct team *team;
    size_t calls[5] = {0}, from, to, covered = 0;

    (void)state;
    assert_int_equal(team_new(5, &team, NULL), DIFFUSE_OK);
    for (int i = 0; i < 500; i++)
        team_run(team, count_calls, calls);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(calls[i], 500);
        team_share(team, i, 13, &from, &to);
        assert_int_equal(from, covered);
        covered = to;
    }
    assert_int_equal(covered, 13);
    team_free(team);
    team_free(NULL);
}

static void test_lookups_sum_by_row(void **state) {
    struct net_config c = {.vocab = 4, .width = 2, .ngram_order = 2, .ngram_rows = 3};
    const uint32_t ids[] = {3, 1, 3, 1}, start[] = {0, 3, 4};
    float dh[] = {1, 10, 2, 20, 4, 40, 8, 80}, room[2];
    struct lookups l;
    float table[7 * 2] = {0}, expected[7 * 2] = {0};

    (void)state;
    assert_int_equal(lookups_init(&l, &c, 4, STORE_REAL), DIFFUSE_OK);
    lookups_find(&l, &c, &(struct net_batch){ids, start, 2});
    (void)lookups_sum(&l, 0, l.rows, &(struct store){STORE_REAL, dh});
    for (size_t r = 0; r < l.rows; r++)
        memcpy(table + 2 * lookups_row(&l, r), lookups_grad(&l, r, room), 2 * sizeof *table);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 2; j++) {
            expected[2 * ids[i] + j] += dh[2 * i + j];
            if (i == 1 || i == 2) /* the only two bigrams: none crosses from one text to the next */
                expected[2 * (4 + embed_ngram_row(&c, ids + i, 2)) + j] += dh[2 * i + j];
        }
    assert_memory_equal(table, expected, sizeof table);
    lookups_done(&l);
}

/* --- whole runs ---------------------------------------------------------- */

#define VOCAB 10

/* Rows whose label is whether symbol 1 stands directly before symbol 2: order is all that tells. */
static void make_rows(struct rows *rows, size_t n, uint64_t seed, uint64_t memory) {
    struct rng rng;

    assert_int_equal(rows_init(rows, VOCAB, memory), DIFFUSE_OK);
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

struct outcome {
    double accuracy;
    uint64_t digest; /* of all weights' bits */
};

static struct outcome train_with(struct net_config c, unsigned threads, uint64_t seed,
                                 uint32_t epochs, uint64_t memory) {
    struct fit_options o = {.step = {.lr = 0.01,
                                     .table_lr = 0.01,
                                     .weight_decay = 0.01,
                                     .clip = 1,
                                     .dropout = 0.1,
                                     .embed_dropout = 0.1,
                                     .seed = seed},
                            .decay = SCHED_LINEAR,
                            .warmup = 0.1,
                            .epochs = epochs,
                            .batch = 32};
    struct rows rows, test;
    struct fit_data data = {&rows, NULL, &test};
    bool done;
    struct fit_epoch epoch = {0};
    struct arena arena;
    struct net_weights *w;
    struct weights_list l;
    struct team *team;
    struct fit *fit;
    struct rng rng;
    struct reason why = {""};
    struct outcome out = {0};

    make_rows(&rows, 1500, 1, memory);
    make_rows(&test, 500, 2, memory);
    assert_int_equal(net_config_check(&c, &why), DIFFUSE_OK);
    assert_int_equal(arena_init(&arena, weights_bytes(&c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&arena, &c, &w), DIFFUSE_OK);
    rng_init(&rng, seed, 1);
    weights_init(w, &c, 0.1, &rng);
    assert_int_equal(team_new(threads, &team, NULL), DIFFUSE_OK);
    assert_int_equal(fit_new(&c, w, &o, &data, team, &fit, &why), DIFFUSE_OK);
    for (uint32_t i = 0; i < epochs; i++)
        assert_int_equal(fit_run_epoch(fit, NULL, NULL, &epoch, &done, &why), DIFFUSE_OK);
    weights_list_make(&c, &l);
    for (size_t i = 0; i < l.entries; i++) {
        uint32_t bits;

        memcpy(&bits, &w->block[i], sizeof bits);
        out.digest = (out.digest ^ bits) * 0x9e3779b97f4a7c15u;
    }
    out.accuracy = (double)epoch.test.hits / (double)epoch.test.rows;
    fit_free(fit);
    team_free(team);
    arena_done(&arena);
    rows_done(&rows);
    rows_done(&test);
    return out;
}

static struct outcome train(struct net_config c, unsigned threads, uint64_t seed, uint32_t epochs) {
    return train_with(c, threads, seed, epochs, ROWS_MEMORY);
}

static struct net_config small(uint32_t steps) {
    struct net_config c = {.vocab = VOCAB,
                           .width = 16,
                           .mlp_width = 32,
                           .head_width = 16,
                           .labels = 2,
                           .steps = steps,
                           .alpha = 0.375f,
                           .noise_std = 0.05f};

    for (unsigned t = 0; t < LIMIT_STEPS; t++)
        c.offsets[t] = 1;
    return c;
}

static void test_diffusion_learns_order(void **state) {
    struct net_config c = small(1);

    (void)state;
    assert_true(train(small(0), 2, 4, 6).accuracy < 0.6); /* a bag of symbols cannot */
    assert_true(train(c, 2, 4, 6).accuracy > 0.97);
    c.boundary = NET_BOUNDARY_RING;
    c.norm = NET_NORM_PRE;
    c.pool = NET_POOL_MEAN_MAX;
    assert_true(train(c, 2, 4, 6).accuracy > 0.97);
}

static void test_hashed_bigrams_learn_order(void **state) {
    struct net_config c = small(0);

    (void)state;
    c.ngram_order = 2;
    c.ngram_rows = 500;
    assert_true(train(c, 2, 4, 10).accuracy > 0.97);
}

static void test_same_seed_same_bits(void **state) {
    (void)state;
    assert_true(train(small(2), 2, 4, 1).digest == train(small(2), 2, 4, 1).digest);
    assert_true(train(small(2), 1, 4, 1).digest == train(small(2), 1, 4, 1).digest);
    assert_true(train(small(2), 2, 4, 1).digest != train(small(2), 2, 5, 1).digest);
    assert_true(train(small(2), 2, 4, 1).digest == train_with(small(2), 2, 4, 1, 1000).digest);
}

static void test_divergence_is_reported(void **state) {
    struct net_config c = small(1);
    struct fit_options o = {
        .step = {.lr = 1e30, .table_lr = 1e30}, .epochs = 1, .batch = 8, .decay = SCHED_CONSTANT};
    struct rows rows;
    struct fit_data data = {&rows, NULL, NULL};
    bool done;
    struct fit_epoch epoch;
    struct arena arena;
    struct net_weights *w;
    struct team *team;
    struct fit *fit;
    struct rng rng;
    struct reason why = {""};

    (void)state;
    make_rows(&rows, 200, 1, ROWS_MEMORY);
    assert_int_equal(arena_init(&arena, weights_bytes(&c)), DIFFUSE_OK);
    assert_int_equal(weights_new(&arena, &c, &w), DIFFUSE_OK);
    rng_init(&rng, 1, 1);
    weights_init(w, &c, 0.1, &rng);
    assert_int_equal(team_new(1, &team, NULL), DIFFUSE_OK);
    assert_int_equal(fit_new(&c, w, &o, &data, team, &fit, &why), DIFFUSE_OK);
    assert_int_equal(fit_run_epoch(fit, NULL, NULL, &epoch, &done, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "--lr"));
    fit_free(fit);
    team_free(team);
    arena_done(&arena);
    rows_done(&rows);
}

/* Stacks that no address space holds: said as what it is, and with what to do. */
static void test_a_refused_thread_is_called_one(void **state) {
    struct reason why = {""};
    struct team *team = NULL;
    pthread_attr_t before, huge;

    (void)state;
    assert_int_equal(pthread_getattr_default_np(&before), 0);
    assert_int_equal(pthread_attr_init(&huge), 0);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 60), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);
    assert_int_equal(team_new(3, &team, &why), DIFFUSE_IO);
    assert_int_equal(pthread_setattr_default_np(&before), 0);
    assert_null(team);
    assert_non_null(strstr(why.text, "thread 2 of 3"));
    assert_non_null(strstr(why.text, "--threads"));
    assert_int_equal(team_new(3, &team, &why), DIFFUSE_OK);
    team_free(team);
    (void)pthread_attr_destroy(&huge);
    (void)pthread_attr_destroy(&before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw_follows_the_paper),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_loss_and_its_gradient),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_team_runs_every_member_once_a_round),
        cmocka_unit_test(test_a_refused_thread_is_called_one),
        cmocka_unit_test(test_lookups_sum_by_row),
        cmocka_unit_test(test_diffusion_learns_order),
        cmocka_unit_test(test_hashed_bigrams_learn_order),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_divergence_is_reported),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
