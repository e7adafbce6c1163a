#include "daemon/loop/tuner_loop.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static const char *serving_root(const struct tuner_loop *t) {
    return t->shared->models->serving->root;
}

/* --- feedback --- */

/* Token ids mean nothing to a model of another vocabulary. */
static void follow_root(struct tuner_loop *t) {
    if (!t->retain || strcmp(t->root, serving_root(t)) == 0)
        return;
    recent_clear(t->retain);
    snprintf(t->root, sizeof t->root, "%s", serving_root(t));
}

enum feedback_fate tuner_loop_feedback(struct tuner_loop *t, const struct path_feedback *said,
                                       const struct inflight_sample *slot) {
    follow_root(t);
    struct feedback_facts facts = {.model = t->shared->models->serving->model,
                                   .root = serving_root(t),
                                   .retain = t->retain,
                                   .streams = t->shared->streams,
                                   .box = t->box,
                                   .growing = t->shared->conf->tune_new_labels > 0};
    enum feedback_fate fate = feedback_take(&facts, said, slot);
    stats_add(t->shared->stats, feedback_counter(fate), 1);
    if (fate == FEEDBACK_GIVEN)
        background_wake(t->shared->background);
    else
        log_input(t->shared->log, LOG_feedback_refused, DIFFUSE_OK, slot->stream, slot->stream_len,
                  slot->seq, "feedback %s", feedback_words(fate));
    return fate;
}

void tuner_loop_answered(struct tuner_loop *t, const struct inflight_sample *s) {
    follow_root(t);
    if (t->retain && !s->error && strcmp(s->serving->root, t->root) == 0)
        recent_keep(t->retain, s);
}

/* --- orders --- */

static void send_reply(struct tuner_loop *t, const struct caller *caller, const void *bytes,
                       size_t len, diffuse_err e) {
    if (e)
        log_line(t->shared->log, LOG_internal, "a reply did not fit its buffer");
    else
        caller_reply(caller, t->shared->sockets->control, bytes, len);
}

static diffuse_err make_report(struct tuner_loop *t, uint64_t id, const void **ret_bytes,
                               size_t *ret_len) {
    return tune_reply_make(t->replies, id, t->shared->models->serving->model->id,
                           t->shared->conf->state_dir, ret_bytes, ret_len);
}

static void reply_error(struct tuner_loop *t, diffuse_err err, const struct reason *why) {
    struct ctl_answer answer;
    diffuse_err e = ctl_error(t->shared->ctl, t->caller_id, err, why, &answer);
    t->waits = false;
    stats_add(t->shared->stats, STATS_requests_refused, 1);
    send_reply(t, &t->caller, answer.bytes, answer.len, e);
}

static void reply_report(struct tuner_loop *t, const struct tuner_queue_report *report) {
    const void *bytes = NULL;
    size_t len = 0;
    t->replies->report = *report;
    diffuse_err e = make_report(t, t->caller_id, &bytes, &len);
    t->waits = false;
    stats_add(t->shared->stats, STATS_requests, 1);
    send_reply(t, &t->caller, bytes, len, e);
}

static diffuse_err order(struct tuner_loop *t, enum tuner_queue_order what, struct reason *why) {
    if (background_fd(t->shared->background) < 0)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "tuning needs room for a second model: set reload = yes, and "
                          "memory_budget as high as that takes");
    if (t->off_owed || tuner_queue_order(t->box, what))
        return reason_set(why, DIFFUSE_BUSY, "another order to the tuner is being carried out");
    if (what == TUNER_QUEUE_OFF)
        t->retain = NULL; /* the tuner frees it */
    background_wake(t->shared->background);
    return DIFFUSE_OK;
}

bool tuner_loop_request(struct tuner_loop *t, const struct caller *caller, uint64_t id, int action,
                        const void **ret_bytes, size_t *ret_len) {
    static const enum tuner_queue_order orders[] = {TUNER_QUEUE_NOTHING, TUNER_QUEUE_ON,
                                                    TUNER_QUEUE_OFF, TUNER_QUEUE_RESET,
                                                    TUNER_QUEUE_SAVE}; /* as TuneRequest */
    enum tuner_queue_order what = orders[action];
    struct reason why = {""};
    struct ctl_answer answer;
    tuner_queue_report(t->box, &t->replies->report);
    diffuse_err e =
        what == TUNER_QUEUE_NOTHING ? make_report(t, id, ret_bytes, ret_len) : order(t, what, &why);
    if (!e && what == TUNER_QUEUE_NOTHING) {
        stats_add(t->shared->stats, STATS_requests, 1);
        return true;
    }
    if (!e) {
        t->waits = true;
        t->caller = *caller;
        t->caller_id = id;
        return false;
    }
    stats_add(t->shared->stats, STATS_requests_refused, 1);
    if (ctl_error(t->shared->ctl, id, e, &why, &answer))
        return false;
    *ret_bytes = answer.bytes;
    *ret_len = answer.len;
    return true;
}

/* --- what the tuner says --- */

static void take_answer(struct tuner_loop *t, const struct tuner_queue_answer *a) {
    static const char *const words[] = {[TUNER_QUEUE_ON] = "on",
                                        [TUNER_QUEUE_OFF] = "off",
                                        [TUNER_QUEUE_RESET] = "reset",
                                        [TUNER_QUEUE_SAVE] = "save"};
    if (a->order == TUNER_QUEUE_ON && !a->error) {
        t->retain = a->retain;
        snprintf(t->root, sizeof t->root, "%s", serving_root(t));
    }
    t->replies->report = a->report; /* newer than what was read before */
    if (a->error)
        log_line(t->shared->log, LOG_tune_order_refused, "tune %s refused: %s: %s", words[a->order],
                 diffuse_errname(a->error), a->why.text);
    else
        log_line(t->shared->log, LOG_tune_order, "tune %s", words[a->order]);
    if (!t->waits)
        return;
    if (a->error)
        reply_error(t, a->error, &a->why);
    else
        reply_report(t, &a->report);
}

void tuner_loop_begin(struct tuner_loop *t) {
    struct reason why = {""};
    struct tuner_queue_answer answer;
    struct pollfd item = {.fd = tuner_queue_fd(t->box), .events = POLLIN};
    if (order(t, TUNER_QUEUE_ON, &why)) {
        log_line(t->shared->log, LOG_tune_order_refused, "tuning stays off: %s", why.text);
        return;
    }
    while (!tuner_queue_answered(t->box, &answer)) {
        (void)poll(&item, 1, -1);
        tuner_queue_acknowledge(t->box);
    }
    take_answer(t, &answer); /* the events that came with it are told by tuner_loop_turn */
}

/* Tuning goes off by itself: the loop lets go of the samples that were kept, and says so. */
static void look_whether_on(struct tuner_loop *t) {
    struct tuner_queue_report *r = &t->replies->report;
    tuner_queue_report(t->box, r);
    if (t->retain && !r->on)
        t->off_owed = true;
    if (!t->off_owed)
        return;
    t->retain = NULL;
    if (tuner_queue_order(t->box, TUNER_QUEUE_OFF))
        return; /* another order first */
    t->off_owed = false;
    background_wake(t->shared->background);
}

static void tell(struct tuner_loop *t, const struct tuner_queue_event *e) {
    char topic[sizeof "$sys/" + TUNER_QUEUE_KIND_BYTES];
    int len = snprintf(topic, sizeof topic, "$sys/%s", e->kind);
    log_named(t->shared->log, e->kind, e->warning, e->text);
    send_event(t->shared->send, topic, (size_t)len, e->kind, e->text);
}

void tuner_loop_turn(struct tuner_loop *t) {
    struct tuner_queue_answer answer;
    struct tuner_queue_event event;
    if (!tuner_queue_said(t->box) && !t->off_owed)
        return;
    if (tuner_queue_answered(t->box, &answer))
        take_answer(t, &answer);
    while (tuner_queue_heard(t->box, &event))
        tell(t, &event);
    look_whether_on(t);
}

void tuner_loop_refresh(struct tuner_loop *t) {
    struct tuner_queue_report *r = &t->replies->report;
    uint64_t *counter = t->shared->stats->counter;
    tuner_queue_report(t->box, r);
    t->on = r->on;
    t->planned = r->planned;
    counter[STATS_feedback_accepted] = r->journaled;
    counter[STATS_feedback_forgotten] = r->forgotten;
    counter[STATS_feedback_unjournaled] = r->unjournaled;
    counter[STATS_feedback_unlabelled] = r->unknown_labels;
    counter[STATS_feedback_outdated] = r->outdated;
    counter[STATS_feedback_untaken] = r->untaken;
    counter[STATS_feedback_damaged] = r->damaged;
    counter[STATS_feedback_distrusted] = r->distrusted;
    counter[STATS_promotions] = r->promoted;
    counter[STATS_promotions_refused] = r->refused;
    counter[STATS_promotions_withdrawn] = r->withdrawn;
    counter[STATS_drifts] = r->drifts;
}

void tuner_loop_stop(struct tuner_loop *t) {
    struct reason why = {""};
    if (t->waits)
        reply_error(t, DIFFUSE_STOPPING, &why);
}
