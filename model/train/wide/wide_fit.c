#include "model/train/wide/wide_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/train/wide/wide_fit_part.h"

#define FEATURES_FEW  (1u << 17) /* of up to ROWS_FEW rows */
#define FEATURES_MANY (1u << 20)
#define ROWS_FEW      20000u
#define QUOTA_LEAST   1024u
#define DENSE_COLUMNS 8u  /* up to so many nothing is left out */
#define WORK_FOLDS    8e6 /* entries x columns x folds that the choice is made on; one at least */
#define WORK_FINE     2e6 /* entries x columns up to which more costs are tried */

static const double fine[] = {0.1, 0.3, 1, 3, 10}, coarse[] = {0.3, 1, 3};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct wide_fit_choice choices[] = {
    {1, WIDE_NORM_LENGTH}, {0, WIDE_NORM_LENGTH}, {1, WIDE_NORM_NONE}};

/* --- choosing ------------------------------------------------------------ */

static bool is_right(const struct wide_fit_run *f, const float *scores, uint32_t label) {
    uint32_t best = 0;

    if (f->columns == 1)
        return (scores[0] > 0) == (label == 1);
    for (uint32_t k = 1; k < f->columns; k++)
        best = scores[k] > scores[best] ? k : best;
    return best == label;
}

/* Share of the rows of n parts that a set of scores has right. */
static double accuracy(const struct wide_fit_run *f, const struct wide_fit_part *parts, size_t n,
                       size_t set) {
    const float *scores = f->scores + set * f->out->judged * f->columns;
    size_t right = 0, rows = 0;

    for (size_t p = 0; p < n; p++) {
        rows += parts[p].n_held;
        for (size_t i = 0; i < parts[p].n_held; i++) {
            size_t at = parts[p].held[i];

            right += is_right(f, scores + at * f->columns, f->data.label[f->judged[at]]);
        }
    }
    return rows ? (double)right / (double)rows : 0;
}

/* Accuracy at a cost, and half as much its neighbours': one lucky cost is not the best. */
static double smoothed(const double *a, size_t n, size_t i) {
    double before = a[i > 0 ? i - 1 : i], after = a[i + 1 < n ? i + 1 : i];

    return (before + 2 * a[i] + after) / 4;
}

static size_t tried_folds(const struct wide_fit_run *f) {
    double most = WORK_FOLDS / f->work;

    return most < 1 ? 1 : most < f->out->folds ? (size_t)most : f->out->folds;
}

static void choose(struct wide_fit_run *f) {
    bool whole = f->small.n == 0, all = f->work <= WORK_FINE;
    const struct wide_fit_part *parts = whole ? f->part : &f->small;
    size_t n = whole ? tried_folds(f) : 1;
    double best = -1, a[WIDE_FIT_COSTS];
    struct wide_fit_choice chosen = choices[0];

    f->costs = f->o->cost > 0 ? &f->o->cost : all ? fine : coarse;
    f->n_costs = f->o->cost > 0 ? 1 : all ? COUNT(fine) : COUNT(coarse);
    f->out->cost = f->o->cost > 0 ? f->o->cost : 1;
    for (size_t c = 0; c < COUNT(choices) && f->out->judged > 0; c++) {
        f->choice = choices[c];
        wide_deal_norm(f, f->choice.norm);
        wide_job_run(f, WIDE_FIT_TRY, parts, n);
        for (size_t i = 0; i < f->n_costs; i++)
            a[i] = accuracy(f, parts, n, i);
        for (size_t i = 0; i < f->n_costs; i++)
            if (smoothed(a, f->n_costs, i) > best) {
                best = smoothed(a, f->n_costs, i);
                chosen = choices[c];
                f->out->cost = f->costs[i];
            }
    }
    f->choice = chosen;
    f->out->beta = chosen.beta;
    f->costs = &f->out->cost;
    f->n_costs = 1;
    wide_deal_norm(f, chosen.norm);
}

static void set_quotas(struct wide_fit_run *f) {
    size_t quota = f->o->entries ? f->o->entries / f->columns : QUOTA_LEAST;

    f->quotas = 0;
    while (f->columns > DENSE_COLUMNS && f->quotas + 1 < WIDE_FIT_QUOTAS &&
           quota < f->data.features) {
        f->quota[f->quotas++] = quota ? quota : 1;
        quota *= 2;
        if (f->o->entries)
            return;
    }
    f->quota[f->quotas++] = f->data.features;
}

/* Judge the folds, and choose how many weights a label keeps. */
static diffuse_err judge(struct wide_fit_run *f) {
    size_t n = f->out->judged, set = 0;
    const float *scores;

    set_quotas(f);
    f->keep = f->quota[0];
    if (n == 0)
        return DIFFUSE_OK;
    wide_job_run(f, WIDE_FIT_JUDGE, f->part, f->out->folds);
    f->out->accuracy_whole = accuracy(f, f->part, f->out->folds, f->quotas - 1);
    while (accuracy(f, f->part, f->out->folds, set) + WIDE_FIT_LOSS < f->out->accuracy_whole)
        set++;
    f->out->accuracy = accuracy(f, f->part, f->out->folds, set);
    f->keep = f->quota[set];
    if (!(f->out->scores = calloc(n * f->labels, sizeof *f->out->scores)))
        return DIFFUSE_NOMEM;
    scores = f->scores + set * n * f->columns;
    for (size_t i = 0; i < n && f->columns == 1; i++) {
        f->out->scores[2 * i] = -scores[i];
        f->out->scores[2 * i + 1] = scores[i];
    }
    if (f->columns > 1)
        memcpy(f->out->scores, scores, n * f->labels * sizeof *scores);
    return DIFFUSE_OK;
}

/* --- the result ---------------------------------------------------------- */

/* Features, by bucket. */
static void lay_features(const struct wide_fit_run *f, struct wide *w) {
    memcpy(w->code, f->data.code, f->data.features);
    w->idf_unit = (float)f->data.unit;
    for (uint32_t i = 0; i < f->data.features; i++) {
        w->tag[i] = (uint32_t)f->data.key[i];
        w->start[wide_bucket(w, f->data.key[i]) + 1]++;
    }
    for (uint32_t b = 0; b < wide_buckets(&w->shape); b++)
        w->start[b + 1] += w->start[b];
}

static void lay_dense(const struct wide_fit_run *f, struct wide *w) {
    for (uint32_t k = 0; k < f->columns; k++)
        for (size_t i = 0; i < f->n_kept[k]; i++) {
            const struct wide_fit_weight *x = &f->kept[k * f->keep + i];

            w->weight[(size_t)x->feature * f->columns + k] = x->v;
        }
}

/* From lists by label to lists by feature. */
static void lay_lists(const struct wide_fit_run *f, struct wide *w) {
    for (uint32_t k = 0; k < f->columns; k++)
        for (size_t i = 0; i < f->n_kept[k]; i++)
            w->first[f->kept[k * f->keep + i].feature + 1]++;
    for (uint32_t i = 0; i < f->data.features; i++)
        w->first[i + 1] += w->first[i];
    for (uint32_t k = 0; k < f->columns; k++)
        for (size_t i = 0; i < f->n_kept[k]; i++) {
            const struct wide_fit_weight *x = &f->kept[k * f->keep + i];
            uint32_t at = w->first[x->feature]++;

            w->column[at] = (uint16_t)k;
            w->weight[at] = x->v;
        }
    for (uint32_t i = f->data.features; i > 0; i--)
        w->first[i] = w->first[i - 1];
    w->first[0] = 0;
    if (w->first[f->data.features] < w->shape.entries)
        w->first[f->data.features] = w->shape.entries;
}

static diffuse_err assemble(struct wide_fit_run *f, struct reason *why) {
    struct wide_shape shape = {.form = f->walk.form,
                               .norm = f->choice.norm,
                               .labels = f->labels,
                               .features = f->data.features,
                               .dense = f->columns <= DENSE_COLUMNS};
    size_t entries = 0;
    struct wide *w;
    diffuse_err e;

    for (uint32_t k = 0; k < f->columns; k++)
        entries += f->n_kept[k];
    if (shape.dense)
        entries = (size_t)f->data.features * f->columns;
    if (entries > WIDE_ENTRIES)
        return reason_set(why, DIFFUSE_INVAL,
                          "%zu weights, at most %u can be kept: give fewer features", entries,
                          WIDE_ENTRIES);
    shape.entries = entries ? (uint32_t)entries : 1; /* of 0, when there is none */
    if ((e = arena_init(&f->out->arena, wide_bytes(&shape))) ||
        (e = wide_new(&f->out->arena, &shape, f->walk.tokenizer, &w)))
        return e;
    lay_features(f, w);
    if (shape.dense)
        lay_dense(f, w);
    else
        lay_lists(f, w);
    memcpy(w->bias, f->bias, f->columns * sizeof *w->bias);
    wide_settle(w);
    f->out->wide = w;
    return DIFFUSE_OK;
}

static diffuse_err fit_all(struct wide_fit_run *f, struct reason *why) {
    f->kept = calloc(f->columns * f->keep, sizeof *f->kept);
    f->n_kept = calloc(f->columns, sizeof *f->n_kept);
    f->bias = calloc(f->columns, sizeof *f->bias);
    if (!f->kept || !f->n_kept || !f->bias)
        return DIFFUSE_NOMEM;
    wide_job_run(f, WIDE_FIT_KEEP, &f->all, 1);
    return assemble(f, why);
}

/* --- beginning and end --------------------------------------------------- */

static void fit_done(struct wide_fit_run *f) {
    wide_job_done(f);
    wide_deal_done(f);
    free(f->judged);
    free(f->scale);
    free(f->judge);
    free(f->log_of);
    free(f->scores);
    free(f->kept);
    free(f->n_kept);
    free(f->bias);
    wide_rows_done(&f->data);
}

static diffuse_err make_data(struct wide_fit_run *f, const struct rows *rows, struct reason *why) {
    uint32_t budget = f->o->features        ? f->o->features
                      : rows->n <= ROWS_FEW ? FEATURES_FEW
                                            : FEATURES_MANY;
    diffuse_err e = wide_rows_make(rows, &f->walk, budget, f->o->seed, &f->data, why);
    size_t n = f->data.n;

    if (e)
        return e;
    f->work = (double)f->data.start[n] * f->columns;
    f->out->fold = calloc(rows->n, sizeof *f->out->fold);
    f->scale = calloc(n, sizeof *f->scale);
    f->judge = calloc(n, sizeof *f->judge);
    f->log_of = calloc(n + 2, sizeof *f->log_of);
    if (!f->out->fold || !f->scale || !f->judge || !f->log_of)
        return DIFFUSE_NOMEM;
    memset(f->out->fold, WIDE_FIT_NO_FOLD, rows->n);
    for (size_t i = 0; i < n + 2; i++)
        f->log_of[i] = (float)log(1 + (double)i);
    for (size_t i = 0; i < n; i++)
        if (f->data.label[i] >= f->labels)
            return reason_set(why, DIFFUSE_INVAL, "row %u has label %u of %u", f->data.row[i],
                              f->data.label[i], f->labels);
    return DIFFUSE_OK;
}

static diffuse_err check(const struct wide_fit_run *f, struct reason *why) {
    if (f->labels < 2 || f->labels > LIMIT_LABELS)
        return reason_set(why, DIFFUSE_INVAL, "%u labels, expected 2 to %u", f->labels,
                          LIMIT_LABELS);
    if (f->o->folds == 1 || f->o->folds > WIDE_FIT_FOLDS_MOST)
        return reason_set(why, DIFFUSE_INVAL, "%u folds, expected 2 to %u", f->o->folds,
                          WIDE_FIT_FOLDS_MOST);
    if (f->o->features > WIDE_FEATURES || f->o->entries > WIDE_ENTRIES)
        return reason_set(why, DIFFUSE_INVAL,
                          "%u features and %u weights, expected up to %u and %u", f->o->features,
                          f->o->entries, WIDE_FEATURES, WIDE_ENTRIES);
    if (f->o->cost < 0 || !isfinite(f->o->cost))
        return reason_set(why, DIFFUSE_INVAL, "cost is %g, expected above 0", f->o->cost);
    return walk_form_check(&f->walk.form, why);
}

diffuse_err wide_fit(const struct rows *rows, const struct tokenizer *tokenizer, uint32_t labels,
                     const struct wide_fit_options *o, struct team *team, struct wide_fit *ret_fit,
                     struct reason *why) {
    struct wide_fit_run f = {.o = o,
                             .team = team,
                             .out = ret_fit,
                             .walk = {o->form, tokenizer},
                             .labels = labels,
                             .columns = labels == 2 ? 1 : labels};
    diffuse_err e;

    *ret_fit = (struct wide_fit){0};
    if (o->form.words == 0 && o->form.letters_to == 0)
        f.walk.form = walk_form_default(tokenizer_kind_of(tokenizer));
    if (!(e = check(&f, why)) && !(e = make_data(&f, rows, why)) && !(e = wide_deal_make(&f)) &&
        !(e = wide_job_make(&f))) {
        choose(&f);
        if (!(e = judge(&f)))
            e = fit_all(&f, why);
    }
    fit_done(&f);
    return e;
}

void wide_fit_done(struct wide_fit *fit) {
    arena_done(&fit->arena);
    free(fit->fold);
    free(fit->row);
    free(fit->scores);
    *fit = (struct wide_fit){0};
}
