/* wide_deal.c - see wide_fit_part.h: which rows are learned from, which judge, and their norms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/train/wide/wide_fit_part.h"

#define SCORES_MOST    ((size_t)1 << 24)
#define WORK_ALL_JUDGE 2e9 /* up to which all folds are judged */

/* --- norms --------------------------------------------------------------- */

/* Of the features that have tells of; all when it is NULL. */
static double square_of(const struct wide_fit_run *f, uint32_t row, const uint32_t *have) {
    double sum = 0;

    for (size_t j = f->data.start[row]; j < f->data.start[row + 1]; j++) {
        uint32_t i = wide_rows_feature(f->data.entry[j]);

        if (!have || have[i] > 0)
            sum += (double)f->data.idf2[i] * wide_rows_times(f->data.entry[j]);
    }
    return sum;
}

static float inverse(double square) {
    return square > 0 ? (float)(1 / sqrt(square)) : 0;
}

void wide_deal_norm(struct wide_fit_run *f, enum wide_norm norm) {
    double sum = 0;

    for (uint32_t i = 0; i < f->data.n; i++) {
        double square = square_of(f, i, NULL);

        f->scale[i] = inverse(square);
        sum += sqrt(square);
    }
    for (size_t i = 0; norm == WIDE_NORM_NONE && i < f->data.n; i++)
        f->scale[i] = sum > 0 ? (float)((double)f->data.n / sum) : 0;
}

/* --- parts --------------------------------------------------------------- */

static diffuse_err part_init(struct wide_fit_part *p, const struct wide_fit_run *f) {
    p->use = calloc(f->data.n, sizeof *p->use);
    p->held = calloc(f->out->judged + 1, sizeof *p->held);
    p->have = calloc(f->data.features, sizeof *p->have);
    return p->use && p->held && p->have ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static void part_done(struct wide_fit_part *p) {
    free(p->use);
    free(p->held);
    free(p->have);
}

static void count_have(const struct wide_fit_run *f, struct wide_fit_part *p) {
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = f->data.start[p->use[i]]; j < f->data.start[p->use[i] + 1]; j++)
            p->have[wide_rows_feature(f->data.entry[j])]++;
}

/* Rows outside fold, up to most, and what is judged of it; all rows for WIDE_FIT_NO_FOLD. */
static diffuse_err fill_part(struct wide_fit_run *f, uint8_t fold, size_t most,
                             struct wide_fit_part *p) {
    diffuse_err e = part_init(p, f);

    if (e)
        return e;
    for (uint32_t i = 0; i < f->data.n && p->n < most; i++)
        if (fold == WIDE_FIT_NO_FOLD || f->out->fold[f->data.row[i]] != fold)
            p->use[p->n++] = i;
    for (size_t i = 0; i < f->out->judged; i++)
        if (f->out->fold[f->out->row[i]] == fold)
            p->held[p->n_held++] = (uint32_t)i;
    count_have(f, p);
    return DIFFUSE_OK;
}

/* Each label's rows go round the folds. */
static diffuse_err deal_folds(struct wide_fit_run *f, unsigned folds) {
    uint32_t *seen = calloc(f->labels, sizeof *seen);

    if (!seen)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < f->data.n; i++) {
        uint32_t k = f->data.label[i];

        f->out->fold[f->data.row[i]] = (uint8_t)((seen[k]++ + k) % folds);
    }
    free(seen);
    return DIFFUSE_OK;
}

static int by_row(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Rows of the first folds, as many as their scores have room. */
static diffuse_err choose_judged(struct wide_fit_run *f) {
    size_t sets = WIDE_FIT_COSTS > WIDE_FIT_QUOTAS ? WIDE_FIT_COSTS : WIDE_FIT_QUOTAS;
    size_t most = SCORES_MOST / (sets * f->columns) + 1, n = 0;
    uint64_t *pair = calloc(f->data.n, sizeof *pair);

    f->judged = calloc(f->data.n, sizeof *f->judged);
    f->out->row = calloc(f->data.n, sizeof *f->out->row);
    if (!pair || !f->judged || !f->out->row) {
        free(pair);
        return DIFFUSE_NOMEM;
    }
    for (uint32_t i = 0; i < f->data.n && n < most; i++)
        if (f->out->fold[f->data.row[i]] < f->out->folds)
            pair[n++] = (uint64_t)f->data.row[i] << 32 | i;
    qsort(pair, n, sizeof *pair, by_row);
    for (size_t i = 0; i < n; i++) {
        f->out->row[i] = (uint32_t)(pair[i] >> 32);
        f->judged[i] = (uint32_t)pair[i];
    }
    f->out->judged = n;
    free(pair);
    f->scores = calloc(sets * n * f->columns + 1, sizeof *f->scores);
    return f->scores ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

diffuse_err wide_deal_make(struct wide_fit_run *f) {
    size_t n = f->data.n;
    unsigned folds = f->o->folds ? f->o->folds : WIDE_FIT_FOLDS;
    diffuse_err e;

    folds = folds < n ? folds : (unsigned)n;
    memset(f->out->fold, WIDE_FIT_NO_FOLD, n); /* of rows that are left out, it stays so */
    if ((e = fill_part(f, WIDE_FIT_NO_FOLD, n, &f->all)) || n < 2)
        return e;
    if ((e = deal_folds(f, folds)))
        return e;
    f->out->folds = f->work <= WORK_ALL_JUDGE ? folds : 1;
    if ((e = choose_judged(f)))
        return e;
    for (unsigned i = 0; !e && i < f->out->folds; i++)
        e = fill_part(f, (uint8_t)i, n, &f->part[i]);
    if (!e && f->work > WIDE_FIT_WORK_ONE_FOLD)
        e = fill_part(f, 0, (size_t)((double)n * WIDE_FIT_WORK_ONE_FOLD / f->work), &f->small);
    for (unsigned i = 0; !e && i < f->out->folds; i++)
        for (size_t j = 0; j < f->part[i].n_held; j++) {
            uint32_t row = f->judged[f->part[i].held[j]];

            f->judge[row] = inverse(square_of(f, row, f->part[i].have));
        }
    return e;
}

void wide_deal_done(struct wide_fit_run *f) {
    for (size_t i = 0; i < WIDE_FIT_FOLDS_MOST; i++)
        part_done(&f->part[i]);
    part_done(&f->small);
    part_done(&f->all);
}
