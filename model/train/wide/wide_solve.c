#include "model/train/wide/wide_solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"

diffuse_err wide_solve_init(struct wide_solve *s, const struct wide_rows *data,
                            const float *scale) {
    size_t n = data->n, F = data->features;

    *s = (struct wide_solve){.data = data, .scale = scale, .features = data->features};
    s->g = calloc(F, sizeof *s->g);
    s->v = calloc(F, sizeof *s->v);
    s->alpha = calloc(n, sizeof *s->alpha);
    s->square = calloc(n, sizeof *s->square);
    s->order = calloc(n, sizeof *s->order);
    s->y = calloc(n, sizeof *s->y);
    return s->g && s->v && s->alpha && s->square && s->order && s->y ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

void wide_solve_done(struct wide_solve *s) {
    free(s->g);
    free(s->v);
    free(s->alpha);
    free(s->square);
    free(s->order);
    free(s->y);
    *s = (struct wide_solve){0};
}

double wide_solve_sum(const struct wide_solve *s, uint32_t row) {
    const uint32_t *entry = s->data->entry;
    double sum = 0;

    for (size_t i = s->data->start[row]; i < s->data->start[row + 1]; i++)
        sum += (double)(s->v[wide_rows_feature(entry[i])] * (float)wide_rows_times(entry[i]));
    return sum;
}

static double score_of(const struct wide_solve *s, uint32_t row) {
    return wide_solve_sum(s, row) * (double)s->scale[row] + s->b;
}

static float square_of(const struct wide_solve *s, uint32_t row) {
    const uint32_t *entry = s->data->entry;
    double sum = 0, scale = (double)s->scale[row];

    for (size_t i = s->data->start[row]; i < s->data->start[row + 1]; i++) {
        float times = (float)wide_rows_times(entry[i]);

        sum += (double)(times * times * s->g[wide_rows_feature(entry[i])]);
    }
    return (float)(sum * scale * scale + 1);
}

void wide_solve_begin(struct wide_solve *s, const uint32_t *use, size_t n, uint32_t label) {
    s->use = use;
    s->n = n;
    s->b = 0;
    memset(s->v, 0, s->features * sizeof *s->v);
    for (size_t i = 0; i < n; i++) {
        s->alpha[i] = 0;
        s->square[i] = square_of(s, use[i]);
        s->order[i] = (uint32_t)i;
        s->y[i] = s->data->label[use[i]] == label ? 1 : -1;
    }
}

/* v and b along row i, times d. */
static void move(struct wide_solve *s, size_t i, double d) {
    const uint32_t *entry = s->data->entry;
    uint32_t row = s->use[i];
    float step = (float)(d * s->y[i] * (double)s->scale[row]);

    for (size_t j = s->data->start[row]; j < s->data->start[row + 1]; j++) {
        uint32_t f = wide_rows_feature(entry[j]);

        s->v[f] += step * (float)wide_rows_times(entry[j]) * s->g[f];
    }
    s->b += d * s->y[i];
}

/* What the gradients of a pass were like: their range, and what of it lets rows rest in the next.
 */
struct pass {
    double most, least, rest_above;
    size_t active;
};

/* One coordinate. Returns whether it may rest: its row is beyond the margin, and looks to stay. */
static bool descend(struct wide_solve *s, size_t i, double diagonal, struct pass *p) {
    double alpha = (double)s->alpha[i];
    double slope = s->y[i] * score_of(s, s->use[i]) - 1 + diagonal * alpha;
    double next;

    if (alpha <= 0) {
        if (slope > p->rest_above)
            return true;
        if (slope >= 0) {
            p->most = fmax(p->most, 0);
            p->least = fmin(p->least, 0);
            return false;
        }
    }
    p->most = fmax(p->most, slope);
    p->least = fmin(p->least, slope);
    next = fmax(alpha - slope / ((double)s->square[i] + diagonal), 0);
    s->alpha[i] = (float)next;
    if (s->alpha[i] > (float)alpha || s->alpha[i] < (float)alpha)
        move(s, i, (double)s->alpha[i] - alpha);
    return false;
}

static void swap(uint32_t *order, size_t a, size_t b) {
    uint32_t t = order[a];

    order[a] = order[b];
    order[b] = t;
}

static void run_pass(struct wide_solve *s, double diagonal, struct rng *rng, struct pass *p) {
    p->most = -INFINITY;
    p->least = INFINITY;
    for (size_t i = 0; i + 1 < p->active; i++) {
        uint64_t high = rng_next(rng) >> 32;

        swap(s->order, i, i + (size_t)(high * (p->active - i) >> 32));
    }
    for (size_t i = 0; i < p->active;)
        if (descend(s, s->order[i], diagonal, p))
            swap(s->order, i, --p->active);
        else
            i++;
}

unsigned wide_solve_run(struct wide_solve *s, double cost, double tolerance, unsigned passes,
                        uint64_t seed) {
    struct pass p = {.active = s->n, .rest_above = INFINITY};
    struct rng rng;
    unsigned done = 0;

    rng_init(&rng, seed, 0);
    while (done < passes) {
        run_pass(s, 1 / (2 * cost), &rng, &p);
        done++;
        if (p.active == 0 || p.most - p.least <= tolerance) {
            if (p.active == s->n)
                break;
            p.active = s->n; /* once more with all of them */
            p.rest_above = INFINITY;
            continue;
        }
        p.rest_above = p.most <= 0 ? INFINITY : p.most;
    }
    return done;
}

void wide_solve_gap(const struct wide_solve *s, double cost, double *ret_primal, double *ret_dual) {
    double length = s->b * s->b, loss = 0, dual = 0;

    for (uint32_t f = 0; f < s->features; f++)
        if (s->g[f] > 0)
            length += (double)s->v[f] * (double)s->v[f] / (double)s->g[f];
    for (size_t i = 0; i < s->n; i++) {
        double short_of = fmax(0, 1 - s->y[i] * score_of(s, s->use[i]));
        double alpha = (double)s->alpha[i];

        loss += short_of * short_of;
        dual += alpha - alpha * alpha / (4 * cost);
    }
    *ret_primal = length / 2 + cost * loss;
    *ret_dual = dual - length / 2;
}
