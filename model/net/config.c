#include "model/net/config.h"

#include <math.h>
#include <string.h>

static const char *const boundary_names[] = {"zero", "ring"};
static const char *const norm_names[] = {"post", "pre", "residual"};
static const char *const pool_names[] = {"mean", "max", "mean_max", "roots"};
static const char *const act_names[] = {"gelu", "sine"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

void net_config_paper(struct net_config *c) {
    *c = (struct net_config){
        .width = 256,
        .mlp_width = 512,
        .head_width = 256,
        .steps = 4,
        .alpha = 0.5f,
        .noise_std = 0.05f,
        .boundary = NET_BOUNDARY_RING,
        .norm = NET_NORM_POST,
        .pool = NET_POOL_MEAN,
    };
    for (unsigned t = 0; t < LIMIT_STEPS; t++)
        c->offsets[t] = 1;
}

static diffuse_err check_range(const char *field, uint64_t value, uint64_t min, uint64_t max,
                               struct reason *why) {
    if (value >= min && value <= max)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL, "%s is %llu, expected %llu to %llu", field,
                      (unsigned long long)value, (unsigned long long)min, (unsigned long long)max);
}

static diffuse_err check_sizes(const struct net_config *c, struct reason *why) {
    diffuse_err e;

    if ((e = check_range("vocab", c->vocab, 1, LIMIT_VOCAB, why)) ||
        (e = check_range("width", c->width, 1, LIMIT_WIDTH, why)) ||
        (e = check_range("mlp_width", c->mlp_width, 1, 4 * LIMIT_WIDTH, why)) ||
        (e = check_range("head_width", c->head_width, 1, 4 * LIMIT_WIDTH, why)) ||
        (e = check_range("labels", c->labels, 1, LIMIT_LABELS, why)) ||
        (e = check_range("steps", c->steps, 0, LIMIT_STEPS, why)) ||
        (e = check_range("ngram_order", c->ngram_order, 0, LIMIT_NGRAM_ORDER, why)) ||
        (e = check_range("ngram_rows", c->ngram_rows, 0, LIMIT_NGRAM_ROWS, why)))
        return e;
    if ((c->ngram_order >= 2) != (c->ngram_rows > 0))
        return reason_set(why, DIFFUSE_INVAL,
                          "ngram_order %u with ngram_rows %u: n-grams need an order of 2 or more "
                          "and rows, none need neither",
                          c->ngram_order, c->ngram_rows);
    return DIFFUSE_OK;
}

static diffuse_err check_brackets(const struct net_config *c, struct reason *why) {
    diffuse_err e;

    if ((e = check_range("number of opening brackets", c->n_open, 0, LIMIT_BRACKETS, why)) ||
        (e = check_range("number of closing brackets", c->n_close, 0, LIMIT_BRACKETS, why)))
        return e;
    for (uint32_t i = 0; i < c->n_open; i++)
        if ((e = check_range("opening bracket", c->open[i], 0, c->vocab - 1, why)))
            return e;
    for (uint32_t i = 0; i < c->n_close; i++)
        if ((e = check_range("closing bracket", c->close[i], 0, c->vocab - 1, why)))
            return e;
    return DIFFUSE_OK;
}

static diffuse_err check_wide(const struct net_config *c, struct reason *why) {
    if (!net_config_has_wide(c))
        return DIFFUSE_OK;
    if (c->wide.labels != c->labels)
        return reason_set(why, DIFFUSE_INVAL, "wide part of %u labels, expected %u", c->wide.labels,
                          c->labels);
    if (!(c->deep_scale >= 0 && isfinite(c->deep_scale)))
        return reason_set(why, DIFFUSE_INVAL, "deep_scale is %g, expected 0 or more",
                          (double)c->deep_scale);
    return wide_shape_check(&c->wide, why);
}

diffuse_err net_config_check(const struct net_config *c, struct reason *why) {
    diffuse_err e = check_sizes(c, why);

    if (e)
        return e;
    if ((e = check_brackets(c, why)))
        return e;
    if ((e = check_wide(c, why)))
        return e;
    for (uint32_t t = 0; t < c->steps; t++)
        if ((e = check_range("offset", c->offsets[t], 1, LIMIT_TOKENS, why)))
            return e;
    if (!(c->alpha >= 0 && c->alpha <= 1))
        return reason_set(why, DIFFUSE_INVAL, "alpha is %g, expected 0 to 1", (double)c->alpha);
    if (!(c->noise_std >= 0 && isfinite(c->noise_std)))
        return reason_set(why, DIFFUSE_INVAL, "noise_std is %g, expected 0 or more",
                          (double)c->noise_std);
    if ((unsigned)c->boundary >= COUNT(boundary_names) || (unsigned)c->norm >= COUNT(norm_names) ||
        (unsigned)c->pool >= COUNT(pool_names) || (unsigned)c->bracket_act >= COUNT(act_names))
        return reason_set(why, DIFFUSE_INVAL,
                          "boundary, norm, pool or activation is not one of the known ones");
    return DIFFUSE_OK;
}

bool net_config_has_wide(const struct net_config *c) {
    return c->wide.features > 0;
}

bool net_config_has_deep(const struct net_config *c) {
    return !net_config_has_wide(c) || c->deep_scale > 0;
}

struct net_config net_config_with_labels(const struct net_config *c, uint32_t labels) {
    struct net_config grown = *c;

    grown.labels = labels;
    grown.wide = wide_shape_grown(&c->wide, labels);
    return grown;
}

uint32_t net_config_pool_width(const struct net_config *c) {
    return c->pool == NET_POOL_MEAN_MAX ? 2 * c->width : c->width;
}

uint64_t net_config_reach(const struct net_config *c) {
    uint64_t sum = 0;

    for (uint32_t t = 0; t < c->steps; t++)
        sum += c->offsets[t];
    return sum;
}

const char *net_boundary_name(enum net_boundary b) {
    return boundary_names[b];
}

const char *net_norm_name(enum net_norm n) {
    return norm_names[n];
}

const char *net_pool_name(enum net_pool p) {
    return pool_names[p];
}

const char *net_act_name(enum net_act a) {
    return act_names[a];
}

static diffuse_err find(const char *const *names, size_t n, const char *name, size_t *ret) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = i;
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}

diffuse_err net_boundary_parse(const char *name, enum net_boundary *ret) {
    size_t i;
    diffuse_err e = find(boundary_names, COUNT(boundary_names), name, &i);

    if (!e)
        *ret = (enum net_boundary)i;
    return e;
}

diffuse_err net_norm_parse(const char *name, enum net_norm *ret) {
    size_t i;
    diffuse_err e = find(norm_names, COUNT(norm_names), name, &i);

    if (!e)
        *ret = (enum net_norm)i;
    return e;
}

diffuse_err net_pool_parse(const char *name, enum net_pool *ret) {
    size_t i;
    diffuse_err e = find(pool_names, COUNT(pool_names), name, &i);

    if (!e)
        *ret = (enum net_pool)i;
    return e;
}

diffuse_err net_act_parse(const char *name, enum net_act *ret) {
    size_t i;
    diffuse_err e = find(act_names, COUNT(act_names), name, &i);

    if (!e)
        *ret = (enum net_act)i;
    return e;
}
