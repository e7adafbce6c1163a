/* tuner.c - see tuner.h: what is done in a slice, and when what serves has changed. */
#include "daemon/learn/tuner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/common/clock.h"
#include "daemon/learn/tuner_state.h"

#define MS        1000000u
#define BURST     64u   /* pieces of feedback taken in one slice */
#define SAY_EVERY 1000u /* times that the same went wrong */

/* --- reports --- */

static void publish(struct tuner *t) {
    struct tuner_queue_report *r = &t->report;
    r->planned = t->cost;
    r->on = t->on;
    memcpy(r->root, t->root, sizeof r->root);
    bool tuned = t->serving && strcmp(t->serving->model->id, t->root) != 0;
    r->promotions = tuned && t->lineage.dir[0] ? t->lineage.last : 0; /* of what serves */
    if (t->on) {
        tune_report(t->tune, &r->tune);
        r->journal_bytes = journal_bytes(t->journal);
        r->forgotten = t->forgotten + journal_dropped(t->journal);
        r->n_streams = tune_streams(t->tune, r->stream, TUNER_QUEUE_STREAMS);
        if (r->n_streams > TUNER_QUEUE_STREAMS)
            r->n_streams = TUNER_QUEUE_STREAMS;
    }
    tuner_queue_publish(t->box, r);
}

static void answer(struct tuner *t, enum tuner_queue_order order, diffuse_err e,
                   const struct reason *why) {
    struct tuner_queue_answer a = {.order = order, .error = e, .retain = t->retain};
    if (e)
        a.why = *why;
    publish(t); /* before: who got the answer may ask at once */
    a.report = t->report;
    tuner_queue_answer(t->box, &a);
}

/* --- feedback --- */

static void tell(struct tuner *t, const struct tuner_queue_item *item,
                 const struct tune_note *note) {
    if (note->place == TUNE_DISTRUSTED)
        t->report.distrusted++;
    if (note->distrusted_now)
        tuner_queue_say(
            t->box, "distrusted", true,
            "stream '%s' contradicts the model where that is sure: its feedback is counted, "
            "and not learned from",
            item->stream);
    if (note->drift) {
        t->report.drifts++;
        tuner_queue_say(
            t->box, "drift", false,
            "the error rate on feedback has changed; %.1f %% of the latest %zu were right",
            100 * t->report.tune.recent, t->report.tune.recent_rows);
    }
}

/* Learned from only when it is in the journal: what was accepted is not lost. */
static void take_item(struct tuner *t, bool *ret_hurt) {
    struct tuner_queue_item *item = &t->item;
    struct reason why = {""};
    if (strcmp(item->root, t->root) != 0) { /* its token ids mean nothing here */
        if (t->report.outdated++ % SAY_EVERY == 0)
            tuner_queue_say(
                t->box, "feedback-refused", true,
                "feedback is of a text that a model of another root read (%.12s); %.12s "
                "serves now: send it again with its text",
                item->root, t->root);
        return;
    }
    if (tune_label(t->tune, item->label, &item->row.label_id)) {
        if (t->report.unknown_labels++ % SAY_EVERY == 0)
            tuner_queue_say(t->box, "feedback-refused", true,
                            "label '%s' is none of the model's, and tune_new_labels allows no more",
                            item->label);
        return;
    }
    if (journal_append(t->journal, &item->row, &why)) {
        if (t->report.unjournaled++ % SAY_EVERY == 0)
            tuner_queue_say(t->box, "tune-journal", true, "feedback not accepted: %s", why.text);
        return;
    }
    t->unsynced = true;
    t->report.journaled++;
    struct tune_note note = tune_hear(t->tune, &item->row);
    tune_report(t->tune, &t->report.tune);
    tell(t, item, &note);
    *ret_hurt |= note.hurt;
}

/* All that waits is in the journal: the loop gives no more. */
static void take_rest(struct tuner *t) {
    bool hurt = false;
    while (t->on && tuner_queue_take(t->box, &t->item))
        take_item(t, &hurt);
}

/* Tuning went off by itself, and the loop has not heard of it yet. */
static void leave_rest(struct tuner *t) {
    uint64_t before = t->report.untaken;
    while (tuner_queue_take(t->box, &t->item))
        t->report.untaken++;
    if (t->report.untaken == before)
        return;
    tuner_queue_say(t->box, "feedback-refused", true,
                    "%" PRIu64 " pieces of feedback not taken: tuning is off",
                    t->report.untaken - before);
    publish(t);
}

static void sync_journal(struct tuner *t, uint64_t now) {
    struct reason why = {""};
    if (!t->unsynced || now - t->synced_ns < t->conf->tune_sync)
        return;
    t->synced_ns = now;
    t->unsynced = journal_sync(t->journal, &why) != DIFFUSE_OK; /* then it is tried again */
    if (t->unsynced)
        tuner_queue_say(t->box, "tune-journal", true, "%s", why.text);
}

/* --- promotions --- */

/* What the lineage says shall serve: the newest promotion that counts, or the root. */
static void ask_for_turn(struct tuner *t) {
    char path[LINEAGE_PATH_BYTES];
    lineage_path(&t->lineage, t->lineage.last, path);
    const char *rightful = path[0] ? path : t->conf->model;
    diffuse_err e =
        t->previous && strcmp(t->previous->path, rightful) == 0
            ? background_request_rollback(t->background, "the tuner withdrew a promotion")
            : background_request_load(t->background, rightful);
    t->turn = e ? TUNER_WANTS : TUNER_ASKED;
}

static void promote(struct tuner *t) {
    struct reason why = {""};
    struct model *candidate = NULL;
    const struct ckpt_types types = ckpt_types_like(t->serving->model->weights);
    diffuse_err e = tune_candidate(t->tune, &candidate, &why);
    if (!e)
        e = journal_sync(t->journal, &why);
    if (!e)
        e = lineage_promote(&t->lineage, candidate, &types, &why);
    if (e) {
        tuner_queue_say(t->box, "tune-refused", true, "not promoted: %s", why.text);
        return;
    }
    t->promoting = true;
    ask_for_turn(t);
}

static void judge(struct tuner *t) {
    struct tune_judgement *j = &t->report.judged;
    tune_judge(t->tune, j);
    if (j->passes) {
        promote(t);
        return;
    }
    t->report.refused++;
    tuner_queue_say(t->box, "tune-refused", false, "%s", j->verdict);
}

/* The newest promotion shall not count any more, wherever that stands. */
static void withdraw(struct tuner *t) {
    struct reason why = {""};
    if (lineage_withdraw(&t->lineage, &why))
        tuner_queue_say(t->box, "tune-refused", true, "%s", why.text);
    else
        t->report.withdrawn++;
}

/* Withdrawn before it is undone, so that no restart brings it back. */
static void undo(struct tuner *t) {
    tuner_queue_say(t->box, "tune-hurt", true,
                    "live feedback says that the last promotion hurt: the model before it returns");
    withdraw(t);
    ask_for_turn(t);
}

/* --- orders --- */

static void reset(struct tuner *t) {
    struct reason why = {""};
    diffuse_err e = tuner_state_lineage(t, &why);
    bool tuned = !e && strcmp(t->serving->model->id, t->root) != 0;
    if (!e)
        e = lineage_withdraw_all(&t->lineage, &why);
    if (!e && t->on) {
        tune_reset(t->tune);
        e = journal_clear(t->journal, &why);
        t->report.judged = (struct tune_judgement){0};
    }
    if (!e && tuned)
        ask_for_turn(t);
    answer(t, TUNER_QUEUE_RESET, e, &why);
}

static void obey(struct tuner *t, enum tuner_queue_order order) {
    struct reason why = {""};
    diffuse_err e = DIFFUSE_OK;
    switch (order) {
    case TUNER_QUEUE_ON:
        if (!t->on)
            e = tuner_state_open(t, &why);
        answer(t, order, e, &why);
        break;
    case TUNER_QUEUE_OFF:
        take_rest(t);
        tuner_state_close(t);
        answer(t, order, e, &why);
        break;
    case TUNER_QUEUE_RESET:
        reset(t);
        break;
    case TUNER_QUEUE_SAVE:
        t->saving = t->on;
        if (!t->on)
            answer(t, order, reason_set(&why, DIFFUSE_UNSUPPORTED, "tuning is off"), &why);
        break;
    case TUNER_QUEUE_NOTHING:
        break;
    }
}

/* --- the hooks --- */

static uint64_t cpu_ns(void) {
    struct timespec s;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &s);
    return (uint64_t)s.tv_sec * 1000000000u + (uint64_t)s.tv_nsec;
}

/* The slice's CPU time is paid back with rest, so that tuning takes tune_cpu percent of a core. */
static void rest(struct tuner *t, uint64_t used) {
    uint64_t percent = t->conf->tune_cpu;
    t->rest_until = clock_now() + used * (100 - percent) / percent;
}

/* The order to save is over. */
static void end_saving(struct tuner *t, diffuse_err e, const char *what) {
    struct reason why = {""};
    if (!t->saving)
        return;
    t->saving = false;
    (void)reason_set(&why, e, "%s", what);
    answer(t, TUNER_QUEUE_SAVE, e, &why);
}

/* No slice runs while a load is under way: one that was asked for is over, and it was refused. The
 * file of a promotion shall not serve after a restart then. */
static void note_refusal(struct tuner *t) {
    if (t->turn != TUNER_ASKED)
        return;
    t->turn = TUNER_SETTLED;
    if (t->promoting)
        withdraw(t);
    t->promoting = false;
    tuner_queue_say(t->box, "tune-refused", true,
                    "what should serve was not loaded; %.12s serves on", t->serving->model->id);
    end_saving(t, DIFFUSE_IO, "what was promoted could not be loaded; the log says why");
}

/* True when something was learned or judged. */
static bool learn(struct tuner *t) {
    if (tune_step(t->tune))
        return true;
    if (!tune_ripe(t->tune) && !t->saving)
        return false;
    judge(t);
    if (!t->promoting)
        end_saving(t, DIFFUSE_OK, "");
    return true;
}

static uint32_t ms_until(uint64_t then, uint64_t now) {
    return then > now ? (uint32_t)((then - now) / MS) + 1 : 0;
}

/* While there is feedback in the page cache only, it is looked at again. */
static uint32_t idle(const struct tuner *t, uint64_t now) {
    return t->unsynced ? ms_until(t->synced_ns + t->conf->tune_sync, now) : BACKGROUND_SLEEP;
}

uint32_t tuner_slice(void *user) {
    struct tuner *t = user;
    uint64_t began = cpu_ns();
    bool hurt = false;
    unsigned taken = 0;
    note_refusal(t);
    if (t->turn == TUNER_WANTS)
        ask_for_turn(t);
    if (t->turn != TUNER_SETTLED)
        return BACKGROUND_SLEEP; /* a load or a rebase comes first */
    if (!t->saving)
        obey(t, tuner_queue_ordered(t->box));
    if (!t->on) {
        leave_rest(t);
        return BACKGROUND_SLEEP;
    }
    while (taken < BURST && tuner_queue_take(t->box, &t->item)) {
        take_item(t, &hurt);
        taken++;
    }
    uint64_t now = clock_now();
    sync_journal(t, now);
    if (hurt) {
        undo(t);
        publish(t);
        return 0;
    }
    bool resting = now < t->rest_until && !t->saving;
    bool stands_back =
        !resting && !t->saving && t->conf->tune_cpu < 100; /* else somebody waits for it */
    if (stands_back)
        background_stand_back(t->background, true);
    bool learned = !resting && learn(t);
    if (stands_back)
        background_stand_back(t->background, false);
    if (taken > 0 || learned)
        publish(t);
    if (learned)
        rest(t, cpu_ns() - began);
    if (taken == BURST)
        return 0;
    now = clock_now();
    if (learned || resting)
        return t->saving ? 0 : ms_until(t->rest_until, now);
    return idle(t, now);
}

/* What serves is a promotion of ours, the one before it, or the root. */
static void follow(struct tuner *t, bool promoted) {
    struct reason why = {""};
    const struct model *previous = promoted && t->previous ? t->previous->model : NULL;
    if (promoted) {
        t->report.promoted++;
        if (t->on && journal_mark(t->journal, &why))
            tuner_queue_say(t->box, "tune-journal", true, "%s", why.text);
        tuner_queue_say(t->box, "tune-promoted", false, "%.12s, tuned from %.12s: %s",
                        t->serving->model->id, t->serving->model->parent, t->report.judged.verdict);
    } else {
        tuner_state_follow(t);
    }
    if (t->on && tune_rebase(t->tune, t->serving->model, previous, &why)) {
        tuner_queue_say(t->box, "tune-refused", true, "tuning begins anew: %s", why.text);
        tuner_state_reopen(t);
    }
}

void tuner_end(struct tuner *t) {
    if (!t->conf)
        return;
    take_rest(t);
    leave_rest(t);
    publish(t);
    tuner_state_close(t);
}

void tuner_rebase(void *user, const struct loaded_model *serving,
                  const struct loaded_model *previous) {
    struct tuner *t = user;
    char path[LINEAGE_PATH_BYTES] = "";
    bool first = !t->serving, moved = !first && strcmp(t->served, serving->model->id) != 0;
    t->serving = serving;
    t->previous = previous;
    memcpy(t->served, serving->model->id, sizeof t->served);
    if (first)
        return;
    if (t->lineage.dir[0])
        lineage_path(&t->lineage, t->lineage.last, path);
    bool promoted = t->promoting && moved && strcmp(path, serving->path) == 0;
    if (moved) {
        t->turn = TUNER_SETTLED;
        t->promoting = false;
    }
    if (tuner_state_is_ours(t, serving))
        follow(t, promoted);
    else
        tuner_state_new_root(t, serving->model->id);
    if (promoted)
        end_saving(t, DIFFUSE_OK, "");
    else if (moved)
        end_saving(t, DIFFUSE_BUSY, "another model came to serve meanwhile; save again");
    publish(t);
}
