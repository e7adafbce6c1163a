/* sweep_plan.h - a sweep: every run that belongs to it, with its command line, and how it went. */
#ifndef MODEL_TOOL_SWEEP_SWEEP_PLAN_H
#define MODEL_TOOL_SWEEP_SWEEP_PLAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "model/tool/sweep/sweep_grid.h"
#include "model/tool/sweep/sweep_result.h"

enum sweep_state {
    SWEEP_WAITING,
    SWEEP_RUNNING,
    SWEEP_DONE,
    SWEEP_FAILED, /* the reason says why */
    SWEEP_STOPPED /* by a signal to the sweep; it goes on from there next time */
};

struct sweep_run {
    size_t point, seed; /* the seed's index */
    char name[SWEEP_NAME];
    enum sweep_state state;
    bool before;                /* done by an earlier call */
    bool resume;                /* a state to go on from is there */
    uint64_t epochs;            /* 0: the trainer will find out */
    struct sweep_result result; /* when done */
    struct reason why;
    pid_t pid; /* when running */
    double began, seconds;
    json_t *wanted; /* its options, for sweep.json; owned */
};

/* What is given, borrowed; the rest is made of it. */
struct sweep_plan {
    struct sweep_grid grid; /* owned */
    const char *data, *test, *out;
    char *const *rest; /* (n_rest) more options of diffuse train */
    size_t n_rest;
    unsigned jobs;

    unsigned threads;      /* of a run, unless rest says otherwise */
    struct sweep_run *run; /* (runs) run point * seeds + seed */
    size_t runs;
    enum sweep_field judged; /* what decides between points: SWEEP_VALID or SWEEP_TEST */
};

/* Check every setting and list the runs. Options of rest that diffuse train refuses end the program
 * with 2, as they do there. Errors: INVAL, TOOBIG, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err sweep_plan_make(struct sweep_plan *p, struct reason *why);

/* Find out which runs are done, or can go on, in p->out. Errors: INVAL (a run with other settings
 * lies there), IO. */
DIFFUSE_MUST_CHECK diffuse_err sweep_plan_look(struct sweep_plan *p, struct reason *why);

void sweep_plan_done(struct sweep_plan *p); /* the grid as well */

/* A command line for one run: "diffuse", "train", ..., NULL. NULL: no memory. */
char **sweep_plan_argv(const struct sweep_plan *p, const struct sweep_run *r);
void sweep_plan_argv_free(char **argv); /* fine with NULL */

size_t sweep_plan_count(const struct sweep_plan *p, enum sweep_state state);
const char *sweep_plan_state(enum sweep_state state); /* "done" */

/* Of a field over the seeds of a point that are done. */
struct sweep_stat {
    size_t n; /* 0: the others mean nothing */
    double mean, low, high;
    double sd; /* of the sample; 0 for one */
};

struct sweep_stat sweep_plan_stat(const struct sweep_plan *p, size_t point, enum sweep_field field);

/* The point with the highest mean of what is judged, the first of equals. False: nothing is done.
 */
bool sweep_plan_best(const struct sweep_plan *p, size_t *ret_point);

/* "tsv: fleet": kind and last part of the path. */
void sweep_plan_data(const struct sweep_plan *p, char *ret_text, size_t size);

#endif
