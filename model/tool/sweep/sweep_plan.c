#include "model/tool/sweep/sweep_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/data/dataset.h"
#include "model/text/tokenize.h"
#include "model/tool/train/train_options.h"
#include "model/train/update/team.h"

#define PATH_BYTES 4096

/* --- command lines ------------------------------------------------------- */

struct words {
    char **word;
    size_t n, room;
    bool failed;
};

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *format, ...) {
    va_list args;

    if (w->failed || w->n + 1 >= w->room) {
        w->failed = true;
        return;
    }
    va_start(args, format);
    if (vasprintf(&w->word[w->n], format, args) < 0) {
        w->word[w->n] = NULL;
        w->failed = true;
    } else {
        w->n++;
    }
    va_end(args);
}

/* "diffuse train" with everything that all runs have in common; room for more words. */
static struct words begin(const struct sweep_plan *p, size_t more) {
    struct words w = {.room = p->n_rest + more + 8};

    w.word = calloc(w.room, sizeof *w.word);
    w.failed = !w.word;
    add(&w, "diffuse");
    add(&w, "train");
    add(&w, "--threads=%u", p->threads); /* rest may say otherwise */
    add(&w, "--data=%s", p->data);
    if (p->test)
        add(&w, "--test=%s", p->test);
    return w;
}

static void add_rest(const struct sweep_plan *p, struct words *w) {
    for (size_t i = 0; i < p->n_rest; i++)
        add(w, "%s", p->rest[i]);
}

static char **finish(struct words *w) {
    if (!w->failed)
        return w->word;
    sweep_plan_argv_free(w->word);
    return NULL;
}

char **sweep_plan_argv(const struct sweep_plan *p, const struct sweep_run *r) {
    const struct sweep_grid *g = &p->grid;
    struct words w = begin(p, g->keys + 3);

    add_rest(p, &w);
    for (size_t k = 0; k < g->keys; k++)
        add(&w, "--%s=%s", g->key[k].row->name, sweep_grid_value(g, r->point, k));
    add(&w, "--seed=%llu", (unsigned long long)g->seed[r->seed]);
    add(&w, "--out=%s/%s", p->out, r->name);
    if (r->resume)
        add(&w, "--resume");
    return finish(&w);
}

void sweep_plan_argv_free(char **argv) {
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

/* --- what is wanted ------------------------------------------------------ */

/* Options as `diffuse train` reads them; they point into argv. */
static diffuse_err parse(char *const *argv, struct train_options *ret_options) {
    static char name[] = "diffuse train"; /* what its messages begin with */
    char **copy;
    int n = 1;

    if (!argv)
        return DIFFUSE_NOMEM;
    while (argv[n])
        n++;
    copy = calloc((size_t)n, sizeof *copy);
    if (!copy)
        return DIFFUSE_NOMEM;
    copy[0] = name;
    memcpy(copy + 1, argv + 2, (size_t)(n - 2) * sizeof *copy);
    train_options_parse(n - 1, copy, ret_options);
    free(copy);
    return DIFFUSE_OK;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Seeds and the number of runs, and that rest does not speak against the grid. */
static diffuse_err settle(struct sweep_plan *p, const struct train_options *o, struct reason *why) {
    struct sweep_grid *g = &p->grid;
    char seed[32];

    if (!same_text(o->data, p->data) || !same_text(o->test, p->test) || !same_text(o->out, p->out))
        return reason_set(why, DIFFUSE_INVAL, "--data, --test and --out belong before the --");
    for (size_t k = 0; k < g->keys; k++)
        if (train_options_given(o, g->key[k].row->name))
            return reason_set(why, DIFFUSE_INVAL, "--%s is behind the -- and in --grid",
                              g->key[k].row->name);
    if (g->seeds && train_options_given(o, "seed"))
        return reason_set(why, DIFFUSE_INVAL, "--seed is behind the --, and there is --seeds");
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    return g->seeds ? DIFFUSE_OK : sweep_grid_add_seeds(g, seed, why);
}

/* Rows that no run could read are better named once. */
static diffuse_err check_data(const char *spec, enum dataset_split split,
                              const struct dataset_columns *columns, struct reason *why) {
    struct dataset *d = NULL;
    diffuse_err e = spec ? dataset_check_twice(spec, why) : DIFFUSE_OK;

    if (!e && spec)
        e = dataset_open_columns(spec, split, columns, &d, why);

    dataset_close(d);
    return e;
}

/* With the command line that all runs share. */
static diffuse_err make_common(struct sweep_plan *p, struct reason *why) {
    struct words w = begin(p, 1);
    struct train_options o;
    char **argv;
    diffuse_err e;

    add(&w, "--out=%s", p->out);
    add_rest(p, &w);
    argv = finish(&w);
    e = parse(argv, &o);
    if (!e)
        e = settle(p, &o, why);
    if (!e)
        e = check_data(p->data, DATASET_TRAIN, &o.columns, why);
    if (!e)
        e = check_data(p->test, DATASET_TEST, &o.columns, why);
    sweep_plan_argv_free(argv);
    return e;
}

static diffuse_err make_runs(struct sweep_plan *p, struct reason *why) {
    size_t points = sweep_grid_points(&p->grid), seeds = p->grid.seeds;
    diffuse_err e = DIFFUSE_OK;

    p->run = calloc(points * seeds, sizeof *p->run);
    if (!p->run)
        return DIFFUSE_NOMEM;
    p->runs = points * seeds;
    for (size_t i = 0; !e && i < p->runs; i++) {
        struct sweep_run *r = &p->run[i];

        r->point = i / seeds;
        r->seed = i % seeds;
        sweep_result_clear(&r->result);
        e = sweep_grid_name(&p->grid, r->point, r->seed, r->name, why);
    }
    return e;
}

/* Names that are checked only where train uses them. */
static diffuse_err check_choices(const struct train_options *o, struct reason *why) {
    struct net_config config;
    struct step_options step;
    enum sched_decay decay;
    enum tokenizer_kind kind;
    diffuse_err e;

    if ((e = train_options_config(o, &config, why)) ||
        (e = train_options_step(o, &step, &decay, why)))
        return e;
    if (tokenizer_kind_parse(o->tokenizer, &kind))
        return reason_set(why, DIFFUSE_INVAL,
                          "--tokenizer is \"%s\", expected wordpiece, symbol or byte",
                          o->tokenizer);
    return DIFFUSE_OK;
}

/* All that a run is asked for: a new reference. */
static json_t *wanted_json(const struct train_options *o) {
    json_t *all = train_options_json(o);

    json_object_set_new(all, "vocab", o->vocab ? json_string(o->vocab) : json_null());
    json_object_set_new(all, "type", json_integer((json_int_t)o->type));
    return all;
}

static diffuse_err check_run(struct sweep_plan *p, struct sweep_run *r, bool *ret_valid,
                             struct reason *why) {
    char **argv = sweep_plan_argv(p, r);
    struct train_options o;
    diffuse_err e = parse(argv, &o);

    if (!e) {
        r->epochs = o.epochs;
        r->wanted = wanted_json(&o);
        *ret_valid = o.valid > 0 || o.valid_data;
        e = check_choices(&o, why);
    }
    sweep_plan_argv_free(argv);
    return e;
}

/* Every run's options, and whether all have validation rows. */
static diffuse_err check_runs(struct sweep_plan *p, struct reason *why) {
    bool all = true, valid = false;
    diffuse_err e = DIFFUSE_OK;

    for (size_t i = 0; !e && i < p->runs; i++) {
        e = check_run(p, &p->run[i], &valid, why);
        all = all && valid;
    }
    if (!e && !all && !p->test)
        e = reason_set(why, DIFFUSE_INVAL,
                       "nothing to compare by: give --test KIND:PATH, or validation rows with "
                       "-- --valid 0.1");
    p->judged = all ? SWEEP_VALID : SWEEP_TEST;
    return e;
}

diffuse_err sweep_plan_make(struct sweep_plan *p, struct reason *why) {
    unsigned cores = team_cores();
    diffuse_err e;

    p->threads = cores > p->jobs ? cores / p->jobs : 1;
    if ((e = make_common(p, why)) || (e = make_runs(p, why)))
        return e;
    return check_runs(p, why);
}

void sweep_plan_done(struct sweep_plan *p) {
    for (size_t i = 0; i < p->runs; i++)
        json_decref(p->run[i].wanted);
    free(p->run);
    sweep_grid_done(&p->grid);
    *p = (struct sweep_plan){0};
}

/* --- what is there ------------------------------------------------------- */

static bool state_there(const char *dir) {
    char path[PATH_BYTES];

    return (size_t)snprintf(path, sizeof path, "%s/resume.safetensors", dir) < sizeof path &&
           access(path, F_OK) == 0;
}

static diffuse_err look(const struct sweep_plan *p, struct sweep_run *r, struct reason *why) {
    char dir[PATH_BYTES];
    struct reason no;

    if ((size_t)snprintf(dir, sizeof dir, "%s/%s", p->out, r->name) >= sizeof dir)
        return reason_set(why, DIFFUSE_TOOBIG, "%.200s: the path is too long", p->out);
    if (!sweep_result_read(dir, &r->result, &no)) {
        r->state = SWEEP_DONE;
        r->before = true;
        return sweep_result_same(dir, r->wanted, false, why);
    }
    r->resume = state_there(dir) && !sweep_result_same(dir, r->wanted, true, &no);
    return DIFFUSE_OK;
}

diffuse_err sweep_plan_look(struct sweep_plan *p, struct reason *why) {
    struct reason found;
    diffuse_err e = DIFFUSE_OK;

    for (size_t i = 0; !e && i < p->runs; i++)
        if ((e = look(p, &p->run[i], &found)))
            (void)reason_set(why, e, "%.400s; give another --out, or remove that folder",
                             found.text);
    return e;
}

/* --- what came of it ----------------------------------------------------- */

size_t sweep_plan_count(const struct sweep_plan *p, enum sweep_state state) {
    size_t n = 0;

    for (size_t i = 0; i < p->runs; i++)
        n += p->run[i].state == state;
    return n;
}

const char *sweep_plan_state(enum sweep_state state) {
    static const char *const names[] = {
        [SWEEP_WAITING] = "waiting", [SWEEP_RUNNING] = "running", [SWEEP_DONE] = "done",
        [SWEEP_FAILED] = "failed",   [SWEEP_STOPPED] = "stopped",
    };

    return names[state];
}

struct sweep_stat sweep_plan_stat(const struct sweep_plan *p, size_t point,
                                  enum sweep_field field) {
    struct sweep_stat s = {.low = INFINITY, .high = -INFINITY};
    double squares = 0;

    for (size_t i = 0; i < p->grid.seeds; i++) {
        const struct sweep_run *r = &p->run[point * p->grid.seeds + i];
        double v = r->result.value[field], before = s.mean;

        if (r->state != SWEEP_DONE || !isfinite(v))
            continue;
        s.n++;
        s.mean += (v - s.mean) / (double)s.n;
        squares += (v - before) * (v - s.mean);
        s.low = fmin(s.low, v);
        s.high = fmax(s.high, v);
    }
    s.sd = s.n > 1 ? sqrt(squares / (double)(s.n - 1)) : 0;
    return s;
}

bool sweep_plan_best(const struct sweep_plan *p, size_t *ret_point) {
    double best = -INFINITY;
    bool found = false;

    for (size_t i = 0; i < sweep_grid_points(&p->grid); i++) {
        struct sweep_stat s = sweep_plan_stat(p, i, p->judged);

        if (!s.n || s.mean <= best)
            continue;
        best = s.mean;
        *ret_point = i;
        found = true;
    }
    return found;
}

void sweep_plan_data(const struct sweep_plan *p, char *ret_text, size_t size) {
    const char *path = strchr(p->data, ':'), *last = path ? strrchr(path, '/') : NULL;
    int kind = (int)strcspn(p->data, ":");

    last = last ? last + 1 : path ? path + 1 : "";
    (void)snprintf(ret_text, size, "%.*s%s%s", kind, p->data, *last ? ": " : "", last);
}
