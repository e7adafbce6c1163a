#include "model/train/linear_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/vec.h"
#include "model/net/embed.h"
#include "model/train/rows/permute.h"

#define STREAM 0xbae5 /* of the random directions */
#define TIMES  3      /* logit of a score of 1, the margin */
#define EVERY  UINT32_MAX

/* The problem of one label against the rest. */
struct linear {
    const struct net_config *c;
    const struct rows *rows;
    size_t features;   /* rows of both tables */
    float *all, *one;  /* (features) rows that have each: all, and as far as they are the label's */
    uint32_t *seen;    /* (features) the last row that had it, from 1 */
    float *gain;       /* (features) r^2, times what makes the mean square length 1 */
    float *score;      /* (features) the result */
    float *room;       /* (features) zeros */
    float *alpha;      /* (rows) dual variables */
    float *square;     /* (rows) square length of x_i */
    uint32_t *ids;     /* (longest) */
    uint32_t *feature; /* (longest * order) of the row that was read last */
    double *of_label;  /* (labels) rows of each, as far as they are */
    real *direction;   /* (width) */
    struct reason *why;
};

static void linear_done(struct linear *l) {
    free(l->all);
    free(l->one);
    free(l->seen);
    free(l->gain);
    free(l->score);
    free(l->room);
    free(l->alpha);
    free(l->square);
    free(l->ids);
    free(l->feature);
    free(l->of_label);
    free(l->direction);
}

static diffuse_err linear_init(struct linear *l) {
    size_t order = l->c->ngram_order ? l->c->ngram_order : 1, longest = l->rows->longest + 1;

    l->features = (size_t)l->c->vocab + l->c->ngram_rows;
    l->all = calloc(l->features, sizeof *l->all);
    l->one = calloc(l->features, sizeof *l->one);
    l->seen = calloc(l->features, sizeof *l->seen);
    l->gain = calloc(l->features, sizeof *l->gain);
    l->score = calloc(l->features, sizeof *l->score);
    l->room = calloc(l->features, sizeof *l->room);
    l->alpha = calloc(l->rows->n + 1, sizeof *l->alpha);
    l->square = calloc(l->rows->n + 1, sizeof *l->square);
    l->ids = calloc(longest, sizeof *l->ids);
    l->feature = calloc(longest * order, sizeof *l->feature);
    l->of_label = calloc(l->c->labels, sizeof *l->of_label);
    l->direction = calloc(l->c->width, sizeof *l->direction);
    return l->all && l->one && l->seen && l->gain && l->score && l->room && l->alpha && l->square &&
                   l->ids && l->feature && l->of_label && l->direction
               ? DIFFUSE_OK
               : DIFFUSE_NOMEM;
}

/* --- the rows ------------------------------------------------------------ */

/* Features of row i, each as often as it occurs, and its label. */
static diffuse_err read_row(struct linear *l, size_t i, uint32_t *ret_label, uint32_t *ret_tokens,
                            size_t *ret_n) {
    const struct net_config *c = l->c;
    size_t n = 0;
    diffuse_err e = rows_read(l->rows, i, l->ids, ret_tokens, ret_label, l->why);

    if (e)
        return e;
    for (uint32_t t = 0; t < *ret_tokens; t++) {
        l->feature[n++] = l->ids[t];
        for (uint32_t k = 2; k <= c->ngram_order && k <= t + 1; k++)
            l->feature[n++] = c->vocab + embed_ngram_row(c, l->ids + t, k);
    }
    *ret_n = n;
    return DIFFUSE_OK;
}

/* Rows that have each feature: label k's, or of EVERY label. */
static diffuse_err count(struct linear *l, uint32_t k, float *counts) {
    memset(l->seen, 0, l->features * sizeof *l->seen);
    memset(counts, 0, l->features * sizeof *counts);
    for (size_t i = 0; i < l->rows->n; i++) {
        uint32_t label, tokens, mark = (uint32_t)(i + 1);
        size_t n;
        diffuse_err e = read_row(l, i, &label, &tokens, &n);

        if (e)
            return e;
        if (k == EVERY)
            l->of_label[label]++;
        for (size_t f = 0; f < n; f++)
            if (l->seen[l->feature[f]] != mark) {
                l->seen[l->feature[f]] = mark;
                counts[l->feature[f]] += k == EVERY || k == label;
            }
    }
    return DIFFUSE_OK;
}

/* --- the problem of one label -------------------------------------------- */

static void take_ratios(struct linear *l, uint32_t k, double smoothing) {
    double share = l->of_label[k] / (double)l->rows->n, a = smoothing;
    double prior = log((1 - share) / share);

    for (size_t f = 0; f < l->features; f++) {
        double with = (double)l->one[f], without = (double)l->all[f] - with;
        double ratio = log((with + a * share) / (fmax(without, 0) + a * (1 - share))) + prior;

        l->gain[f] = l->all[f] > 0 ? (float)(ratio * ratio) : 0;
    }
}

/* Square lengths of all rows; gains are scaled so that their mean is 1. */
static diffuse_err measure(struct linear *l) {
    double sum = 0;
    real scale;

    for (size_t i = 0; i < l->rows->n; i++) {
        uint32_t label, tokens;
        size_t n;
        double square = 0;
        diffuse_err e = read_row(l, i, &label, &tokens, &n);

        if (e)
            return e;
        for (size_t f = 0; f < n; f++)
            l->room[l->feature[f]] += 1;
        for (size_t f = 0; f < n; f++) {
            float times = l->room[l->feature[f]];

            square += (double)(times * times * l->gain[l->feature[f]]);
            l->room[l->feature[f]] = 0;
        }
        l->square[i] = (float)(square / ((double)tokens * tokens));
        sum += (double)l->square[i];
    }
    scale = sum > 0 ? (real)((double)l->rows->n / sum) : 0;
    vec_scale(l->features, scale, l->gain);
    vec_scale(l->rows->n, scale, l->square);
    return DIFFUSE_OK;
}

/* One coordinate of the dual. */
static diffuse_err descend(struct linear *l, size_t i, uint32_t k, double cost) {
    uint32_t label, tokens;
    size_t n;
    double sum = 0, y, diagonal = 1 / (2 * cost), slope, alpha, change;
    diffuse_err e = read_row(l, i, &label, &tokens, &n);

    if (e)
        return e;
    y = label == k ? 1 : -1;
    for (size_t f = 0; f < n; f++)
        sum += (double)l->score[l->feature[f]];
    alpha = (double)l->alpha[i];
    slope = y * sum / tokens - 1 + diagonal * alpha;
    change = fmax(alpha - slope / ((double)l->square[i] + diagonal), 0) - alpha;
    l->alpha[i] = (float)(alpha + change);
    if (change > 0 || change < 0) {
        float step = (float)(change * y / tokens);

        for (size_t f = 0; f < n; f++)
            l->score[l->feature[f]] += step * l->gain[l->feature[f]];
    }
    return DIFFUSE_OK;
}

static diffuse_err solve(struct linear *l, uint32_t k, const struct linear_start_options *o) {
    diffuse_err e = DIFFUSE_OK;

    memset(l->alpha, 0, l->rows->n * sizeof *l->alpha);
    memset(l->score, 0, l->features * sizeof *l->score);
    for (unsigned pass = 0; !e && pass < o->passes; pass++) {
        struct permute order;

        permute_init(&order, l->rows->n, o->seed, pass);
        for (size_t i = 0; !e && i < l->rows->n; i++)
            e = descend(l, permute_at(&order, i), k, o->cost);
    }
    return e;
}

/* --- into the model ------------------------------------------------------ */

static void choose_direction(struct linear *l, uint32_t label, struct rng *rng) {
    size_t C = l->c->width;

    if (l->c->labels == 2 && C == 1 && label == 1) { /* the opposite of label 0's */
        l->direction[0] = -l->direction[0];
        return;
    }
    vec_zero(C, l->direction);
    if (l->c->labels <= C) {
        l->direction[label] = 1;
        return;
    }
    for (size_t j = 0; j < C; j++)
        l->direction[j] = (real)rng_normal(rng);
    vec_scale(C, 1 / sqrtf(vec_sum_squares(C, l->direction)), l->direction);
}

/* Half of the score along each of two opposite directions makes one score. */
static real share_of_score(const struct linear *l) {
    return l->c->labels == 2 && l->c->width == 1 ? 0.5f : 1;
}

static void lay_scores(const struct linear *l, struct net_weights *w) {
    size_t C = l->c->width;

    for (size_t f = 0; f < l->features; f++) {
        real *row = f < l->c->vocab ? w->embed + f * C : w->ngram + (f - l->c->vocab) * C;
        real score = share_of_score(l) * l->score[f];

        for (size_t j = 0; j < C; j++)
            row[j] += score * l->direction[j];
    }
}

/* The head passes the mean's channels on, and their negatives where it has room: gelu(x) - gelu(-x)
 * is x. */
static void pass_on(const struct linear *l, struct net_weights *w) {
    size_t C = l->c->width, P = net_config_pool_width(l->c), H = l->c->head_width;

    for (size_t j = 0; j < H && j < 2 * C; j++) {
        vec_zero(P, w->head_in + j * P);
        w->head_in[j * P + j % C] = j < C ? 1 : -1;
    }
}

static void read_direction(const struct linear *l, uint32_t k, struct net_weights *w) {
    size_t C = l->c->width, H = l->c->head_width;

    for (size_t j = 0; j < H && (j < C || (j < 2 * C && H >= 2 * C)); j++)
        w->head_out[k * H + j] = (j < C ? TIMES : -TIMES) * l->direction[j % C];
}

static diffuse_err start_label(struct linear *l, struct net_weights *w, uint32_t k,
                               const struct linear_start_options *o) {
    diffuse_err e = DIFFUSE_OK;

    if (l->c->labels == 2 && k == 1) { /* the same problem, from the other side */
        vec_scale(l->features, -1, l->score);
    } else if (!(e = count(l, k, l->one))) {
        take_ratios(l, k, o->smoothing);
        if (!(e = measure(l)))
            e = solve(l, k, o);
    }
    if (!e)
        lay_scores(l, w);
    return e;
}

diffuse_err linear_start(const struct net_config *c, struct net_weights *w, const struct rows *rows,
                         const struct linear_start_options *o, struct reason *why) {
    struct linear l = {.c = c, .rows = rows, .why = why};
    struct rng rng;
    diffuse_err e = linear_init(&l);

    rng_init(&rng, o->seed, STREAM);
    if (!e && !(e = count(&l, EVERY, l.all)))
        pass_on(&l, w);
    for (uint32_t k = 0; !e && k < c->labels; k++) {
        choose_direction(&l, k, &rng);
        read_direction(&l, k, w);
        if (l.of_label[k] > 0 && l.of_label[k] < (double)rows->n)
            e = start_label(&l, w, k, o);
    }
    linear_done(&l);
    return e;
}
