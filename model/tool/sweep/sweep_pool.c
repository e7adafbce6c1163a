#include "model/tool/sweep/sweep_pool.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "model/tool/common/say.h"
#include "model/tool/sweep/sweep_child.h"

#define TICKS 1000u /* of a run, for the bar */

struct pool {
    struct sweep_plan *p;
    bool quiet;
    sweep_pool_ended *ended;
    sigset_t mask, before; /* what is waited for; what was blocked at the start */
    struct say_progress progress;
    double began;
    size_t todo, finished, running;
    unsigned signals; /* that ended it so far */
    diffuse_err e;    /* what ends it early */
    struct reason *why;
};

static bool stopping(const struct pool *s) {
    return s->signals || s->e;
}

/* --- what is shown ------------------------------------------------------- */

/* "3 h 05 min", "4 min 10 s", "12.3 s" */
static void time_text(double seconds, char *ret_text, size_t size) {
    unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;

    if (s >= 3600)
        (void)snprintf(ret_text, size, "%lu h %02lu min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        (void)snprintf(ret_text, size, "%lu min %02lu s", s / 60, s % 60);
    else
        (void)snprintf(ret_text, size, "%.1f s", fmax(seconds, 0));
}

/* Runs that are done, with the parts of those that run. */
static double done_runs(const struct pool *s) {
    double done = (double)s->finished;

    for (size_t i = 0; s->running && i < s->p->runs; i++)
        if (s->p->run[i].state == SWEEP_RUNNING)
            done += fmin(sweep_child_share(s->p, &s->p->run[i]), 0.999);
    return done;
}

static void tick(struct pool *s) {
    double done = s->quiet ? 0 : done_runs(s);
    char extra[48];

    if (!(done > 0)) /* nothing to reckon with */
        return;
    (void)snprintf(extra, sizeof extra, "%zu of %zu runs", s->finished, s->todo);
    say_progress_tick(&s->progress, (uint64_t)(done * TICKS), s->todo * TICKS, extra);
}

static void outcome_text(const struct sweep_run *r, char *ret_text, size_t size) {
    static const struct {
        enum sweep_field field;
        const char *name;
    } shown[] = {{SWEEP_VALID, "valid"}, {SWEEP_TEST, "test"}};
    size_t n = 0;

    ret_text[0] = '\0';
    if (r->state == SWEEP_STOPPED)
        (void)snprintf(ret_text, size, "stopped");
    if (r->state == SWEEP_FAILED)
        (void)snprintf(ret_text, size, "failed: %s", r->why.text);
    for (size_t i = 0; r->state == SWEEP_DONE && i < 2 && n < size; i++)
        if (isfinite(r->result.value[shown[i].field]))
            n += (size_t)snprintf(ret_text + n, size - n, "%s%s %.2f %%", n ? ", " : "",
                                  shown[i].name, 100 * r->result.value[shown[i].field]);
}

static void say_ended(struct pool *s, const struct sweep_run *r) {
    char outcome[LIMIT_REASON_BYTES + 16], took[32], gone[32], left[32];
    double elapsed = say_now() - s->began, done = done_runs(s);

    if (s->quiet)
        return;
    say_progress_end(&s->progress);
    outcome_text(r, outcome, sizeof outcome);
    time_text(r->seconds, took, sizeof took);
    time_text(elapsed, gone, sizeof gone);
    time_text(done > 0 ? elapsed * ((double)s->todo - done) / done : 0, left, sizeof left);
    fprintf(stderr, "[%zu/%zu] %s: %s, %s; %s gone", s->finished, s->todo, r->name, outcome, took,
            gone);
    if (s->finished < s->todo && !stopping(s))
        fprintf(stderr, ", about %s left", left);
    fputc('\n', stderr);
}

/* --- runs ---------------------------------------------------------------- */

static void pass_on(struct pool *s, int signal_number) {
    for (size_t i = 0; i < s->p->runs; i++)
        if (s->p->run[i].state == SWEEP_RUNNING)
            (void)kill(s->p->run[i].pid, signal_number);
}

static void end_early(struct pool *s, diffuse_err e) {
    if (!s->e && !s->signals)
        pass_on(s, SIGINT);
    s->e = s->e ? s->e : e;
}

static void run_ended(struct pool *s, struct sweep_run *r) {
    struct reason why;
    diffuse_err e;

    s->finished++;
    say_ended(s, r);
    e = s->ended(s->p, &why);
    if (e && !s->e)
        (void)reason_set(s->why, e, "%s", why.text);
    if (e)
        end_early(s, e);
}

static void start(struct pool *s, struct sweep_run *r) {
    if (sweep_child_start(s->p, r, &s->before, &r->why)) {
        r->state = SWEEP_FAILED;
        run_ended(s, r);
        return;
    }
    s->running++;
}

/* The next that waits: all points with the first seed, then with the second. */
static struct sweep_run *next(const struct pool *s) {
    size_t seeds = s->p->grid.seeds, points = s->p->runs / seeds;

    for (size_t i = 0; i < seeds; i++)
        for (size_t k = 0; k < points; k++)
            if (s->p->run[k * seeds + i].state == SWEEP_WAITING)
                return &s->p->run[k * seeds + i];
    return NULL;
}

static void fill(struct pool *s) {
    struct sweep_run *r;

    while (!stopping(s) && s->running < s->p->jobs && (r = next(s)))
        start(s, r);
}

static void reap(struct pool *s) {
    for (size_t i = 0; i < s->p->runs; i++) {
        struct sweep_run *r = &s->p->run[i];

        if (r->state != SWEEP_RUNNING || !sweep_child_ended(s->p, r, stopping(s)))
            continue;
        s->running--;
        run_ended(s, r);
    }
}

/* Until a child ends, a signal comes or the bar is due. */
static void wait_a_little(struct pool *s) {
    static const struct timespec second = {.tv_sec = 1};
    int got = sigtimedwait(&s->mask, NULL, &second);

    if (got != SIGINT && got != SIGTERM)
        return;
    pass_on(s, s->signals ? SIGKILL : SIGINT);
    s->signals++;
    if (s->quiet)
        return;
    say_progress_end(&s->progress);
    if (s->signals == 1 && s->running)
        fprintf(stderr, "stopping: waits for %zu run%s; once more kills\n", s->running,
                s->running == 1 ? "" : "s");
}

static bool block_signals(struct pool *s) {
    (void)signal(SIGCHLD, SIG_DFL); /* children whose end nobody heard of cannot be waited for */
    sigemptyset(&s->mask);
    sigaddset(&s->mask, SIGINT);
    sigaddset(&s->mask, SIGTERM);
    sigaddset(&s->mask, SIGCHLD);
    return sigprocmask(SIG_BLOCK, &s->mask, &s->before) == 0;
}

diffuse_err sweep_pool_run(struct sweep_plan *p, bool quiet, sweep_pool_ended *ended,
                           bool *ret_stopped, struct reason *why) {
    struct pool s = {.p = p,
                     .quiet = quiet,
                     .ended = ended,
                     .began = say_now(),
                     .todo = sweep_plan_count(p, SWEEP_WAITING),
                     .why = why};

    if (!block_signals(&s))
        return reason_set(why, DIFFUSE_IO, "signals cannot be caught");
    say_progress_start(&s.progress, "sweep", quiet);
    for (fill(&s); s.running; fill(&s)) {
        wait_a_little(&s);
        reap(&s);
        tick(&s);
    }
    say_progress_end(&s.progress);
    *ret_stopped = s.signals > 0;
    return s.e;
}
