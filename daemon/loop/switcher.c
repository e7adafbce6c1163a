#include "daemon/loop/switcher.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/notify.h"

#define MS          1000000u
#define SAY_MS      50u /* from one try to tell the service manager to the next */
#define SHORT_ID    12  /* digits of an id in a line for a person */
#define EVENT(word) "$sys/" word, sizeof "$sys/" word - 1, word

/* --- words --------------------------------------------------------------- */

static void say_ready(struct switcher *t) {
    if (t->ready_owed && notify_reloaded(t->ready))
        t->ready_owed = false;
}

/* The service manager heard that a reload began. */
static void owe_ready(struct switcher *t, const char *line) {
    snprintf(t->ready, sizeof t->ready, "%.255s", line);
    t->ready_owed = true;
    say_ready(t);
}

static void reply(struct switcher *t, const struct ctl_answer *answer, diffuse_err e) {
    if (e)
        log_line(t->shared->log, LOG_internal, "a reply did not fit its buffer");
    else
        caller_reply(&t->caller, t->shared->sockets->control, answer->bytes, answer->len);
}

static void reply_error(struct switcher *t, diffuse_err err, const struct reason *why) {
    struct ctl_answer answer;
    if (!t->waits)
        return;
    t->waits = false;
    stats_add(t->shared->stats, STATS_requests_refused, 1);
    diffuse_err e = ctl_error(t->shared->ctl, t->caller_id, err, why, &answer);
    reply(t, &answer, e);
}

static void reply_model(struct switcher *t, uint64_t took_ns, const char *note) {
    struct ctl_answer answer;
    if (!t->waits)
        return;
    t->waits = false;
    stats_add(t->shared->stats, STATS_requests, 1);
    diffuse_err e = ctl_model(t->shared->ctl, t->caller_id, took_ns, note, &answer);
    reply(t, &answer, e);
}

/* A reload was refused, before or after it began. The service manager waits for a word when it sent
 * the signal. */
static void tell_refused(struct switcher *t, enum background_origin origin, const char *path,
                         diffuse_err err, const struct reason *why) {
    char *line = t->line;
    stats_add(t->shared->stats, STATS_reloads_refused, 1);
    snprintf(line, sizeof t->line, "reload of %.200s for %s refused: %s: %.300s; %.*s serves on",
             path, background_origin_word(origin), diffuse_errname(err), why->text, SHORT_ID,
             t->shared->models->serving->model->id);
    log_line(t->shared->log, LOG_reload_refused, "%s", line);
    send_event(t->shared->send, EVENT("reload-refused"), line);
}

static void refused(struct switcher *t, enum background_origin origin, const char *path,
                    diffuse_err err, const struct reason *why) {
    tell_refused(t, origin, path, err, why);
    if (origin != BACKGROUND_TUNER)
        owe_ready(t, t->line);
    reply_error(t, err, why);
}

/* --- a job begins -------------------------------------------------------- */

static diffuse_err begin(struct switcher *t, const char *path, enum background_origin origin,
                         struct reason *why) {
    diffuse_err e = background_load(t->shared->background, path, origin, why);
    if (e)
        return e;
    log_line(t->shared->log, LOG_reload_begun, "loading %s for %s", path,
             background_origin_word(origin));
    notify_reloading();
    return DIFFUSE_OK;
}

/* Nobody waits for the answer; when another one is under way, this one comes after it. */
static void begin_or_later(struct switcher *t, enum background_origin origin) {
    struct reason why = {""};
    diffuse_err e = begin(t, t->model, origin, &why);
    if (e == DIFFUSE_BUSY)
        t->later |= 1u << origin;
    else if (e)
        refused(t, origin, t->model, e, &why);
}

static void begin_later(struct switcher *t) {
    unsigned later = t->later;
    t->later = 0;
    for (unsigned origin = 0; later >> origin != 0; origin++) {
        if (later >> origin & 1u)
            begin_or_later(t, (enum background_origin)origin);
    }
}

void switcher_configure(struct switcher *t, const char *model, bool watched) {
    struct reason why = {""};
    t->model = model;
    if (t->watch->on && watched && strcmp(t->watch->path, model) == 0)
        return;
    watcher_stop(t->watch);
    if (watched && watcher_start(t->watch, model, WATCHER_SETTLE_NS, &why))
        log_line(t->shared->log, LOG_watch_failed, "%s; reload it by request", why.text);
}

void switcher_signal(struct switcher *t) {
    begin_or_later(t, BACKGROUND_SIGNAL);
}

void switcher_refuse(struct switcher *t, enum background_origin origin, const struct reason *why) {
    tell_refused(t, origin, t->model, DIFFUSE_INVAL, why);
    if (origin == BACKGROUND_SIGNAL) {
        notify_reloading();
        owe_ready(t, t->line);
    }
}

/* --- a job ends ---------------------------------------------------------- */

/* Tell the thread in the background, now or in a later turn. False: it was not to be told now. */
static bool settle(struct switcher *t, enum switcher_stage until) {
    bool told = background_settle(t->shared->background, t->shared->models->serving,
                                  t->shared->models->previous);
    t->stage = told ? SWITCHER_QUIET : until;
    return told;
}

/* The model that serves accepts from now on. */
static void accept_with_it(struct switcher *t) {
    char line[LIMIT_REASON_BYTES];
    size_t closed =
        path_use(t->shared->path, t->shared->models->serving, t->shared->models->serving->model,
                 t->shared->models->serving->plan.max_length);
    log_model(t->shared->log, t->shared->models->serving->model->id);
    t->shared->stats->serving_since_ns = clock_wall();
    if (closed == 0)
        return;
    stats_add(t->shared->stats, STATS_segments_closed, closed);
    snprintf(line, sizeof line,
             "%zu running segments closed: another model serves; each begins anew with its next "
             "piece",
             closed);
    log_line(t->shared->log, LOG_segments_closed, "%s", line);
    send_event(t->shared->send, EVENT("segment-closed"), line);
}

static void begin_to_serve(struct switcher *t, struct loaded_model *slot,
                           enum background_origin origin) {
    const struct loaded_model *before = t->shared->models->serving;
    if (origin == BACKGROUND_TUNER && strcmp(slot->model->parent, before->model->id) == 0)
        memcpy(slot->root, before->root, sizeof slot->root);
    loaded_pair_swap(t->shared->models, slot);
    accept_with_it(t);
}

static void tell_loaded(struct switcher *t, const struct background_result *r) {
    char line[2 * LIMIT_REASON_BYTES];
    uint64_t took = clock_now() - r->asked_ns;
    const struct loaded_pair *m = t->shared->models;
    stats_add(t->shared->stats, STATS_reloads, 1);
    snprintf(line, sizeof line,
             "%.*s (%.200s) serves for %s, in place of %.*s; %" PRIu64 " ms, of them %" PRIu64
             " to verify and %" PRIu64 " to load%s%s",
             SHORT_ID, m->serving->model->id, r->path, background_origin_word(r->origin), SHORT_ID,
             m->previous->model->id, took / MS, r->report.verify_ns / MS, r->report.load_ns / MS,
             r->report.note[0] ? "; " : "", r->report.note);
    log_line(t->shared->log, LOG_reloaded, "%s", line);
    send_event(t->shared->send, EVENT("reloaded"), line);
    if (r->origin != BACKGROUND_TUNER)
        owe_ready(t, line);
    reply_model(t, took, r->report.note);
}

static void tell_same(struct switcher *t, const struct background_result *r) {
    char line[LIMIT_REASON_BYTES];
    snprintf(line, sizeof line, "%.200s, looked at for %s: %s", r->path,
             background_origin_word(r->origin), r->report.note);
    log_line(t->shared->log, LOG_reload_same, "%s", line);
    if (r->origin != BACKGROUND_TUNER)
        owe_ready(t, line);
    reply_model(t, clock_now() - r->asked_ns, r->report.note);
}

static diffuse_err go_back(struct switcher *t, struct reason *why) {
    diffuse_err e = loaded_pair_rollback(t->shared->models, why);
    if (!e)
        accept_with_it(t);
    return e;
}

static void tell_back(struct switcher *t, const char *whose) {
    char line[2 * LIMIT_REASON_BYTES];
    const struct loaded_pair *m = t->shared->models;
    stats_add(t->shared->stats, STATS_rollbacks, 1);
    snprintf(line, sizeof line, "%.*s (%.200s) serves again, in place of %.*s: %.300s", SHORT_ID,
             m->serving->model->id, m->serving->path, SHORT_ID, m->previous->model->id, whose);
    log_line(t->shared->log, LOG_rolled_back, "%s", line);
    send_event(t->shared->send, EVENT("rolled-back"), line);
}

static void tell_end(struct switcher *t, const struct background_result *r) {
    if (r->word == BACKGROUND_LOADED)
        tell_loaded(t, r);
    else if (r->word == BACKGROUND_SAME)
        tell_same(t, r);
    else if (r->word == BACKGROUND_REFUSED)
        refused(t, r->origin, r->path, r->error, &r->why);
    else if (!r->error)
        tell_back(t, r->why.text);
    else
        log_line(t->shared->log, LOG_rollback_refused,
                 "there is no model to go back to, as was asked for: %s", r->why.text);
}

/* What changes is changed at once; it is told when the thread in the background can begin another
 * job. */
static void take_word(struct switcher *t) {
    enum background_word word = background_take(t->shared->background, &t->end);
    if (word == BACKGROUND_NOTHING)
        return;
    t->stage = word == BACKGROUND_WANTS_SLOT ? SWITCHER_LENDS : SWITCHER_ENDS;
    if (word == BACKGROUND_LOADED)
        begin_to_serve(t, t->end.slot, t->end.origin);
    if (word == BACKGROUND_WANTS_ROLLBACK)
        t->end.error = go_back(t, NULL);
}

static void lend(struct switcher *t) {
    if (!t->lent)
        t->lent = loaded_pair_lend(t->shared->models);
    if (!t->lent || !background_grant(t->shared->background, t->lent))
        return;
    t->stage = SWITCHER_QUIET;
    t->lent = NULL;
}

/* What the stage asks for. */
static void go_on(struct switcher *t) {
    switch (t->stage) {
    case SWITCHER_QUIET:
        break;
    case SWITCHER_LENDS:
        lend(t);
        break;
    case SWITCHER_SETTLES:
        (void)settle(t, SWITCHER_SETTLES);
        break;
    case SWITCHER_ENDS:
        if (!settle(t, SWITCHER_ENDS))
            break;
        tell_end(t, &t->end);
        begin_later(t);
        break;
    }
}

/* --- from control -------------------------------------------------------- */

static diffuse_err roll_back(struct switcher *t, struct reason *why) {
    diffuse_err e = background_hold(t->shared->background, why);
    if (e)
        return e;
    e = go_back(t, why);
    (void)settle(t, SWITCHER_SETTLES);
    if (!e)
        tell_back(t, "a request");
    return e;
}

bool switcher_request(struct switcher *t, const struct caller *caller, struct ctl_answer *answer) {
    struct reason why = {""};
    uint64_t began = clock_now();
    uint64_t id = answer->id;
    diffuse_err e;
    if (answer->verb == CTL_RELOAD) {
        const char *path = answer->path[0] ? answer->path : t->model;
        e = begin(t, path, BACKGROUND_CONTROL, &why);
        if (!e) {
            t->waits = true;
            t->caller = *caller;
            t->caller_id = id;
            return false;
        }
        tell_refused(t, BACKGROUND_CONTROL, path, e, &why);
    } else if ((e = roll_back(t, &why))) {
        log_line(t->shared->log, LOG_rollback_refused, "a rollback for a request refused: %s: %s",
                 diffuse_errname(e), why.text);
    }
    diffuse_err failed = e ? ctl_error(t->shared->ctl, id, e, &why, answer)
                           : ctl_model(t->shared->ctl, id, clock_now() - began, "", answer);
    if (failed)
        log_line(t->shared->log, LOG_internal, "a reply did not fit its buffer");
    return !failed;
}

/* --- the loop ------------------------------------------------------------ */

void switcher_turn(struct switcher *t, uint64_t now_ns) {
    take_word(t);
    go_on(t);
    if (watcher_turn(t->watch, now_ns))
        begin_or_later(t, BACKGROUND_WATCH);
    if (t->ready_owed && now_ns - t->said_ns >= (uint64_t)SAY_MS * MS) {
        t->said_ns = now_ns;
        say_ready(t);
    }
}

long switcher_wait(const struct switcher *t, uint64_t now_ns, long ms) {
    if (background_said(t->shared->background) || t->lent || t->stage >= SWITCHER_SETTLES)
        return 1;
    uint64_t wait = watcher_wait(t->watch, now_ns) / MS;
    return wait < (uint64_t)ms ? (long)wait + 1 : ms;
}

void switcher_stop(struct switcher *t) {
    reply_error(t, DIFFUSE_STOPPING, &(struct reason){""});
}
