/* main.c - diffused: options, what is started in which order, and stopped in the reverse. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/budget/cgroup_limit.h"
#include "daemon/budget/guard.h"
#include "daemon/budget/pages.h"
#include "daemon/budget/plan.h"
#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/notify.h"
#include "daemon/common/procmem.h"
#include "daemon/conf/args.h"
#include "daemon/conf/confread.h"
#include "daemon/conf/conftcp.h"
#include "daemon/learn/tuner.h"
#include "daemon/loop/check.h"
#include "daemon/loop/loop.h"
#include "daemon/loop/measure.h"
#include "daemon/path/inflight.h"
#include "daemon/report/cpu.h"
#include "daemon/report/ctl.h"
#include "daemon/report/metrics_http.h"
#include "daemon/report/print.h"
#include "daemon/swap/reload.h"
#include "daemon/swap/watcher.h"
#include "model/base/blas_env.h"
#include "model/base/gemm.h"
#include "model/ckpt/ckpt.h"
#include "model/engine/segment.h"
#include "proto/standard.h"

struct daemon {
    struct args args;
    struct conf conf;
    struct log log;
    uint64_t resident; /* before anything was loaded */
    uint64_t started_ns, started_wall_ns;
    struct watcher watch;
    struct reload reload;
    struct plan plan; /* of the start */
    struct loaded_pair models;
    struct background background;
    struct arena arena; /* everything that does not depend on the model */
    struct stats stats;
    struct stream_table *streams;
    struct inflight *inflight;
    struct segments *running;
    struct path path;
    struct ctl ctl;
    struct tuner_queue *box;
    struct tune_reply *tune_replies;
    struct tuner tuner;
    struct metrics exposition;
    struct metrics_http *web; /* NULL: metrics are not served by HTTP */
    uint8_t *answer;
    struct worker *workers; /* (conf.workers) */
    struct sockets sockets;
    struct loop loop;
};

/* --- the parts ----------------------------------------------------------- */

static diffuse_err start_watch(struct daemon *d, struct reason *why) {
    struct reason whether = {""};
    (void)why;
    if (d->conf.watch && watcher_start(&d->watch, d->conf.model, WATCHER_SETTLE_NS, &whether))
        log_line(&d->log, LOG_watch_failed, "%s; reload it by request", whether.text);
    return DIFFUSE_OK;
}

static void stop_watch(struct daemon *d) {
    watcher_stop(&d->watch);
}

static diffuse_err start_lock(struct daemon *d, struct reason *why) {
    return d->conf.lock_memory ? pages_lock(why) : DIFFUSE_OK;
}

static void stop_nothing(struct daemon *d) {
    (void)d;
}

/* What was promoted before serves again. False: nothing was, or it cannot be loaded, which is said.
 */
static bool load_promoted(struct daemon *d, const char *root) {
    char path[LINEAGE_PATH_BYTES];
    struct lineage_found found;
    struct reason why = {""};
    struct ckpt *ckpt = NULL;
    struct plan plan;
    diffuse_err e = tuner_find(&d->conf, root, path, &found, &why);
    if (found.damaged > 0)
        log_line(&d->log, LOG_tuned_damaged, "%" PRIu32 " promoted checkpoints passed over: %s",
                 found.damaged, found.why);
    if (!e && !path[0])
        return false;
    if (!e)
        e = reload_open(&d->reload, path, NULL, &ckpt, &plan, &why);
    if (!e)
        e = loaded_model_load(&d->models.slot[0], ckpt, &d->conf, &plan, path, &why);
    ckpt_close(ckpt);
    if (e) {
        log_line(&d->log, LOG_tuned_not_loaded, "what was tuned before is not loaded: %s",
                 why.text);
        return false;
    }
    d->plan = plan;
    memcpy(d->models.slot[0].root, root, DIGEST_HEX_BYTES);
    return true;
}

static diffuse_err start_model(struct daemon *d, struct reason *why) {
    struct ckpt *ckpt = NULL;
    char root[DIGEST_HEX_BYTES];
    background_init(&d->background);
    diffuse_err e =
        reload_open_first(&d->reload, &d->conf, measure_plan, d->resident, &ckpt, &d->plan, why);
    if (!e)
        e = ckpt_verify(ckpt, root, why);
    if (!e && !load_promoted(d, root))
        e = loaded_model_load(&d->models.slot[0], ckpt, &d->conf, &d->plan, d->conf.model, why);
    ckpt_close(ckpt);
    malloc_trim(0);
    if (e)
        return e;
    loaded_pair_begin(&d->models);
    log_model(&d->log, d->models.serving->model->id);
    d->stats.serving_since_ns = clock_wall();
    d->reload.room = d->plan.room;
    d->reload.laid = true;
    return DIFFUSE_OK;
}

static void stop_model(struct daemon *d) {
    loaded_pair_done(&d->models);
}

static diffuse_err make_tables(struct daemon *d) {
    struct arena *a = &d->arena;
    const struct conf *c = &d->conf;
    const struct plan_room *room = &d->plan.room;
    struct inflight_size size = {c->queue, segments_ids(&room->running), room->scores};
    struct ctl_facts facts = {.conf = c,
                              .stats = &d->stats,
                              .models = &d->models,
                              .tuning = &d->loop.tuning.on,
                              .tuning_planned = &d->loop.tuning.planned,
                              .started_ns = d->started_ns,
                              .exposition = &d->exposition};
    diffuse_err e = inflight_new(a, &size, &d->inflight);
    if (!e)
        e = stream_new(a, c->streams, &d->streams);
    if (!e)
        e = segments_new(a, c, &room->running, &d->running);
    if (!e)
        e = path_init(&d->path, a, c->max_message);
    if (!e)
        e = tuner_queue_new(a, c->tune_queue, room->max_length, &d->box);
    if (!e)
        e = tune_reply_new(a, &d->tune_replies);
    if (!e)
        e = tuner_init(&d->tuner, c, d->box, &d->background, &d->reload, room->max_length,
                       d->models.serving->root);
    if (!e && d->web)
        e = metrics_http_lay(d->web, a);
    facts.inflight = d->inflight;
    facts.streams = d->streams;
    d->exposition = (struct metrics){.conf = c,
                                     .stats = &d->stats,
                                     .models = &d->models,
                                     .tuning = &d->tune_replies->report,
                                     .tuning_planned = &d->loop.tuning.planned,
                                     .inflight = d->inflight,
                                     .stopping = &d->loop.stopping,
                                     .started_wall_ns = d->started_wall_ns};
    if (!e)
        e = ctl_init(&d->ctl, a, &facts);
    d->path.running = d->running;
    if (!e)
        (void)path_use(&d->path, d->models.serving, d->models.serving->model,
                       d->models.serving->plan.max_length);
    d->path.refuse_long = c->on_too_long == CONF_REFUSE;
    d->path.max_age_ns = c->max_age;
    d->answer = arena_alloc(a, room->answer_max);
    d->workers = arena_alloc(a, c->workers * sizeof *d->workers);
    return !e && (!d->answer || !d->workers) ? DIFFUSE_NOMEM : e;
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
    tuner_done(&d->tuner);
    tuner_queue_done(d->box);
    inflight_done(d->inflight);
    arena_done(&d->arena);
}

static diffuse_err start_workers(struct daemon *d, struct reason *why) {
    gemm_single_thread();
    diffuse_err e = d->conf.tune ? gemm_check(1, why) : DIFFUSE_OK;
    if (e)
        return e;
    for (size_t i = 0; i < d->conf.workers; i++) {
        struct worker *w = &d->workers[i];
        w->inflight = d->inflight;
        w->index = i;
        w->first = d->models.serving;
        w->max_samples = d->conf.batch_max;
        w->max_tokens = d->conf.batch_tokens;
        if (worker_start(w))
            return reason_set(why, DIFFUSE_IO,
                              "the system refuses compute thread %zu of %" PRIu64
                              ": set workers lower, or raise its limits (TasksMax=, ulimit -u, -v)",
                              i + 1, d->conf.workers);
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

static diffuse_err start_background(struct daemon *d, struct reason *why) {
    if (!d->reload.background)
        return DIFFUSE_OK;
    struct background_hooks hooks = {
        .user = &d->tuner, .slice = tuner_slice, .rebase = tuner_rebase};
    return background_start(&d->background, &d->reload, d->models.serving, &hooks, why);
}

static void stop_background(struct daemon *d) {
    background_stop(&d->background);
}

/* Before the doors stand: what listens by then is not theirs. */
static diffuse_err start_web(struct daemon *d, struct reason *why) {
    char where[WEBADDRESS_BYTES];
    diffuse_err e = d->web ? metrics_http_start(d->web, &d->conf, where, why) : DIFFUSE_OK;
    if (d->web && !e)
        log_line(&d->log, LOG_metrics, "metrics at http://%s/metrics", where);
    return e;
}

static void stop_web(struct daemon *d) {
    if (d->web)
        metrics_http_stop(d->web);
}

static diffuse_err start_sockets(struct daemon *d, struct reason *why) {
    struct sockets_limits limits = {plan_frame_max(&d->conf), CTL_REQUEST_BYTES, CTL_HWM};
    return sockets_open(&d->sockets, &d->conf, &limits, &d->log, &d->stats, why);
}

static void stop_sockets(struct daemon *d) {
    sockets_close(&d->sockets, (int)(d->loop.settings.now.stop_wait / 1000000u));
}

static struct confread_source args_source(const struct args *a) {
    return (struct confread_source){.path = a->config, .set = a->set, .n_sets = a->n_sets};
}

static void lay_loop(struct daemon *d) {
    struct loop *l = &d->loop;
    *l = (struct loop){.shared = {.conf = &d->conf,
                                  .in_force = &l->settings.now,
                                  .log = &d->log,
                                  .stats = &d->stats,
                                  .models = &d->models,
                                  .streams = d->streams,
                                  .inflight = d->inflight,
                                  .path = &d->path,
                                  .sockets = &d->sockets,
                                  .send = &l->send,
                                  .ctl = &d->ctl,
                                  .background = &d->background},
                       .exposition = &d->exposition,
                       .web = d->web,
                       .workers = d->workers,
                       .n_workers = d->conf.workers,
                       .settings = {.shared = &l->shared,
                                    .source = args_source(&d->args),
                                    .switcher = &l->switcher},
                       .answers = {.shared = &l->shared,
                                   .running = d->running,
                                   .tuning = &l->tuning,
                                   .buffer = d->answer,
                                   .cap = d->plan.room.answer_max},
                       .intake = {.shared = &l->shared,
                                  .tuning = &l->tuning,
                                  .answers = &l->answers,
                                  .access = &l->access},
                       .switcher = {.shared = &l->shared, .watch = &d->watch},
                       .tuning = {.shared = &l->shared, .box = d->box, .replies = d->tune_replies}};
}

/* Before the sockets stand: who can send feedback is heard. */
static diffuse_err start_tuning(struct daemon *d, struct reason *why) {
    (void)why;
    lay_loop(d);
    if (d->conf.tune)
        tuner_loop_begin(&d->loop.tuning);
    return DIFFUSE_OK;
}

/* Of the feedback that arrived, each counter that is not 0. */
static void log_feedback(struct daemon *d) {
    static const char begins[] = "feedback_";
    char line[LIMIT_REASON_BYTES];
    size_t used = 0;
    for (int i = 0; i < (int)STATS_N; i++) {
        const char *name = stats_name((enum stats_counter)i);
        uint64_t n = d->stats.counter[i];
        if (n == 0 || strncmp(name, begins, sizeof begins - 1) != 0 || used >= sizeof line)
            continue;
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s %" PRIu64, used ? ", " : "",
                                 name + sizeof begins - 1, n);
    }
    if (used > 0)
        log_line(&d->log, LOG_stopped, "feedback: %s", line);
}

static void stop_tuning(struct daemon *d) {
    background_stop(&d->background);
    tuner_end(&d->tuner);
    tuner_loop_refresh(&d->loop.tuning);
    log_feedback(d);
}

static diffuse_err start_loop(struct daemon *d, struct reason *why) {
    if (loop_init(&d->loop))
        return reason_set(why, DIFFUSE_IO, "no descriptor for signals");
    return DIFFUSE_OK;
}

static void stop_loop(struct daemon *d) {
    loop_done(&d->loop);
}

static diffuse_err start_guard(struct daemon *d, struct reason *why) {
    const struct conf *c = &d->conf;
    return c->seccomp && guard_offered() ? guard_close(conftcp_used(c), why) : DIFFUSE_OK;
}

/* Started from the top, stopped from the bottom; READY is said when all of them stand. */
static const struct {
    const char *name;
    diffuse_err (*start)(struct daemon *d, struct reason *why);
    void (*stop)(struct daemon *d);
} parts[] = {
    {"lock", start_lock, stop_nothing},       {"watch", start_watch, stop_watch},
    {"model", start_model, stop_model},       {"memory", start_memory, stop_memory},
    {"workers", start_workers, stop_workers}, {"background", start_background, stop_background},
    {"tuning", start_tuning, stop_tuning},    {"web", start_web, stop_web},
    {"sockets", start_sockets, stop_sockets}, {"loop", start_loop, stop_loop},
    {"guard", start_guard, stop_nothing},
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
    struct confread_source source = args_source(&d->args);
    if (confread_all(&d->conf, &source, print_line, NULL))
        return 1;
    d->log.level = (enum log_level)d->conf.log_level;
    d->log.journal =
        !d->args.foreground && (d->conf.log_target == CONF_LOG_JOURNAL ||
                                (d->conf.log_target == CONF_LOG_AUTO && log_under_systemd()));
    return 0;
}

static int plan_only(struct daemon *d) {
    struct reason why = {""};
    struct ckpt *ckpt = NULL;
    diffuse_err e =
        reload_open_first(&d->reload, &d->conf, measure_plan, d->resident, &ckpt, &d->plan, &why);
    char drop_in[256];
    cgroup_limit_drop_in(d->plan.budget, d->plan.total, drop_in, sizeof drop_in);
    if (d->plan.n > 0 && d->args.plan)
        plan_print(&d->plan);
    if (!e && d->conf.tune && d->reload.alone.text[0])
        fprintf(stderr, "diffused: tune = yes, but tuning will be off: %s\n", d->reload.alone.text);
    if (!e && d->args.memory_max)
        fputs(drop_in, stdout);
    fflush(stdout);
    ckpt_close(ckpt);
    return e ? fail(&why) : 0;
}

/* --- run --- */

static void compare_fence(struct daemon *d) {
    char limit[32], budget[32];
    uint64_t bytes;
    if (!cgroup_limit_limit(&bytes) || bytes >= d->plan.budget)
        return;
    plan_human(bytes, limit, sizeof limit);
    plan_human(d->plan.budget, budget, sizeof budget);
    log_line(&d->log, LOG_fence,
             "memory_budget is %s, and the control group's limit only %s: raise MemoryMax= (see "
             "diffused --memory-max), or lower memory_budget",
             budget, limit);
}

static void announce(struct daemon *d) {
    char plan[32], resident[32], status[256];
    const struct model *model = d->models.serving->model;
    plan_human(d->plan.total, plan, sizeof plan);
    plan_human(procmem_resident(), resident, sizeof resident);
    const struct engine_kind *kind = engine_kind(d->models.serving->engine);
    snprintf(status, sizeof status,
             "model %.12s ready: %" PRIu32 " labels, kernel %s, %s, plan %s, resident %s",
             model->id, model->config.labels, kind->kernel->name,
             engine_precision_name(kind->precision), plan, resident);
    log_line(&d->log, LOG_ready, "%s", status);
    if (!d->reload.background && d->conf.reload == CONF_RELOAD_AUTO)
        log_line(&d->log, LOG_reload_unavailable,
                 "reload is not offered%s: a second model does not fit memory_budget: %s",
                 d->conf.tune ? ", and tuning stays off" : "", d->reload.alone.text);
    compare_fence(d);
    struct reason whole = {""};
    if (d->conf.segments > 0 && segment_check(&model->config, &whole))
        log_line(&d->log, LOG_segments_unavailable, "running segments are not offered: %s",
                 whole.text);
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
        pages_drop();
        announce(d);
        loop_run(&d->loop);
    } else {
        log_line(&d->log, LOG_not_started, "not started: %s", why.text);
        notify_failed((int)e, why.text);
    }
    while (n > 0)
        parts[--n].stop(d);
    if (!e)
        log_line(&d->log, LOG_stopped,
                 "stopped: %" PRIu64 " labels and %" PRIu64 " refusals were sent",
                 d->stats.counter[STATS_labelled], d->stats.counter[STATS_refused]);
    return e ? 1 : 0;
}

int main(int argc, char **argv) {
    standard_begin();
    blas_env_settle(argv);
    pages_limits();
    guard_privileges();
    struct daemon *d = calloc(1, sizeof *d);
    if (!d)
        return 1;
    args_read(&d->args, argc, argv);
    log_init(&d->log);
    d->started_ns = clock_now();
    d->started_wall_ns = clock_wall();
    conf_init(&d->conf);
    int status = d->args.cpu && !d->args.config && !d->args.n_sets ? 0 : read_configuration(d);
    struct reason why = {""};
    if (status == 0 && d->conf.metrics[0] && metrics_http_load(&d->web, &why))
        status = fail(&why);
    pages_drop();
    d->resident = procmem_resident();
    if (status == 0 && d->args.print_config)
        print_configuration(&d->conf);
    if (status == 0 && d->args.check)
        status = check_start(&d->conf, d->resident, print_line, NULL) ? 0 : 1;
    if (status == 0 && d->args.check)
        printf("configuration ok\n");
    if (status == 0 && d->args.cpu && cpu_show(&d->conf, &why))
        status = fail(&why);
    bool shown = d->args.print_config || d->args.check || d->args.cpu;
    if (status == 0 && (d->args.plan || d->args.memory_max))
        status = plan_only(d);
    else if (status == 0 && !shown) {
        loop_block_signals();
        status = run(d);
    }
    metrics_http_done(d->web);
    free(d);
    return status;
}
