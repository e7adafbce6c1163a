#include "model/train/rows/mix.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define ROUNDS 60
#define MOST   1e4  /* largest a and b */
#define LEAST  1e-4 /* smallest a: the wide part is never left out */
#define DAMP   1e-9 /* keeps the second derivative a matrix that can be inverted */

/* Loss, its gradient and second derivatives at a and b. */
struct slope {
    double loss, wide, deep, wide2, deep2, both;
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

static double top_logit(const struct mix_rows *r, size_t i, double a, double b) {
    double top = -INFINITY;

    for (size_t k = i * r->labels; k < (i + 1) * r->labels; k++)
        top = fmax(top, a * part(r->wide, k) + b * part(r->deep, k));
    return top;
}

static void add_row(struct slope *s, const struct mix_rows *r, size_t i, double a, double b) {
    double top = top_logit(r, i, a, b), sum = 0, w = 0, d = 0, ww = 0, dd = 0, wd = 0;
    double unknown = 1 / ((double)r->n + 1), each = unknown / r->labels, tw = 0, td = 0, want = 0;

    for (size_t k = 0; k < r->labels; k++) {
        double x = part(r->wide, i * r->labels + k), y = part(r->deep, i * r->labels + k);
        double e = exp(a * x + b * y - top), share = each + (k == r->truth[i] ? 1 - unknown : 0);

        sum += e;
        w += e * x;
        d += e * y;
        ww += e * x * x;
        dd += e * y * y;
        wd += e * x * y;
        tw += share * x;
        td += share * y;
        want += share * (a * x + b * y - top);
    }
    w /= sum;
    d /= sum;
    s->loss += log(fmax(sum, 1)) - want; /* the top one alone is 1 */
    s->wide += w - tw;
    s->deep += d - td;
    s->wide2 += ww / sum - w * w;
    s->deep2 += dd / sum - d * d;
    s->both += wd / sum - w * d;
}

static struct slope slope_at(const struct mix_rows *r, double a, double b) {
    struct slope s = {0};

    for (size_t i = 0; i < r->n; i++)
        if (usable(r, i))
            add_row(&s, r, i, a, b);
    return s;
}

/* One damped step of Newton from (a, b), halved until the loss falls. False: there is none. */
static bool descend(const struct mix_rows *r, struct slope *s, double *a, double *b) {
    double x = r->wide ? s->wide2 + DAMP : 1, y = r->deep ? s->deep2 + DAMP : 1;
    double z = r->wide && r->deep ? s->both : 0, det = x * y - z * z;
    double da, db;

    if (*b <= 0 && s->deep > 0) { /* b would fall below 0 */
        y = 1;
        z = 0;
        det = x;
    }
    if (!(det > 0))
        return false;
    da = r->wide ? (y * s->wide - z * s->deep) / det : 0;
    db = r->deep && !(*b <= 0 && s->deep > 0) ? (x * s->deep - z * s->wide) / det : 0;
    for (double step = 1; step > 1e-6; step /= 2) {
        double na = fmin(fmax(*a - step * da, r->wide ? LEAST : 0), MOST);
        double nb = fmin(fmax(*b - step * db, 0), MOST);
        struct slope next = slope_at(r, na, nb);

        if (next.loss < s->loss - 1e-9 * fabs(s->loss)) {
            *a = na;
            *b = nb;
            *s = next;
            return true;
        }
    }
    return false;
}

static double minimise(const struct mix_rows *r, double *a, double *b) {
    struct slope s = slope_at(r, *a, *b);

    for (int i = 0; i < ROUNDS && descend(r, &s, a, b); i++)
        ;
    return s.loss / (double)r->n;
}

static double accuracy(const struct mix_rows *r, double a, double b) {
    size_t hits = 0;

    for (size_t i = 0; i < r->n; i++) {
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
        hits += best == r->truth[i];
    }
    return (double)hits / (double)r->n;
}

/* The share of the deep part, around that of the smallest loss, with which most rows are right; at a
 * tie, that nearest to it. Then a and b together, in that proportion, of the smallest loss. */
static void settle(const struct mix_rows *r, struct mix *m) {
    static const double shares[] = {1, 0.8, 1.25, 0.6, 1.6, 0.4, 2, 0.2, 0};
    double best = 1, scale = 1, none = 0;
    struct mix_rows sum = {.truth = r->truth, .labels = r->labels, .n = r->n};
    size_t all = r->n * r->labels;
    real *logits = malloc(all * sizeof *logits);

    for (size_t i = 1; i < sizeof shares / sizeof *shares; i++) {
        double is = accuracy(r, m->wide, shares[i] * m->deep);

        if (is > m->accuracy) {
            m->accuracy = is;
            best = shares[i];
        }
    }
    m->deep *= best;
    if (!logits)
        return; /* the scales are those of the smallest loss before */
    for (size_t k = 0; k < all; k++)
        logits[k] = (real)(m->wide * (double)r->wide[k] + m->deep * (double)r->deep[k]);
    sum.wide = logits;
    m->loss = minimise(&sum, &scale, &none);
    m->wide *= scale;
    m->deep *= scale;
    free(logits);
}

void mix_fit(const struct mix_rows *rows, struct mix *ret_mix) {
    struct mix m = {.wide = rows->wide ? 1 : 0, .deep = rows->deep ? 1 : 0};

    if (rows->n == 0) {
        *ret_mix = m;
        return;
    }
    m.accuracy_wide = rows->wide ? accuracy(rows, 1, 0) : 0;
    m.accuracy_deep = rows->deep ? accuracy(rows, 0, 1) : 0;
    m.loss = minimise(rows, &m.wide, &m.deep);
    m.accuracy = accuracy(rows, m.wide, m.deep);
    if (rows->wide && rows->deep)
        settle(rows, &m);
    *ret_mix = m;
}
