/* main.c - diffused: options, what is started in which order, and stopped in the reverse. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/args.h"
#include "daemon/clock.h"
#include "daemon/confread.h"
#include "daemon/ctl.h"
#include "daemon/inflight.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/plan.h"
#include "model/base/blas_env.h"
#include "model/base/gemm.h"
#include "model/ckpt/ckpt.h"

struct daemon {
    struct args args;
    struct conf conf;
    struct log log;
    uint64_t resident; /* before anything was loaded */
    uint64_t started_ns;
    struct arena model_arena;
    struct model *model;
    struct plan plan;
    struct arena arena; /* everything else that is ours */
    struct stats stats;
    struct stream_table *streams;
    struct inflight *inflight;
    struct path path;
    struct ctl ctl;
    uint8_t *answer;
    struct worker *workers; /* (conf.workers) */
    struct sockets sockets;
    struct loop loop;
};

/* --- the parts
 * ------------------------------------------------------------------------------------- */

/* The weights are held against the budget before a byte of them is read. */
static diffuse_err load_model(struct daemon *d, struct reason *why) {
    struct ckpt *ckpt = NULL;
    diffuse_err e = ckpt_open(d->conf.model, NULL, &ckpt, why);
    if (e)
        return e;
    size_t bytes = ckpt_model_bytes(ckpt);
    if (bytes > d->conf.memory_budget)
        e = reason_set(why, DIFFUSE_BUDGET,
                       "%s: the model alone takes %zu MiB, memory_budget is %" PRIu64
                       " MiB; raise memory_budget",
                       d->conf.model, bytes >> 20, d->conf.memory_budget >> 20);
    if (!e && arena_init(&d->model_arena, bytes))
        e = reason_set(why, DIFFUSE_NOMEM, "%s: the system refuses %zu bytes", d->conf.model,
                       bytes);
    if (!e)
        e = ckpt_load(ckpt, &d->model_arena, &d->model, why);
    ckpt_close(ckpt);
    malloc_trim(0);
    return e;
}

static diffuse_err start_model(struct daemon *d, struct reason *why) {
    diffuse_err e = load_model(d, why);
    if (e)
        return e;
    struct plan_facts facts = {.model = d->model,
                               .model_bytes = d->model_arena.cap,
                               .resident = d->resident,
                               .reply_max = ctl_reply_max(d->model),
                               .control_bytes = ctl_bytes(ctl_reply_max(d->model)),
                               .control_hwm = CTL_HWM};
    plan_make(&d->plan, &d->conf, &facts);
    return plan_check(&d->plan, why);
}

static void stop_model(struct daemon *d) {
    arena_done(&d->model_arena);
}

static diffuse_err make_tables(struct daemon *d) {
    struct arena *a = &d->arena;
    const struct conf *c = &d->conf;
    const struct net_config *net = &d->model->config;
    struct inflight_size size = {c->queue, d->plan.max_length, c->scores ? net->labels : 0};
    struct ctl_facts facts = {c, &d->plan, &d->stats, d->model, NULL, d->started_ns};
    diffuse_err e = inflight_new(a, &size, &d->inflight);
    if (!e)
        e = stream_new(a, c->streams, &d->streams);
    if (!e)
        e = path_init(&d->path, a, c->max_message);
    facts.inflight = d->inflight;
    if (!e)
        e = ctl_init(&d->ctl, a, ctl_reply_max(d->model), &facts);
    d->path.model = d->model;
    d->path.max_length = d->plan.max_length;
    d->path.refuse_long = c->on_too_long == CONF_REFUSE;
    d->answer = arena_alloc(a, d->plan.answer_max);
    d->workers = arena_alloc(a, c->workers * sizeof *d->workers);
    if (!e && (!d->answer || !d->workers))
        e = DIFFUSE_NOMEM;
    for (size_t i = 0; !e && i < c->workers; i++)
        e = path_bench_init(&d->workers[i].bench, a, net, d->plan.batch_tokens, c->batch_max);
    return e;
}

static diffuse_err start_memory(struct daemon *d, struct reason *why) {
    diffuse_err e = arena_init(&d->arena, d->plan.arena_bytes);
    if (e)
        return reason_set(why, e, "the system refuses the %zu bytes of the plan",
                          d->plan.arena_bytes);
    e = make_tables(d);
    return e ? reason_set(why, e, "the plan's memory cannot be laid out: %s", diffuse_strerror(e))
             : DIFFUSE_OK;
}

static void stop_memory(struct daemon *d) {
    inflight_done(d->inflight);
    arena_done(&d->arena);
}

static diffuse_err start_workers(struct daemon *d, struct reason *why) {
    gemm_single_thread();
    for (size_t i = 0; i < d->conf.workers; i++) {
        struct worker *w = &d->workers[i];
        w->inflight = d->inflight;
        w->model = d->model;
        w->max_length = d->plan.max_length;
        if (worker_start(w))
            return reason_set(why, DIFFUSE_IO, "the system refuses compute thread %zu", i + 1);
    }
    return DIFFUSE_OK;
}

static void stop_workers(struct daemon *d) {
    if (!d->workers)
        return;
    inflight_stop(d->inflight);
    for (size_t i = 0; i < d->conf.workers; i++)
        worker_join(&d->workers[i]);
}

static diffuse_err start_sockets(struct daemon *d, struct reason *why) {
    struct sockets_limits limits = {plan_frame_max(&d->conf), CTL_REQUEST_BYTES, CTL_HWM};
    return sockets_open(&d->sockets, &d->conf, &limits, &d->log, why);
}

static void stop_sockets(struct daemon *d) {
    sockets_close(&d->sockets, (int)(d->conf.stop_wait / 1000000u));
}

static diffuse_err start_loop(struct daemon *d, struct reason *why) {
    d->loop = (struct loop){.conf = &d->conf,
                            .sockets = &d->sockets,
                            .log = &d->log,
                            .stats = &d->stats,
                            .inflight = d->inflight,
                            .streams = d->streams,
                            .path = &d->path,
                            .ctl = &d->ctl,
                            .workers = d->workers,
                            .n_workers = d->conf.workers,
                            .answer = d->answer,
                            .answer_cap = d->plan.answer_max};
    return loop_init(&d->loop) ? reason_set(why, DIFFUSE_IO, "no descriptor for signals")
                               : DIFFUSE_OK;
}

static void stop_loop(struct daemon *d) {
    loop_done(&d->loop);
}

/* Started from the top, stopped from the bottom; READY is said when all of them stand. */
static const struct {
    const char *name;
    diffuse_err (*start)(struct daemon *d, struct reason *why);
    void (*stop)(struct daemon *d);
} parts[] = {
    {"model", start_model, stop_model},       {"memory", start_memory, stop_memory},
    {"workers", start_workers, stop_workers}, {"sockets", start_sockets, stop_sockets},
    {"loop", start_loop, stop_loop},
};

#define PARTS (sizeof parts / sizeof parts[0])

/* --- configuration --- */

static void print_line(void *user, const char *line) {
    (void)user;
    fprintf(stderr, "diffused: %s\n", line);
}

static int fail(const struct reason *why) {
    fprintf(stderr, "diffused: %s\n", why->text);
    return 1;
}

static int read_configuration(struct daemon *d) {
    struct reason why = {""};
    conf_init(&d->conf);
    if (d->args.config && confread_file(&d->conf, d->args.config, print_line, NULL))
        return 1;
    for (size_t i = 0; i < d->args.n_sets; i++) {
        if (conf_set(&d->conf, d->args.set[i], &why))
            return fail(&why);
    }
    if (conf_finish(&d->conf, &why))
        return fail(&why);
    d->log.level = (enum log_level)d->conf.log_level;
    d->log.journal =
        !d->args.foreground && (d->conf.log_target == CONF_LOG_JOURNAL ||
                                (d->conf.log_target == CONF_LOG_AUTO && log_under_systemd()));
    return 0;
}

static void print_configuration(const struct conf *c) {
    for (int key = 0; key < (int)CONF_KEYS; key++) {
        char value[CONF_TEXT_BYTES * 4], origin[64];
        conf_show(c, (enum conf_key)key, value, sizeof value);
        conf_origin(c, (enum conf_key)key, origin, sizeof origin);
        printf("%s = %s    ; %s\n", conf_row((enum conf_key)key)->key, value, origin);
    }
}

static void print_plan(const struct plan *p) {
    char text[32];
    for (size_t i = 0; i < p->n; i++) {
        plan_human(p->row[i].bytes, text, sizeof text);
        printf("%-16s %10s %3.0f %%  %s\n", p->row[i].name, text,
               100.0 * (double)p->row[i].bytes / (double)p->budget, p->row[i].detail);
    }
    plan_human(p->total, text, sizeof text);
    printf("%-16s %10s %3.0f %%", "total", text, 100.0 * (double)p->total / (double)p->budget);
    plan_human(p->budget, text, sizeof text);
    printf("  of memory_budget %s\n", text);
}

static int show_plan(struct daemon *d) {
    struct reason why = {""};
    diffuse_err e = start_model(d, &why);
    if (d->plan.n > 0)
        print_plan(&d->plan);
    fflush(stdout);
    stop_model(d);
    return e ? fail(&why) : 0;
}

/* --- run --- */

static void announce(struct daemon *d) {
    char plan[32], resident[32], status[256];
    plan_human(d->plan.total, plan, sizeof plan);
    plan_human(plan_resident(), resident, sizeof resident);
    snprintf(status, sizeof status, "model %.12s ready: %" PRIu32 " labels, plan %s, resident %s",
             d->model->id, d->model->config.labels, plan, resident);
    log_line(&d->log, LOG_LEVEL_NOTICE, "%s", status);
    notify_ready(status);
    send_event(&d->loop.send, "$sys/ready", 10, "ready", status);
}

static int run(struct daemon *d) {
    struct reason why = {""};
    diffuse_err e = DIFFUSE_OK;
    size_t n = 0;
    while (!e && n < PARTS)
        e = parts[n++].start(d, &why);
    if (!e) {
        announce(d);
        loop_run(&d->loop);
    } else {
        log_line(&d->log, LOG_LEVEL_ERROR, "not started: %s", why.text);
        notify_failed((int)e, why.text);
    }
    while (n > 0)
        parts[--n].stop(d);
    if (!e)
        log_line(&d->log, LOG_LEVEL_NOTICE,
                 "stopped: %" PRIu64 " labels and %" PRIu64 " refusals were sent",
                 d->stats.counter[STATS_labelled], d->stats.counter[STATS_refused]);
    return e ? 1 : 0;
}

/* Memory goes back to the system at once instead of staying in pools, and descriptors are many: one
 * too few ends the process inside ZeroMQ. */
static void settle_limits(void) {
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv) {
    blas_env_settle(argv);
    settle_limits();
    struct daemon *d = calloc(1, sizeof *d);
    if (!d)
        return 1;
    args_read(&d->args, argc, argv);
    log_init(&d->log);
    d->started_ns = clock_now();
    int status = read_configuration(d);
    d->resident = plan_resident();
    if (status == 0 && d->args.print_config)
        print_configuration(&d->conf);
    if (status == 0 && d->args.check)
        printf("configuration ok\n");
    bool shown = d->args.print_config || d->args.check;
    if (status == 0 && d->args.plan)
        status = show_plan(d);
    else if (status == 0 && !shown) {
        loop_block_signals();
        status = run(d);
    }
    free(d);
    return status;
}
