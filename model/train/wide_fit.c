/* wide_fit.c - see wide_fit.h. A job is one column (a label against the rest) on one part of the
 * rows; the threads share them. */
#include "model/train/wide_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/train/wide_rows.h"
#include "model/train/wide_solve.h"

#define FOLDS_MOST     32u
#define FEATURES_FEW   (1u << 17) /* of up to ROWS_FEW rows */
#define FEATURES_MANY  (1u << 20)
#define ROWS_FEW       20000u
#define QUOTAS         4u /* of a label's weights: tries, each twice the one before; the last: all */
#define QUOTA_LEAST    1024u
#define DENSE_COLUMNS  8u /* up to so many nothing is left out */
#define SCORES_MOST    ((size_t)1 << 24)
#define WORK_FOLDS     8e6 /* entries x columns x folds that the choice is made on; one at least */
#define WORK_ONE_FOLD  2e8 /* of a larger one, on so much of it */
#define WORK_ALL_JUDGE 2e9 /* up to which all folds are judged */
#define TRY_TOLERANCE  0.1
#define TRY_PASSES     20u
#define TOLERANCE      0.05
#define PASSES         100u
#define WORK_FINE      2e6 /* entries x columns up to which more costs are tried */

static const double fine[] = {0.1, 0.3, 1, 3, 10}, coarse[] = {0.3, 1, 3};

#define COUNT(a)   (sizeof(a) / sizeof *(a))
#define COSTS_MOST COUNT(fine)

struct choice {
    double beta;
    enum wide_norm norm;
};

static const struct choice choices[] = {
    {1, WIDE_NORM_LENGTH}, {0, WIDE_NORM_LENGTH}, {1, WIDE_NORM_NONE}};

/* Some of the rows to learn from, the others to judge. */
struct part {
    uint32_t *use; /* (n) rows of the data */
    size_t n;
    uint32_t *held; /* (n_held) places among the judged rows */
    size_t n_held;
    uint32_t *have; /* (features) rows of use that have each */
};

/* What a thread works in. */
struct hand {
    struct wide_solve solve;
    uint32_t *own;  /* (features) rows of the label that have each */
    uint32_t *bins; /* (BINS) */
};

struct weight {
    uint32_t feature;
    float v;
};

enum purpose { TRY, JUDGE, KEEP };

struct fit {
    const struct wide_fit_options *o;
    struct team *team;
    struct wide_fit *out;
    struct wide_rows data;
    struct walk walk;
    uint32_t labels, columns;
    double work;                  /* entries x columns */
    uint32_t *judged;             /* (out->judged) rows of the data */
    float *scale, *judge;         /* (rows) 1 / norm: to learn from; to judge */
    float *log_of;                /* (rows + 2) logarithms of 1 + n */
    struct part part[FOLDS_MOST]; /* (folds) */
    struct part small, all;       /* of the first fold, what is tried on; of everything */
    struct hand *hand;            /* (team) */
    float *scores;                /* (costs or quotas, judged, columns) */
    size_t quota[QUOTAS], quotas; /* upwards */

    /* of the jobs at hand */
    enum purpose purpose;
    const struct part *parts;
    size_t n_parts, keep; /* a label's weights, of KEEP */
    struct choice choice;
    const double *costs;
    size_t n_costs;
    struct weight *kept; /* (columns, keep) */
    size_t *n_kept;      /* (columns) */
    float *bias;         /* (columns) */
};

/* --- one job -----------------------------------------------------------------------------------
 */

/* Rows of use with the label, and what they have. */
static size_t count_own(const struct fit *f, const struct part *p, uint32_t label, uint32_t *own) {
    size_t n = 0;

    memset(own, 0, f->data.features * sizeof *own);
    for (size_t i = 0; i < p->n; i++) {
        uint32_t row = p->use[i];

        if (f->data.label[row] != label)
            continue;
        n++;
        for (size_t j = f->data.start[row]; j < f->data.start[row + 1]; j++)
            own[wide_rows_feature(f->data.entry[j])]++;
    }
    return n;
}

static void set_gains(const struct fit *f, const struct part *p, const uint32_t *own, float *g) {
    double sum = 0, others = 0;
    float shift;

    for (uint32_t i = 0; i < f->data.features; i++)
        if (p->have[i] > 0) {
            sum += 1 + (double)own[i];
            others += 1 + (double)(p->have[i] - own[i]);
        }
    shift = (float)(log(others) - log(sum));
    for (uint32_t i = 0; i < f->data.features; i++) {
        float ratio = f->log_of[own[i]] - f->log_of[p->have[i] - own[i]] + shift;

        g[i] = f->data.idf2[i] * (1 + (float)f->choice.beta * ratio * ratio);
    }
}

static void put_scores(struct fit *f, const struct part *p, const struct wide_solve *s,
                       uint32_t column, size_t set) {
    float *to = f->scores + set * f->out->judged * f->columns + column;

    for (size_t i = 0; i < p->n_held; i++) {
        uint32_t row = f->judged[p->held[i]];
        double scale = (double)(f->choice.norm == WIDE_NORM_NONE ? f->scale[row] : f->judge[row]);

        to[(size_t)p->held[i] * f->columns] = (float)(wide_solve_sum(s, row) * scale + s->b);
    }
}

#define BINS 4096u

/* Bin of a number, 0 or more: eight to a doubling. */
static uint32_t bin_of(float x) {
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits >> 20;
}

/* How much a weight matters. */
static float matters(const struct fit *f, const struct wide_solve *s, uint32_t feature) {
    return fabsf(s->v[feature]) * sqrtf((float)f->data.count[feature]);
}

/* Leave no more than quota weights, those that matter most; of the last bin, in their order. */
static void prune(const struct fit *f, struct hand *h, size_t quota) {
    struct wide_solve *s = &h->solve;
    uint32_t bin = BINS - 1;
    size_t above = 0, rest;

    memset(h->bins, 0, BINS * sizeof *h->bins);
    for (uint32_t i = 0; i < s->features; i++)
        if (s->v[i] < 0 || s->v[i] > 0)
            h->bins[bin_of(matters(f, s, i))]++;
    while (bin > 0 && above + h->bins[bin] <= quota)
        above += h->bins[bin--];
    rest = quota - above;
    for (uint32_t i = 0; i < s->features; i++) {
        uint32_t b = bin_of(matters(f, s, i));

        if (b > bin || (b == bin && rest > 0 && (s->v[i] < 0 || s->v[i] > 0)))
            rest -= b == bin;
        else
            s->v[i] = 0;
    }
}

/* The weights, divided by what every row is divided by. */
static void keep(struct fit *f, struct hand *h, uint32_t column) {
    const struct wide_solve *s = &h->solve;
    struct weight *to = f->kept + column * f->keep;
    float scale = f->choice.norm == WIDE_NORM_NONE ? f->scale[0] : 1;
    size_t n = 0;

    if (f->keep < s->features)
        prune(f, h, f->keep);
    for (uint32_t i = 0; i < s->features; i++)
        if (s->v[i] < 0 || s->v[i] > 0)
            to[n++] = (struct weight){i, s->v[i] * scale};
    f->n_kept[column] = n;
    f->bias[column] = (float)s->b;
}

static void solve(struct fit *f, struct hand *h, double cost, bool constant, uint64_t stream) {
    bool rough = f->purpose == TRY;

    if (!constant)
        (void)wide_solve_run(&h->solve, cost, rough ? TRY_TOLERANCE : TOLERANCE,
                             rough ? TRY_PASSES : PASSES, f->o->seed + stream);
}

static void run_job(struct fit *f, struct hand *h, const struct part *p, uint32_t column) {
    uint32_t label = f->columns == 1 ? 1 : column;
    size_t own = count_own(f, p, label, h->own);
    bool constant = own == 0 || own == p->n;

    set_gains(f, p, h->own, h->solve.g);
    wide_solve_begin(&h->solve, p->use, p->n, label);
    if (constant)
        h->solve.b = own == 0 ? -1 : 1;
    for (size_t i = 0; i < f->n_costs; i++) {
        solve(f, h, f->costs[i], constant, column);
        if (f->purpose == TRY)
            put_scores(f, p, &h->solve, column, i);
    }
    for (size_t i = f->quotas; f->purpose == JUDGE && i-- > 0;) {
        if (f->quota[i] < h->solve.features)
            prune(f, h, f->quota[i]);
        put_scores(f, p, &h->solve, column, i);
    }
    if (f->purpose == KEEP)
        keep(f, h, column);
}

static void run_jobs(void *arg, unsigned member) {
    struct fit *f = arg;

    for (size_t i = member; i < f->n_parts * f->columns; i += team_size(f->team))
        run_job(f, &f->hand[member], &f->parts[i / f->columns], (uint32_t)(i % f->columns));
}

static void run(struct fit *f, enum purpose purpose, const struct part *parts, size_t n) {
    f->purpose = purpose;
    f->parts = parts;
    f->n_parts = n;
    team_run(f->team, run_jobs, f);
}

/* --- norms -------------------------------------------------------------------------------------
 */

/* Of the features that have tells of; all when it is NULL. */
static double square_of(const struct fit *f, uint32_t row, const uint32_t *have) {
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

static void set_norm(struct fit *f, enum wide_norm norm) {
    double sum = 0;

    for (uint32_t i = 0; i < f->data.n; i++) {
        double square = square_of(f, i, NULL);

        f->scale[i] = inverse(square);
        sum += sqrt(square);
    }
    for (size_t i = 0; norm == WIDE_NORM_NONE && i < f->data.n; i++)
        f->scale[i] = sum > 0 ? (float)((double)f->data.n / sum) : 0;
}

/* --- parts -------------------------------------------------------------------------------------
 */

static diffuse_err part_init(struct part *p, const struct fit *f) {
    p->use = calloc(f->data.n, sizeof *p->use);
    p->held = calloc(f->out->judged + 1, sizeof *p->held);
    p->have = calloc(f->data.features, sizeof *p->have);
    return p->use && p->held && p->have ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static void part_done(struct part *p) {
    free(p->use);
    free(p->held);
    free(p->have);
}

static void count_have(const struct fit *f, struct part *p) {
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = f->data.start[p->use[i]]; j < f->data.start[p->use[i] + 1]; j++)
            p->have[wide_rows_feature(f->data.entry[j])]++;
}

/* Rows outside fold, up to most, and what is judged of it; all rows for WIDE_FIT_NO_FOLD. */
static diffuse_err fill_part(struct fit *f, uint8_t fold, size_t most, struct part *p) {
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
static diffuse_err deal_folds(struct fit *f, unsigned folds) {
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
static diffuse_err choose_judged(struct fit *f) {
    size_t sets = COSTS_MOST > QUOTAS ? COSTS_MOST : QUOTAS;
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

static diffuse_err make_parts(struct fit *f) {
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
    if (!e && f->work > WORK_ONE_FOLD)
        e = fill_part(f, 0, (size_t)((double)n * WORK_ONE_FOLD / f->work), &f->small);
    for (unsigned i = 0; !e && i < f->out->folds; i++)
        for (size_t j = 0; j < f->part[i].n_held; j++) {
            uint32_t row = f->judged[f->part[i].held[j]];

            f->judge[row] = inverse(square_of(f, row, f->part[i].have));
        }
    return e;
}

/* --- choosing ----------------------------------------------------------------------------------
 */

static bool is_right(const struct fit *f, const float *scores, uint32_t label) {
    uint32_t best = 0;

    if (f->columns == 1)
        return (scores[0] > 0) == (label == 1);
    for (uint32_t k = 1; k < f->columns; k++)
        best = scores[k] > scores[best] ? k : best;
    return best == label;
}

/* Share of the rows of n parts that a set of scores has right. */
static double accuracy(const struct fit *f, const struct part *parts, size_t n, size_t set) {
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

static size_t tried_folds(const struct fit *f) {
    double most = WORK_FOLDS / f->work;

    return most < 1 ? 1 : most < f->out->folds ? (size_t)most : f->out->folds;
}

static void choose(struct fit *f) {
    bool whole = f->small.n == 0, all = f->work <= WORK_FINE;
    const struct part *parts = whole ? f->part : &f->small;
    size_t n = whole ? tried_folds(f) : 1;
    double best = -1, a[COSTS_MOST];
    struct choice chosen = choices[0];

    f->costs = f->o->cost > 0 ? &f->o->cost : all ? fine : coarse;
    f->n_costs = f->o->cost > 0 ? 1 : all ? COUNT(fine) : COUNT(coarse);
    f->out->cost = f->o->cost > 0 ? f->o->cost : 1;
    for (size_t c = 0; c < COUNT(choices) && f->out->judged > 0; c++) {
        f->choice = choices[c];
        set_norm(f, f->choice.norm);
        run(f, TRY, parts, n);
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
    set_norm(f, chosen.norm);
}

static void set_quotas(struct fit *f) {
    size_t quota = f->o->entries ? f->o->entries / f->columns : QUOTA_LEAST;

    f->quotas = 0;
    while (f->columns > DENSE_COLUMNS && f->quotas + 1 < QUOTAS && quota < f->data.features) {
        f->quota[f->quotas++] = quota ? quota : 1;
        quota *= 2;
        if (f->o->entries)
            return;
    }
    f->quota[f->quotas++] = f->data.features;
}

/* Judge the folds, and choose how many weights a label keeps. */
static diffuse_err judge(struct fit *f) {
    size_t n = f->out->judged, set = 0;
    const float *scores;

    set_quotas(f);
    f->keep = f->quota[0];
    if (n == 0)
        return DIFFUSE_OK;
    run(f, JUDGE, f->part, f->out->folds);
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

/* --- the result --------------------------------------------------------------------------------
 */

/* Features, by bucket. */
static void lay_features(const struct fit *f, struct wide *w) {
    memcpy(w->code, f->data.code, f->data.features);
    w->idf_unit = (float)f->data.unit;
    for (uint32_t i = 0; i < f->data.features; i++) {
        w->tag[i] = (uint32_t)f->data.key[i];
        w->start[wide_bucket(w, f->data.key[i]) + 1]++;
    }
    for (uint32_t b = 0; b < wide_buckets(&w->shape); b++)
        w->start[b + 1] += w->start[b];
}

static void lay_dense(const struct fit *f, struct wide *w) {
    for (uint32_t k = 0; k < f->columns; k++)
        for (size_t i = 0; i < f->n_kept[k]; i++) {
            const struct weight *x = &f->kept[k * f->keep + i];

            w->weight[(size_t)x->feature * f->columns + k] = x->v;
        }
}

/* From lists by label to lists by feature. */
static void lay_lists(const struct fit *f, struct wide *w) {
    for (uint32_t k = 0; k < f->columns; k++)
        for (size_t i = 0; i < f->n_kept[k]; i++)
            w->first[f->kept[k * f->keep + i].feature + 1]++;
    for (uint32_t i = 0; i < f->data.features; i++)
        w->first[i + 1] += w->first[i];
    for (uint32_t k = 0; k < f->columns; k++)
        for (size_t i = 0; i < f->n_kept[k]; i++) {
            const struct weight *x = &f->kept[k * f->keep + i];
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

static diffuse_err assemble(struct fit *f, struct reason *why) {
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
    f->out->wide = w;
    return DIFFUSE_OK;
}

static diffuse_err fit_all(struct fit *f, struct reason *why) {
    f->kept = calloc(f->columns * f->keep, sizeof *f->kept);
    f->n_kept = calloc(f->columns, sizeof *f->n_kept);
    f->bias = calloc(f->columns, sizeof *f->bias);
    if (!f->kept || !f->n_kept || !f->bias)
        return DIFFUSE_NOMEM;
    run(f, KEEP, &f->all, 1);
    return assemble(f, why);
}

/* --- beginning and end -------------------------------------------------------------------------
 */

static diffuse_err make_hands(struct fit *f) {
    diffuse_err e = DIFFUSE_OK;

    if (!(f->hand = calloc(team_size(f->team), sizeof *f->hand)))
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; !e && i < team_size(f->team); i++) {
        e = wide_solve_init(&f->hand[i].solve, &f->data, f->scale);
        f->hand[i].own = calloc(f->data.features, sizeof *f->hand[i].own);
        f->hand[i].bins = calloc(BINS, sizeof *f->hand[i].bins);
        if (!f->hand[i].own || !f->hand[i].bins)
            return DIFFUSE_NOMEM;
    }
    return e;
}

static void fit_done(struct fit *f) {
    for (unsigned i = 0; f->hand && i < team_size(f->team); i++) {
        wide_solve_done(&f->hand[i].solve);
        free(f->hand[i].own);
        free(f->hand[i].bins);
    }
    for (size_t i = 0; i < FOLDS_MOST; i++)
        part_done(&f->part[i]);
    part_done(&f->small);
    part_done(&f->all);
    free(f->hand);
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

static diffuse_err make_data(struct fit *f, const struct rows *rows, struct reason *why) {
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

static diffuse_err check(const struct fit *f, struct reason *why) {
    if (f->labels < 2 || f->labels > LIMIT_LABELS)
        return reason_set(why, DIFFUSE_INVAL, "%u labels, expected 2 to %u", f->labels,
                          LIMIT_LABELS);
    if (f->o->folds == 1 || f->o->folds > FOLDS_MOST)
        return reason_set(why, DIFFUSE_INVAL, "%u folds, expected 2 to %u", f->o->folds,
                          FOLDS_MOST);
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
    struct fit f = {.o = o,
                    .team = team,
                    .out = ret_fit,
                    .walk = {o->form, tokenizer},
                    .labels = labels,
                    .columns = labels == 2 ? 1 : labels};
    diffuse_err e;

    *ret_fit = (struct wide_fit){0};
    if (o->form.words == 0 && o->form.letters_to == 0)
        f.walk.form = walk_form_default(tokenizer_kind_of(tokenizer));
    if (!(e = check(&f, why)) && !(e = make_data(&f, rows, why)) && !(e = make_parts(&f)) &&
        !(e = make_hands(&f))) {
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
