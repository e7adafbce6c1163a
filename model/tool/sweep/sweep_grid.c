#include "model/tool/sweep/sweep_grid.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tool/train/train_options.h"

#define SLUG_BYTES   25u /* of one value, NUL included */
#define NUMBER_BYTES 32u

/* --- values -------------------------------------------------------------- */

/* The value's characters that are safe in a folder's name, others as '-'. */
static char *slug_of(const char *value) {
    char slug[SLUG_BYTES];
    size_t n = 0;

    for (const char *p = *value ? value : "none"; *p && n + 1 < sizeof slug; p++)
        slug[n++] = isalnum((unsigned char)*p) || strchr(".+-", *p) ? *p : '-';
    slug[n] = '\0';
    return strdup(slug);
}

/* Two values may look alike once they are slugs: then the later one has its number behind it. */
static char *unlike_others(const struct sweep_key *k, char *slug) {
    char *other = NULL;

    for (size_t i = 0; slug && i < k->n; i++)
        if (strcmp(k->slug[i], slug) == 0) {
            if (asprintf(&other, "%s~%zu", slug, k->n + 1) < 0)
                other = NULL;
            free(slug);
            return other;
        }
    return slug;
}

static diffuse_err check_new(const struct sweep_key *k, const char *value, struct reason *why) {
    double number, other;
    diffuse_err e = option_row_value(k->row, value, &number, why);

    for (size_t i = 0; !e && i < k->n; i++) {
        bool same = strcmp(k->value[i], value) == 0;

        if (k->row->kind != OPTION_CHOICE) {
            e = option_row_value(k->row, k->value[i], &other, why);
            same = !(number < other || number > other);
        }
        if (!e && same)
            e = reason_set(why, DIFFUSE_INVAL, "--grid %s has \"%.60s\" twice", k->row->name,
                           value);
    }
    return e;
}

static diffuse_err add_value(struct sweep_key *k, const char *value, struct reason *why) {
    diffuse_err e = check_new(k, value, why);
    char **values, **slugs;

    if (e)
        return e;
    if (k->n == SWEEP_RUNS)
        return reason_set(why, DIFFUSE_TOOBIG, "%s: more than %u values", k->row->name, SWEEP_RUNS);
    values = reallocarray(k->value, k->n + 1, sizeof *values);
    if (!values)
        return DIFFUSE_NOMEM;
    k->value = values;
    slugs = reallocarray(k->slug, k->n + 1, sizeof *slugs);
    if (!slugs)
        return DIFFUSE_NOMEM;
    k->slug = slugs;
    k->value[k->n] = strdup(value);
    k->slug[k->n] = unlike_others(k, slug_of(value));
    if (!k->value[k->n] || !k->slug[k->n]) {
        free(k->value[k->n]);
        free(k->slug[k->n]);
        return DIFFUSE_NOMEM;
    }
    k->n++;
    return DIFFUSE_OK;
}

static diffuse_err add_list(struct sweep_key *k, const char *list, struct reason *why) {
    const char *apart = strchr(list, ';') ? ";" : ",";
    diffuse_err e = DIFFUSE_OK;

    for (const char *at = list;; at++) {
        size_t len = strcspn(at, apart);
        char *value = strndup(at, len);

        e = value ? add_value(k, value, why) : DIFFUSE_NOMEM;
        free(value);
        at += len;
        if (e || !*at)
            return e;
    }
}

/* A..B*N taken apart: B behind the dots, N behind the star. */
static bool split_range(const char *text, double *ret_from, double *ret_to, unsigned long *ret_n) {
    char from[NUMBER_BYTES] = "", *end;
    const char *dots = strstr(text, "..");

    if (!dots || (size_t)(dots - text) >= sizeof from)
        return false;
    memcpy(from, text, (size_t)(dots - text));
    *ret_from = strtod(from, &end);
    if (end == from || *end)
        return false;
    *ret_to = strtod(dots + 2, &end);
    if (end == dots + 2 || *end != '*' || !isdigit((unsigned char)end[1]))
        return false;
    *ret_n = strtoul(end + 1, &end, 10);
    return !*end;
}

static diffuse_err add_range(struct sweep_key *k, const char *text, struct reason *why) {
    double from = 0, to = 0;
    unsigned long n = 0;
    diffuse_err e = DIFFUSE_OK;

    if (!split_range(text, &from, &to, &n) || !(from > 0 && to > 0 && from < 1e12 && to < 1e12) ||
        n < 2 || n > SWEEP_RUNS)
        return reason_set(why, DIFFUSE_INVAL,
                          "--grid %s is \"%.60s\", expected a range such as 0.001..0.01*3: from, "
                          "to, both above 0, and how many",
                          k->row->name, text);
    for (unsigned long i = 0; !e && i < n; i++) {
        double number = from * pow(to / from, (double)i / (double)(n - 1));
        char value[NUMBER_BYTES];

        if (k->row->kind == OPTION_COUNT)
            (void)snprintf(value, sizeof value, "%.0f", number);
        else
            (void)snprintf(value, sizeof value, "%.4g", number);
        e = add_value(k, value, why);
    }
    return e;
}

/* --- keys ---------------------------------------------------------------- */

static void key_done(struct sweep_key *k) {
    for (size_t i = 0; i < k->n; i++) {
        free(k->value[i]);
        free(k->slug[i]);
    }
    free(k->value);
    free(k->slug);
    *k = (struct sweep_key){0};
}

static diffuse_err find_row(const struct sweep_grid *g, const char *name,
                            const struct option_row **ret_row, struct reason *why) {
    const struct option_row *row = train_options_row(name);

    if (!row)
        return reason_set(why, DIFFUSE_INVAL,
                          "--grid \"%.60s\": not a hyper-parameter of diffuse train; `diffuse "
                          "train --help` lists them",
                          name);
    if (strcmp(name, "seed") == 0)
        return reason_set(why, DIFFUSE_INVAL, "--grid seed: the seeds are given as --seeds 1,2,3");
    for (size_t i = 0; i < g->keys; i++)
        if (g->key[i].row == row)
            return reason_set(why, DIFFUSE_INVAL, "--grid %s is there twice", name);
    *ret_row = row;
    return DIFFUSE_OK;
}

static diffuse_err check_size(size_t points, size_t seeds, struct reason *why) {
    size_t runs = points * (seeds ? seeds : 1);

    if (runs > SWEEP_RUNS)
        return reason_set(why, DIFFUSE_TOOBIG, "%zu settings and seeds, at most %u runs", runs,
                          SWEEP_RUNS);
    return DIFFUSE_OK;
}

diffuse_err sweep_grid_add(struct sweep_grid *g, const char *spec, struct reason *why) {
    const char *values = strchr(spec, '=');
    struct sweep_key k = {0};
    char *name;
    diffuse_err e;

    if (!values || values == spec || !values[1])
        return reason_set(why, DIFFUSE_INVAL, "--grid is \"%.60s\", expected KEY=VALUE,VALUE,...",
                          spec);
    if (g->keys == SWEEP_KEYS)
        return reason_set(why, DIFFUSE_TOOBIG, "--grid: at most %u keys", SWEEP_KEYS);
    name = strndup(spec, (size_t)(values - spec));
    if (!name)
        return DIFFUSE_NOMEM;
    e = find_row(g, name, &k.row, why);
    free(name);
    if (!e)
        e = k.row->kind != OPTION_CHOICE && strstr(values, "..") ? add_range(&k, values + 1, why)
                                                                 : add_list(&k, values + 1, why);
    if (!e)
        e = check_size(sweep_grid_points(g) * k.n, g->seeds, why);
    if (e)
        key_done(&k);
    else
        g->key[g->keys++] = k;
    return e;
}

diffuse_err sweep_grid_add_seeds(struct sweep_grid *g, const char *list, struct reason *why) {
    struct sweep_key k = {.row = train_options_row("seed")};
    diffuse_err e = g->seeds ? reason_set(why, DIFFUSE_INVAL, "--seeds is there twice")
                             : add_list(&k, list, why);

    if (!e)
        e = check_size(sweep_grid_points(g), k.n, why);
    if (!e) {
        g->seed = calloc(k.n, sizeof *g->seed);
        e = g->seed ? DIFFUSE_OK : DIFFUSE_NOMEM;
    }
    for (size_t i = 0; !e && i < k.n; i++) {
        double seed;

        e = option_row_value(k.row, k.value[i], &seed, why);
        g->seed[i] = (uint64_t)seed;
    }
    if (!e)
        g->seeds = k.n;
    key_done(&k);
    return e;
}

void sweep_grid_done(struct sweep_grid *g) {
    for (size_t i = 0; i < g->keys; i++)
        key_done(&g->key[i]);
    free(g->seed);
    *g = (struct sweep_grid){0};
}

/* --- points -------------------------------------------------------------- */

size_t sweep_grid_points(const struct sweep_grid *g) {
    size_t n = 1;

    for (size_t k = 0; k < g->keys; k++)
        n *= g->key[k].n;
    return n;
}

size_t sweep_grid_index(const struct sweep_grid *g, size_t point, size_t k) {
    for (size_t i = g->keys; --i > k;)
        point /= g->key[i].n;
    return point % g->key[k].n;
}

const char *sweep_grid_value(const struct sweep_grid *g, size_t point, size_t k) {
    return g->key[k].value[sweep_grid_index(g, point, k)];
}

diffuse_err sweep_grid_name(const struct sweep_grid *g, size_t point, size_t seed,
                            char ret_name[SWEEP_NAME], struct reason *why) {
    size_t n = 0;

    for (size_t k = 0; k < g->keys && n < SWEEP_NAME; k++)
        n += (size_t)snprintf(ret_name + n, SWEEP_NAME - n, "%s-%s_", g->key[k].row->name,
                              g->key[k].slug[sweep_grid_index(g, point, k)]);
    if (n < SWEEP_NAME)
        n += (size_t)snprintf(ret_name + n, SWEEP_NAME - n, "seed-%llu",
                              (unsigned long long)g->seed[seed]);
    if (n >= SWEEP_NAME)
        return reason_set(why, DIFFUSE_TOOBIG,
                          "--grid: so many keys make a folder's name of %zu characters; give fewer",
                          n);
    return DIFFUSE_OK;
}

void sweep_grid_title(const struct sweep_grid *g, size_t point, char *ret_title, size_t size) {
    size_t n = 0;

    ret_title[0] = '\0';
    for (size_t k = 0; k < g->keys && n < size; k++)
        n += (size_t)snprintf(ret_title + n, size - n, "%s%s %s", k ? ", " : "",
                              g->key[k].row->name, sweep_grid_value(g, point, k));
}
