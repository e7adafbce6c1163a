/* test_metrics.c - counts and scores against cases worked by hand, and against scikit-learn's
 * numbers for the same rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/train/eval/quality.h"

static void assert_near(double x, double want, double apart) {
    if (!(fabs(x - want) <= apart))
        fail_msg("%.15g, expected %.15g", x, want);
}

static void init(struct quality *m, uint32_t labels, double temperature) {
    assert_int_equal(quality_init(m, labels, temperature), DIFFUSE_OK);
}

/* A row whose logits are 0 but for one. */
static void add(struct quality *m, uint32_t truth, uint32_t given, real logit) {
    real logits[8] = {0};

    logits[given] = logit;
    assert_int_equal(quality_add(m, logits, truth), DIFFUSE_OK);
}

/* Labels 0, 1, 2 and 3; 3 does not occur. */
static void test_by_hand(void **state) {
    struct quality m;
    struct quality_class class[4];
    struct quality_pair pair[2];
    uint32_t order[4];

    (void)state;
    init(&m, 4, 1);
    for (int i = 0; i < 3; i++)
        add(&m, 0, 0, 5);
    add(&m, 0, 2, 5);
    add(&m, 1, 0, 5);
    add(&m, 1, 0, 5);
    add(&m, 2, 1, 5);
    quality_classes(&m, class);
    assert_int_equal(m.rows, 7);
    assert_near(quality_accuracy(&m), 3.0 / 7, 1e-15);
    assert_int_equal(class[0].support, 4);
    assert_int_equal(class[0].given, 5);
    assert_int_equal(class[0].hits, 3);
    assert_near(class[0].precision, 0.6, 1e-15);
    assert_near(class[0].recall, 0.75, 1e-15);
    assert_near(class[0].f1, 2 * 0.6 * 0.75 / 1.35, 1e-15);
    assert_int_equal(class[0].mistaken, 2);
    assert_int_equal(class[1].mistaken, 0);
    assert_int_equal(class[1].mistakes, 2);
    assert_int_equal(class[3].mistaken, QUALITY_NONE);
    assert_near(quality_macro_f1(class, 4), class[0].f1 / 3, 1e-15); /* label 3 is no label of it */
    assert_int_equal(quality_count(&m, 1, 0), 2);
    assert_int_equal(quality_count(&m, 0, 1), 0);
    assert_int_equal(quality_mistakes(&m, pair, 2), 2);
    assert_int_equal(pair[0].truth, 1);
    assert_int_equal(pair[0].rows, 2);
    assert_int_equal(pair[1].truth, 0); /* of equal ones the lower label */
    assert_int_equal(pair[1].given, 2);
    assert_int_equal(quality_worst_first(class, 4, order), 3);
    assert_int_equal(order[0], 1); /* both 0, this one has more rows */
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 0);
    quality_done(&m);
}

/* 300 rows of 7 labels, in sixteenths, so that every machine has the same logits: label 4 is never
 * given, label 6 never true. */
static uint32_t golden_row(uint32_t i, real logits[7]) {
    uint32_t best = 0;

    for (uint32_t k = 0; k < 7; k++) {
        logits[k] = (real)((int)((i * i * 31 + k * k * 57 + i * k * 13) % 97) - 48) / 16;
        best = logits[k] > logits[best] ? k : best;
    }
    logits[4] -= 64;
    return i % 3 == 0 ? i * 5 % 6 : best < 6 ? best : 0;
}

static void add_golden(struct quality *m, uint32_t from, uint32_t to) {
    real logits[7];

    for (uint32_t i = from; i < to; i++) {
        uint32_t truth = golden_row(i, logits);

        assert_int_equal(quality_add(m, logits, truth), DIFFUSE_OK);
    }
}

/* precision_recall_fscore_support, f1_score(average="macro"), log_loss of scikit-learn 1.2.1; ECE
 * by numpy from the paper's formula. */
static void test_scikit_learn(void **state) {
    static const struct {
        unsigned support, given;
        double precision, recall, f1;
    } want[7] = {
        {105, 56, 0.785714285714286, 0.419047619047619, 0.546583850931677},
        {22, 43, 0.511627906976744, 1, 0.676923076923077},
        {40, 75, 0.533333333333333, 1, 0.695652173913044},
        {75, 50, 0.64, 0.426666666666667, 0.512},
        {36, 0, 0, 0, 0},
        {22, 40, 0.55, 1, 0.709677419354839},
        {0, 36, 0, 0, 0},
    };
    static const unsigned bin_rows[] = {0, 0, 0, 0, 9, 74, 34, 46, 56, 18, 12, 20, 22, 9, 0};
    static const unsigned bin_hits[] = {0, 0, 0, 0, 4, 33, 16, 26, 33, 8, 6, 11, 16, 7, 0};
    static const unsigned row_3[] = {10, 5, 13, 32, 0, 9, 6};
    struct quality m;
    struct quality_class class[7];

    (void)state;
    init(&m, 7, 2.5);
    add_golden(&m, 0, 300);
    quality_classes(&m, class);
    for (uint32_t k = 0; k < 7; k++) {
        assert_int_equal(class[k].support, want[k].support);
        assert_int_equal(class[k].given, want[k].given);
        assert_near(class[k].precision, want[k].precision, 1e-14);
        assert_near(class[k].recall, want[k].recall, 1e-14);
        assert_near(class[k].f1, want[k].f1, 1e-14);
        assert_int_equal(quality_count(&m, 3, k), row_3[k]);
    }
    assert_near(quality_accuracy(&m), 0.5333333333333333, 1e-14);
    assert_near(quality_macro_f1(class, 7), 0.44869093158894796, 1e-14);
    assert_near(quality_loss(&m, &m.raw), 9.153281191337292, 1e-11);
    assert_near(quality_loss(&m, &m.scaled), 4.524046395248535, 1e-11);
    assert_near(quality_ece(&m, &m.raw), 0.09066505561761727, 1e-12);
    assert_near(quality_ece(&m, &m.scaled), 0.2043433718108958, 1e-12);
    for (unsigned b = 0; b < QUALITY_BINS; b++) {
        assert_int_equal(m.raw.bin[b].rows, bin_rows[b]);
        assert_int_equal(m.raw.bin[b].hits, bin_hits[b]);
    }
    quality_done(&m);
}

/* Parts merged in order: the same counts as at once, and the same bits every time. */
static void test_merge(void **state) {
    struct quality whole, first, second, twice;

    (void)state;
    init(&whole, 7, 2);
    add_golden(&whole, 0, 300);
    init(&first, 7, 2);
    init(&twice, 7, 2);
    for (int i = 0; i < 2; i++) {
        struct quality *into = i ? &twice : &first;

        add_golden(into, 0, 130);
        init(&second, 7, 2);
        add_golden(&second, 130, 300);
        assert_int_equal(quality_merge(into, &second), DIFFUSE_OK);
        quality_done(&second);
    }
    assert_int_equal(first.rows, 300);
    assert_int_equal(first.hits, whole.hits);
    for (uint32_t i = 0; i < 49; i++)
        assert_int_equal(quality_count(&first, i / 7, i % 7), quality_count(&whole, i / 7, i % 7));
    for (unsigned b = 0; b < QUALITY_BINS; b++)
        assert_int_equal(first.scaled.bin[b].rows, whole.scaled.bin[b].rows);
    assert_near(quality_loss(&first, &first.raw), quality_loss(&whole, &whole.raw), 1e-12);
    assert_memory_equal(&first.raw, &twice.raw, sizeof first.raw);
    assert_memory_equal(&first.scaled, &twice.scaled, sizeof first.scaled);
    quality_done(&whole);
    quality_done(&first);
    quality_done(&twice);
}

/* Half of the rows are right. The nearer to that the confidence, the smaller the error. */
static void test_ece_grows_with_overconfidence(void **state) {
    double before = -1;

    (void)state;
    for (int logit = 0; logit <= 12; logit += 2) {
        struct quality m;
        double sure = 1 / (1 + exp(-logit));

        init(&m, 2, 3);
        for (int i = 0; i < 40; i++)
            add(&m, i % 2 ? 1 : 0, 1, (real)logit + (real)0.001);
        assert_near(quality_ece(&m, &m.raw), sure - 0.5, 1e-3);
        assert_true(quality_ece(&m, &m.raw) > before);
        assert_true(quality_ece(&m, &m.scaled) <= quality_ece(&m, &m.raw));
        before = quality_ece(&m, &m.raw);
        quality_done(&m);
    }
    assert_near(before, 0.5, 1e-3);
}

/* Errors of opposite sign in different bins do not cancel; in one bin they do. */
static void test_ece_by_bins(void **state) {
    struct quality m;
    real sure = (real)log(9), unsure = (real)log(1.5); /* confidence 0.9 and 0.6 */

    (void)state;
    init(&m, 2, 1);
    add(&m, 1, 0, sure);   /* 0.9 and wrong */
    add(&m, 0, 0, unsure); /* 0.6 and right */
    assert_near(quality_ece(&m, &m.raw), (0.9 + 0.4) / 2, 1e-6);
    quality_done(&m);
    init(&m, 2, 1);
    add(&m, 1, 0, sure);
    add(&m, 0, 0, sure);
    assert_near(quality_ece(&m, &m.raw), 0.4, 1e-6);
    quality_done(&m);
}

static void test_extremes(void **state) {
    struct quality m;
    struct quality_class class[3];
    real logits[3] = {-3e38f, 3e38f, 0};

    (void)state;
    init(&m, 3, 0.05);
    quality_classes(&m, class);
    assert_near(quality_accuracy(&m), 0, 0); /* no rows: no division */
    assert_near(quality_ece(&m, &m.raw), 0, 0);
    assert_near(quality_macro_f1(class, 3), 0, 0);
    assert_int_equal(quality_add(&m, logits, 1), DIFFUSE_OK);
    assert_int_equal(m.hits, 1);
    assert_int_equal(m.raw.bin[QUALITY_BINS - 1].rows, 1);
    assert_near(quality_loss(&m, &m.scaled), 0, 0);
    logits[2] = INFINITY;
    assert_int_equal(quality_add(&m, logits, 2), DIFFUSE_OK);
    assert_int_equal(quality_count(&m, 2, 0), 1); /* as the daemon answers */
    assert_true(m.raw.bin[4].rows + m.raw.bin[5].rows == 1);
    assert_true(!isfinite(quality_loss(&m, &m.raw)));
    quality_done(&m);
    quality_done(&m);
}

/* As many labels as there may be, and more pairs than the table began with. */
static void test_many_labels(void **state) {
    static real logits[4096];
    struct quality m;
    static struct quality_class class[4096];

    (void)state;
    init(&m, 4096, 1);
    for (uint32_t i = 0; i < 8192; i++) {
        uint32_t given = ((i * 2654435761u) >> 20) % 4096;

        logits[given] = 9;
        assert_int_equal(quality_add(&m, logits, i % 4096), DIFFUSE_OK);
        logits[given] = 0;
    }
    quality_classes(&m, class);
    for (uint32_t i = 0; i < 8192; i++)
        assert_true(quality_count(&m, i % 4096, (i * 2654435761u) >> 20) >= 1);
    for (uint32_t k = 0; k < 4096; k++)
        assert_int_equal(class[k].support, 2);
    assert_int_equal(quality_count(&m, 4095, 0) + quality_count(&m, 0, 4095), 0);
    assert_true(m.slots <= 4 * 8192);
    quality_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),     cmocka_unit_test(test_scikit_learn),
        cmocka_unit_test(test_merge),       cmocka_unit_test(test_ece_grows_with_overconfidence),
        cmocka_unit_test(test_ece_by_bins), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_many_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
