/* wide_job.c - see wide_fit_part.h. A job is one column, a label against the rest, on one part of
 * the rows: solved, and judged or kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/train/wide/wide_fit_part.h"

#define TRY_TOLERANCE 0.1
#define TRY_PASSES    20u
#define TOLERANCE     0.05
#define PASSES        100u

/* --- one job ------------------------------------------------------------- */

/* Rows of use with the label, and what they have. */
static size_t count_own(const struct wide_fit_run *f, const struct wide_fit_part *p, uint32_t label,
                        uint32_t *own) {
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

static void set_gains(const struct wide_fit_run *f, const struct wide_fit_part *p,
                      const uint32_t *own, float *g) {
    double sum = 1, others = 1; /* not 0, whatever there is */
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

static void put_scores(struct wide_fit_run *f, const struct wide_fit_part *p,
                       const struct wide_solve *s, uint32_t column, size_t set) {
    float *to = f->scores + set * f->out->judged * f->columns + column;

    for (size_t i = 0; i < p->n_held; i++) {
        uint32_t row = f->judged[p->held[i]];
        double scale = (double)(f->choice.norm == WIDE_NORM_NONE ? f->scale[row] : f->judge[row]);

        to[(size_t)p->held[i] * f->columns] = (float)(wide_solve_sum(s, row) * scale + s->b);
    }
}

#define WIDE_JOB_BINS 4096u

/* Bin of a number, 0 or more: eight to a doubling. */
static uint32_t bin_of(float x) {
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits >> 20;
}

/* How much a weight matters. */
static float matters(const struct wide_fit_run *f, const struct wide_solve *s, uint32_t feature) {
    return fabsf(s->v[feature]) * sqrtf((float)f->data.count[feature]);
}

/* Leave no more than quota weights, those that matter most; of the last bin, in their order. */
static void prune(const struct wide_fit_run *f, struct wide_fit_hand *h, size_t quota) {
    struct wide_solve *s = &h->solve;
    uint32_t bin = WIDE_JOB_BINS - 1;
    size_t above = 0, rest;

    memset(h->bins, 0, WIDE_JOB_BINS * sizeof *h->bins);
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
static void keep(struct wide_fit_run *f, struct wide_fit_hand *h, uint32_t column) {
    const struct wide_solve *s = &h->solve;
    struct wide_fit_weight *to = f->kept + column * f->keep;
    float scale = f->choice.norm == WIDE_NORM_NONE ? f->scale[0] : 1;
    size_t n = 0;

    if (f->keep < s->features)
        prune(f, h, f->keep);
    for (uint32_t i = 0; i < s->features; i++)
        if (s->v[i] < 0 || s->v[i] > 0)
            to[n++] = (struct wide_fit_weight){i, s->v[i] * scale};
    f->n_kept[column] = n;
    f->bias[column] = (float)s->b;
}

static void solve(struct wide_fit_run *f, struct wide_fit_hand *h, double cost, bool constant,
                  uint64_t stream) {
    bool rough = f->purpose == WIDE_FIT_TRY;

    if (!constant)
        (void)wide_solve_run(&h->solve, cost, rough ? TRY_TOLERANCE : TOLERANCE,
                             rough ? TRY_PASSES : PASSES, f->o->seed + stream);
}

static void run_job(struct wide_fit_run *f, struct wide_fit_hand *h, const struct wide_fit_part *p,
                    uint32_t column) {
    uint32_t label = f->columns == 1 ? 1 : column;
    size_t own = count_own(f, p, label, h->own);
    bool constant = own == 0 || own == p->n;

    set_gains(f, p, h->own, h->solve.g);
    wide_solve_begin(&h->solve, p->use, p->n, label);
    if (constant)
        h->solve.b = own == 0 ? -1 : 1;
    for (size_t i = 0; i < f->n_costs; i++) {
        solve(f, h, f->costs[i], constant, column);
        if (f->purpose == WIDE_FIT_TRY)
            put_scores(f, p, &h->solve, column, i);
    }
    for (size_t i = f->quotas; f->purpose == WIDE_FIT_JUDGE && i-- > 0;) {
        if (f->quota[i] < h->solve.features)
            prune(f, h, f->quota[i]);
        put_scores(f, p, &h->solve, column, i);
    }
    if (f->purpose == WIDE_FIT_KEEP)
        keep(f, h, column);
}

static void run_jobs(void *arg, unsigned member) {
    struct wide_fit_run *f = arg;

    for (size_t i = member; i < f->n_parts * f->columns; i += team_size(f->team))
        run_job(f, &f->hand[member], &f->parts[i / f->columns], (uint32_t)(i % f->columns));
}

void wide_job_run(struct wide_fit_run *f, enum wide_fit_purpose purpose,
                  const struct wide_fit_part *parts, size_t n) {
    f->purpose = purpose;
    f->parts = parts;
    f->n_parts = n;
    team_run(f->team, run_jobs, f);
}

diffuse_err wide_job_make(struct wide_fit_run *f) {
    diffuse_err e = DIFFUSE_OK;

    if (!(f->hand = calloc(team_size(f->team), sizeof *f->hand)))
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; !e && i < team_size(f->team); i++) {
        e = wide_solve_init(&f->hand[i].solve, &f->data, f->scale);
        f->hand[i].own = calloc(f->data.features, sizeof *f->hand[i].own);
        f->hand[i].bins = calloc(WIDE_JOB_BINS, sizeof *f->hand[i].bins);
        if (!f->hand[i].own || !f->hand[i].bins)
            return DIFFUSE_NOMEM;
    }
    return e;
}

void wide_job_done(struct wide_fit_run *f) {
    for (unsigned i = 0; f->hand && i < team_size(f->team); i++) {
        wide_solve_done(&f->hand[i].solve);
        free(f->hand[i].own);
        free(f->hand[i].bins);
    }
    free(f->hand);
}
