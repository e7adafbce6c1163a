/* cmd_sweep.c - diffuse sweep: many trainings side by side, compared. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/tool/common/commands.h"
#include "model/tool/common/say.h"
#include "model/tool/common/whole_arg.h"
#include "model/tool/sweep/sweep_picture.h"
#include "model/tool/sweep/sweep_plan.h"
#include "model/tool/sweep/sweep_pool.h"
#include "model/tool/sweep/sweep_tables.h"
#include "proto/standard.h"

#define PATH_BYTES 4096
#define TEXT_BYTES 128
#define JOBS_MAX   64u

struct args {
    struct sweep_plan plan;
    bool quiet, json;
};

enum { KEY_TEST = 256, KEY_GRID, KEY_SEEDS, KEY_JSON };

static const struct argp_option options[] = {
    {"data", 'd', "KIND:PATH", 0, "Training rows (required)", 0},
    {"test", KEY_TEST, "KIND:PATH", 0, "Test rows", 0},
    {"out", 'o', "DIR", 0, "Folder for the results, with a folder for each run (required)", 0},
    {"grid", KEY_GRID, "KEY=VALUE,...", 0,
     "An option of `diffuse train` and the values to try, apart by commas, or by semicolons where "
     "one has a comma in it; lr=0.001..0.01*3: three, each the same factor above the last. Every "
     "further --grid is combined with the others (at least one)",
     0},
    {"seeds", KEY_SEEDS, "N,...", 0, "Train with each of these seeds (1)", 0},
    {"jobs", 'j', "N", 0,
     "Runs at a time, with an equal share of the cores each; they also share the memory (1)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {"json", KEY_JSON, 0, 0, "Results as JSON on standard output", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;
    struct reason why = {""};
    diffuse_err e = DIFFUSE_OK;

    switch (key) {
    case 'd':
        a->plan.data = arg;
        return 0;
    case KEY_TEST:
        a->plan.test = arg;
        return 0;
    case 'o':
        a->plan.out = arg;
        return 0;
    case KEY_GRID:
        e = sweep_grid_add(&a->plan.grid, arg, &why);
        break;
    case KEY_SEEDS:
        e = sweep_grid_add_seeds(&a->plan.grid, arg, &why);
        break;
    case 'j':
        a->plan.jobs = (unsigned)whole_arg("jobs", arg, 1, JOBS_MAX, state);
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case KEY_JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_END:
        if (!a->plan.data || !a->plan.out || !a->plan.grid.keys)
            argp_error(state, "--data KIND:PATH, --out DIR and --grid KEY=VALUE,... are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (e)
        argp_error(state, "%s", *why.text ? why.text : diffuse_strerror(e));
    return 0;
}

/* What is behind the -- is for diffuse train. */
static void read_args(int argc, char **argv, struct args *a) {
    const struct argp argp = {options,
                              parse,
                              "[-- OPTION of diffuse train...]",
                              "Train with every combination of settings and seeds, each in a "
                              "process of its own, and compare: results.csv, table.md and "
                              "sweep.svg. Called again, it goes on with what is not done.",
                              NULL,
                              NULL,
                              NULL};
    int own = 1;

    while (own < argc && strcmp(argv[own], "--") != 0)
        own++;
    if (own + 1 < argc) {
        a->plan.rest = argv + own + 1;
        a->plan.n_rest = (size_t)(argc - own - 1);
    }
    argp_parse(&argp, own, argv, 0, NULL, a);
}

/* --- results ------------------------------------------------------------- */

/* NAME in the folder, whole or as it was. */
static diffuse_err write_file(const struct sweep_plan *p, const char *name,
                              void (*draw)(FILE *f, const struct sweep_plan *p),
                              struct reason *why) {
    char path[PATH_BYTES], part[PATH_BYTES];
    FILE *f;
    bool failed;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", p->out, name) >= sizeof path ||
        (size_t)snprintf(part, sizeof part, "%s/.%s.part", p->out, name) >= sizeof part)
        return reason_set(why, DIFFUSE_TOOBIG, "%.200s: the path is too long", p->out);
    f = fopen(part, "we");
    if (!f)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be written: %s", part, strerror(errno));
    draw(f, p);
    failed = ferror(f) != 0;
    if (fclose(f) == 0 && !failed && rename(part, path) == 0)
        return DIFFUSE_OK;
    (void)reason_set(why, DIFFUSE_IO, "%s: writing failed: %s", path, strerror(errno));
    (void)unlink(part);
    return DIFFUSE_IO;
}

static diffuse_err write_runs(const struct sweep_plan *p, struct reason *why) {
    return write_file(p, "results.csv", sweep_tables_csv, why);
}

static diffuse_err write_all(const struct sweep_plan *p, struct reason *why) {
    diffuse_err e;

    if ((e = write_runs(p, why)) || (e = write_file(p, "table.md", sweep_tables_markdown, why)))
        return e;
    return write_file(p, "sweep.svg", sweep_picture_draw, why);
}

static void print_json(const struct sweep_plan *p) {
    json_t *all = sweep_tables_json(p);

    (void)json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    (void)putchar('\n');
    json_decref(all);
}

/* --- the sweep ----------------------------------------------------------- */

/* The folder, and that no other sweep is at work there as long as *ret_lock is open. */
static diffuse_err open_folder(const char *dir, int *ret_lock, struct reason *why) {
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return reason_set(why, DIFFUSE_IO, "%s: the folder cannot be made: %s", dir,
                          strerror(errno));
    *ret_lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_lock < 0)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be opened: %s", dir, strerror(errno));
    if (flock(*ret_lock, LOCK_EX | LOCK_NB) != 0)
        return reason_set(why, DIFFUSE_BUSY, "%s: another sweep is at work there", dir);
    return DIFFUSE_OK;
}

static void say_plan(const struct args *a) {
    const struct sweep_plan *p = &a->plan;
    size_t before = sweep_plan_count(p, SWEEP_DONE);

    if (a->quiet)
        return;
    fprintf(stderr, "%zu runs: %zu settings, %zu seed%s", p->runs, p->runs / p->grid.seeds,
            p->grid.seeds, p->grid.seeds == 1 ? "" : "s");
    if (before)
        fprintf(stderr, "; %zu done before", before);
    fprintf(stderr, "; %u at a time\n", p->jobs);
    if (p->judged == SWEEP_TEST)
        fputs("warning: chosen by test rows, which flatters: what is best on them is partly luck; "
              "-- --valid 0.1 sets validation rows aside\n",
              stderr);
}

static int conclude(const struct args *a, bool stopped) {
    const struct sweep_plan *p = &a->plan;
    char missing[TEXT_BYTES];

    if (a->json)
        print_json(p);
    else
        sweep_tables_markdown(stdout, p);
    if (fflush(stdout) != 0) {
        int error = errno;

        standard_drop();
        return say_failed("standard output: writing failed: %s", strerror(error));
    }
    if (!sweep_tables_missing(p, missing, sizeof missing))
        return 0;
    return say_failed("%s%s; the same command goes on, what is there is in %s/table.md",
                      stopped ? "stopped: " : "", missing, p->out);
}

static int run(struct args *a) {
    struct reason why = {""};
    bool stopped = false;
    int lock = -1, status;
    diffuse_err e = sweep_plan_make(&a->plan, &why);

    if (e == DIFFUSE_INVAL || e == DIFFUSE_TOOBIG) {
        (void)say_error(e, &why);
        return 2;
    }
    if (e || (e = open_folder(a->plan.out, &lock, &why)) || (e = sweep_plan_look(&a->plan, &why))) {
        status = say_error(e, &why);
    } else {
        say_plan(a);
        e = sweep_pool_run(&a->plan, a->quiet, write_runs, &stopped, &why);
        if (!e)
            e = write_all(&a->plan, &why);
        status = e ? say_error(e, &why) : conclude(a, stopped);
    }
    if (lock >= 0)
        close(lock);
    return status;
}

int cmd_sweep(int argc, char **argv) {
    struct args args = {.plan = {.jobs = 1}};
    int status;

    read_args(argc, argv, &args);
    status = run(&args);
    sweep_plan_done(&args.plan);
    return status;
}
