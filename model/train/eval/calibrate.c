#include "model/train/eval/calibrate.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/model.h"

#define ROUNDS 60 /* halving alone would do with 40 */

/* The cross-entropy of all rows as a function of b = 1/T is convex: its slope rises. */
struct slope {
    double value, rise; /* first and second derivative */
};

static bool usable(const real *logits, uint32_t labels) {
    for (uint32_t i = 0; i < labels; i++)
        if (!isfinite(logits[i]))
            return false;
    return true;
}

/* Of one row: (mean under the softmax - what the targets say) of its logits, and their variance.
 * Logits are taken relative to the largest, so that exp cannot overflow. */
static void slope_row(struct slope *s, const real *logits, uint32_t labels, uint32_t truth,
                      double unknown, double b) {
    double sum = 0, mean = 0, square = 0, plain = 0;
    real top = logits[0];

    for (uint32_t i = 1; i < labels; i++)
        top = logits[i] > top ? logits[i] : top;
    for (uint32_t i = 0; i < labels; i++) {
        double z = (double)logits[i] - (double)top, e = exp(b * z);

        sum += e;
        mean += e * z;
        square += e * z * z;
        plain += z;
    }
    mean /= sum;
    s->value += mean - (1 - unknown) * ((double)logits[truth] - (double)top) -
                unknown * plain / (double)labels;
    s->rise += square / sum - mean * mean;
}

static struct slope slope_at(const struct calibrate_set *set, double b) {
    double unknown = 1 / ((double)set->n + 1);
    struct slope s = {0};

    for (size_t i = 0; i < set->n; i++) {
        const real *logits = set->logits + i * set->labels;

        if (usable(logits, set->labels))
            slope_row(&s, logits, set->labels, set->truth[i], unknown, b);
    }
    return s;
}

double calibrate_temperature(const struct calibrate_set *set) {
    double low = 1 / MODEL_TEMPERATURE_MAX, high = 1 / MODEL_TEMPERATURE_MIN, b = 1;
    bool falls = slope_at(set, low).value<0, rises = slope_at(set, high).value> 0;

    if (!falls && !rises)
        return 1; /* flat: any temperature is as good */
    if (!falls || !rises)
        return falls ? MODEL_TEMPERATURE_MIN : MODEL_TEMPERATURE_MAX;
    /* Newton, held between the ends that are known to lie on either side. */
    for (int i = 0; i < ROUNDS && high - low > 1e-9 * high; i++) {
        struct slope s = slope_at(set, b);
        double next = b - s.value / s.rise;

        if (s.value < 0)
            low = b;
        else
            high = b;
        if (fabs(next - b) < 1e-9 * b)
            return 1 / b;
        b = next > low && next < high ? next : sqrt(low * high);
    }
    return 1 / b;
}

struct taking {
    struct calibrate_set set;
    size_t rows; /* of the data set */
};

/* A row has the place row * taken / rows, and is taken when it is the first of those that have it:
 * which rows are taken does not depend on who evaluates them. */
static diffuse_err take(void *user, unsigned member, size_t row, const real *logits,
                        uint32_t truth) {
    struct taking *t = user;
    size_t place = row * t->set.n / t->rows;
    size_t first = (place * t->rows + t->set.n - 1) / t->set.n;

    (void)member;
    if (row != first)
        return DIFFUSE_OK;
    memcpy(t->set.logits + place * t->set.labels, logits, t->set.labels * sizeof *logits);
    t->set.truth[place] = truth;
    return DIFFUSE_OK;
}

static size_t rows_taken(const struct net_config *c, size_t rows) {
    size_t most = CALIBRATE_BYTES / (c->labels * sizeof(real));

    if (most > CALIBRATE_ROWS)
        most = CALIBRATE_ROWS;
    return rows < most ? rows : most;
}

diffuse_err calibrate_rows(const struct net_config *c, const struct net_weights *w,
                           struct team *team, const struct rows *rows, double *ret_temperature,
                           struct reason *why) {
    struct taking t = {{.labels = c->labels, .n = rows_taken(c, rows->n)}, rows->n};
    diffuse_err e = DIFFUSE_OK;

    *ret_temperature = 1;
    if (rows->n == 0)
        return DIFFUSE_OK;
    t.set.logits = calloc(t.set.n, c->labels * sizeof *t.set.logits);
    t.set.truth = calloc(t.set.n, sizeof *t.set.truth);
    e = t.set.logits && t.set.truth ? eval_each(c, w, team, rows, take, &t, why) : DIFFUSE_NOMEM;
    if (!e)
        *ret_temperature = calibrate_temperature(&t.set);
    free(t.set.logits);
    free(t.set.truth);
    return e;
}
