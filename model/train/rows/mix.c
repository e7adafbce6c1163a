#include "model/train/rows/mix.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define ROUNDS 60
#define SHARES 10  /* of the deep part, in tenths; the last is left out: all of it */
#define PRIOR  8   /* rows that the share of a half counts as: what few rows cannot tell */
#define TRUST  4   /* the same for a factor of e beside the usual scale of a part */
#define WIDE   3   /* that of the wide part's margins, */
#define DEEP   0.5 /* and of logits that were trained to their end on few rows */
#define FAR    3   /* factors of e that one step of Newton may go */

/* Loss of a scale s, and its first two derivatives by the logarithm of s. */
struct slope {
    double loss, first, second;
};

static double part(const real *logits, size_t at) {
    return logits ? (double)logits[at] : 0;
}

static bool usable(const struct mix_rows *r, size_t i) {
    for (size_t k = i * r->labels; k < (i + 1) * r->labels; k++)
        if (!isfinite(part(r->wide, k)) || !isfinite(part(r->deep, k)))
            return false;
    return true;
}

/* Row i of logits x(labels), scaled by s. */
static void add_row(struct slope *to, const struct mix_rows *r, size_t i, const real *x, double s) {
    double top = -INFINITY, sum = 0, mean = 0, square = 0, told = 0, want = 0;
    double unknown = 1 / ((double)r->n + 1), each = unknown / r->labels;

    for (size_t k = 0; k < r->labels; k++)
        top = fmax(top, s * (double)x[k]);
    for (size_t k = 0; k < r->labels; k++) {
        double y = (double)x[k], e = exp(s * y - top);
        double share = each + (k == r->truth[i] ? 1 - unknown : 0);

        sum += e;
        mean += e * y;
        square += e * y * y;
        told += share * y;
        want += share * (s * y - top);
    }
    mean /= sum;
    to->loss += log(fmax(sum, 1)) - want; /* the top one alone is 1 */
    to->first += s * (mean - told);
    to->second += s * s * (square / sum - mean * mean) + s * (mean - told);
}

static struct slope slope_at(const struct mix_rows *r, const real *logits, double s, double usual) {
    double away = log(s / usual);
    struct slope to = {TRUST * away * away, 2 * TRUST * away, 2 * TRUST};

    for (size_t i = 0; i < r->n; i++)
        if (usable(r, i))
            add_row(&to, r, i, logits + i * r->labels, s);
    return to;
}

/* The scale of logits(n, labels) with the smallest loss, drawn to the usual one where rows are few.
 * Newton on its logarithm, halved until the loss falls. */
static double scale_of(const struct mix_rows *r, const real *logits, double usual,
                       double *ret_loss) {
    double s = usual;
    struct slope now = slope_at(r, logits, s, usual);
    bool falls = true;

    for (int i = 0; i < ROUNDS && falls; i++) {
        double step = now.second > 0 ? -now.first / now.second : -now.first;

        step = fmin(fmax(step, -FAR), FAR);
        falls = false;
        for (; !falls && fabs(step) > 1e-6; step /= 2) {
            struct slope next = slope_at(r, logits, s * exp(step), usual);

            falls = next.loss < now.loss - 1e-9 * fabs(now.loss);
            if (falls) {
                s *= exp(step);
                now = next;
            }
        }
    }
    now.loss -= TRUST * log(s / usual) * log(s / usual);
    *ret_loss = now.loss / (double)r->n;
    return s;
}

/* Which label the sum of a row's logits is highest at. */
static uint32_t best_label(const struct mix_rows *r, size_t i, double a, double b) {
    uint32_t best = 0;
    double top = -INFINITY;

    for (uint32_t k = 0; k < r->labels; k++) {
        size_t at = i * r->labels + k;
        double logit = a * part(r->wide, at) + b * part(r->deep, at);

        if (logit > top) {
            top = logit;
            best = k;
        }
    }
    return best;
}

/* right(n): whether each row is told right. Returns the share of them. */
static double judge(const struct mix_rows *r, double a, double b, uint8_t *right) {
    size_t hits = 0;

    for (size_t i = 0; i < r->n; i++) {
        right[i] = best_label(r, i, a, b) == r->truth[i];
        hits += right[i];
    }
    return (double)hits / (double)r->n;
}

/* By how many rows more than chance would have it is `one` right where `other` is wrong: its lead
 * in standard errors of a sign test. */
static double lead(size_t n, const uint8_t *one, const uint8_t *other) {
    double wins = 0, losses = 0;

    for (size_t i = 0; i < n; i++) {
        wins += one[i] > other[i];
        losses += one[i] < other[i];
    }
    return wins + losses > 0 ? (wins - losses) / sqrt(wins + losses) : 0;
}

/* One share of the deep part, each part scaled as by itself, and then both together. */
struct choice {
    double wide, deep, loss, accuracy;
    uint8_t *right; /* (n) */
};

static void weigh(const struct mix_rows *r, const struct mix *alone, double share, real *logits,
                  struct choice *ret_choice) {
    struct choice *c = ret_choice;
    double scale;

    c->wide = (1 - share) * alone->wide;
    c->deep = share * alone->deep;
    for (size_t k = 0; k < r->n * r->labels; k++)
        logits[k] = (real)(c->wide * (double)r->wide[k] + c->deep * (double)r->deep[k]);
    scale = scale_of(r, logits, 1, &c->loss);
    c->wide *= scale;
    c->deep *= scale;
    c->accuracy = judge(r, c->wide, c->deep, c->right);
}

/* The share of the smallest loss, where a half counts as PRIOR rows; another one, the nearest
 * first, where more rows are right with it than chance would have it. */
static const struct choice *choose(const struct choice all[SHARES], size_t n) {
    size_t best = 0, from;
    double least = INFINITY;

    for (size_t i = 0; i < SHARES; i++) {
        double away = (double)i / SHARES - 0.5;
        double loss = all[i].loss + PRIOR * away * away / (double)n;

        if (loss < least) {
            least = loss;
            best = i;
        }
    }
    from = best;
    for (size_t away = 1; away < SHARES; away++)
        for (int side = -1; side <= 1; side += 2) {
            size_t i = side < 0 ? from - away : from + away; /* below 0 it is past the last */

            if (i < SHARES && lead(n, all[i].right, all[best].right) > 1)
                best = i;
        }
    return &all[best];
}

static void weigh_all(const struct mix_rows *r, struct mix *m, real *logits, uint8_t *right) {
    struct choice all[SHARES];
    const struct choice *best;
    double loss;

    m->wide = scale_of(r, r->wide, WIDE, &loss);
    m->deep = scale_of(r, r->deep, DEEP, &loss);
    for (size_t i = 0; i < SHARES; i++) {
        all[i].right = right + i * r->n;
        weigh(r, m, (double)i / SHARES, logits, &all[i]);
    }
    best = choose(all, r->n);
    m->wide = best->wide;
    m->deep = best->deep;
    m->loss = best->loss;
    m->accuracy = best->accuracy;
}

diffuse_err mix_fit(const struct mix_rows *rows, struct mix *ret_mix) {
    struct mix m = {.wide = rows->wide ? 1 : 0, .deep = rows->deep ? 1 : 0};
    bool both = rows->wide && rows->deep;
    real *logits = malloc((both ? rows->n * rows->labels : 0) * sizeof *logits + 1);
    uint8_t *right = malloc(SHARES * rows->n + 1);
    diffuse_err e = logits && right ? DIFFUSE_OK : DIFFUSE_NOMEM;

    if (!e && rows->n > 0) {
        m.accuracy_wide = rows->wide ? judge(rows, 1, 0, right) : 0;
        m.accuracy_deep = rows->deep ? judge(rows, 0, 1, right) : 0;
        if (both)
            weigh_all(rows, &m, logits, right);
        else if (rows->wide)
            m.wide = scale_of(rows, rows->wide, WIDE, &m.loss);
        else
            m.deep = scale_of(rows, rows->deep, DEEP, &m.loss);
        if (!both)
            m.accuracy = rows->wide ? m.accuracy_wide : m.accuracy_deep;
    }
    free(logits);
    free(right);
    *ret_mix = m;
    return e;
}
