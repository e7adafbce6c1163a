#include "daemon/learn/tuner_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/budget/plan.h"
#include "model/tune/journal/roots.h"
#include "model/tune/rehearse_file.h"

#include "keys/keyfile.h"

/* --- what it costs --- */

static void options_of(const struct conf *c, size_t max_length, struct tune_options *o) {
    tune_options_init(o);
    if (c->tune_parts != CONF_PARTS_AUTO)
        o->parts = (enum tune_parts)(c->tune_parts - CONF_PARTS_HEAD);
    o->rows = c->tune_rows;
    o->held = c->tune_held;
    o->rehearsal = c->tune_rehearsal;
    o->max_length = max_length;
    o->streams = c->streams < 1024 ? c->streams : 1024;
    o->new_labels = (uint32_t)c->tune_new_labels;
}

#define FILES_BYTES (512u * 1024) /* of the open journal, and of a checkpoint being written */

static size_t window_bytes(const struct conf *c, size_t max_length) {
    return recent_bytes(c->tune_window, max_length);
}

uint64_t tuner_bytes(const struct conf *conf, const struct net_config *c, size_t max_length) {
    struct tune_options o;
    options_of(conf, max_length, &o);
    return tune_bytes(c, &o) + window_bytes(conf, max_length) + FILES_BYTES;
}

static diffuse_err check_budget(struct tuner *t, struct reason *why) {
    const struct plan *p = &t->serving->plan;
    char cost[32], plan[32], budget[32];
    t->cost = tuner_bytes(t->conf, &t->serving->model->config, p->max_length);
    uint64_t others = p->total - plan_bytes(p, "tuning"); /* it may be planned already */
    if (others + t->cost <= p->budget)
        return DIFFUSE_OK;
    plan_human(t->cost, cost, sizeof cost);
    plan_human(others, plan, sizeof plan);
    plan_human(p->budget, budget, sizeof budget);
    return reason_set(
        why, DIFFUSE_BUDGET,
        "tuning takes %s (its row 'tuning'), the plan without it %s of memory_budget %s; "
        "lower tune_rows, tune_window or tune_parts, or set memory_budget to %" PRIu64 "M",
        cost, plan, budget, (others + t->cost + (1u << 20) - 1) >> 20);
}

/* --- the state folder --- */

#define OTHER_ROOTS 2 /* whose folders are kept */

static void journal_path(const struct tuner *t, char path[LINEAGE_PATH_BYTES]) {
    snprintf(path, LINEAGE_PATH_BYTES, "%.480s/feedback.journal", t->lineage.dir);
}

/* Models that serve come from there. */
static diffuse_err check_state_dir(const struct conf *conf, struct reason *why) {
    struct reason inner = {""};
    diffuse_err e = keyfile_check_folder(conf->state_dir, &inner);
    return e ? reason_set(why, DIFFUSE_IO, "state_dir: %.480s", inner.text) : DIFFUSE_OK;
}

static diffuse_err lock_folder(struct tuner *t, struct reason *why) {
    char path[LINEAGE_PATH_BYTES];
    diffuse_err e;
    snprintf(path, sizeof path, "%.400s/lock", t->conf->state_dir);
    (void)mkdir(t->conf->state_dir, 0700);
    if ((e = check_state_dir(t->conf, why)))
        return e;
    t->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (t->lock < 0)
        return reason_set(why, DIFFUSE_IO, "%s: %s; make state_dir writable", path,
                          strerror(errno));
    if (flock(t->lock, LOCK_EX | LOCK_NB) == 0)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BUSY,
                      "%s: another daemon tunes there; give each its own state_dir", path);
}

diffuse_err tuner_state_lineage(struct tuner *t, struct reason *why) {
    struct lineage_found found = {0};
    char dir[LINEAGE_PATH_BYTES];
    if (t->lineage.dir[0])
        return DIFFUSE_OK;
    roots_dir(t->conf->state_dir, t->root, dir);
    diffuse_err e =
        lineage_open(&t->lineage, dir, t->root, (uint32_t)t->conf->tune_keep, &found, why);
    if (e)
        t->lineage.dir[0] = '\0';
    return e;
}

diffuse_err tuner_find(const struct conf *conf, const char *root, char ret_path[LINEAGE_PATH_BYTES],
                       struct lineage_found *ret_found, struct reason *why) {
    char dir[LINEAGE_PATH_BYTES];
    struct lineage l;
    struct stat st;
    ret_path[0] = '\0';
    *ret_found = (struct lineage_found){0};
    roots_dir(conf->state_dir, root, dir);
    if (stat(dir, &st) != 0)
        return DIFFUSE_OK; /* nothing was ever tuned from this one */
    diffuse_err e = check_state_dir(conf, why);
    if (!e)
        e = lineage_open(&l, dir, root, (uint32_t)conf->tune_keep, ret_found, why);
    if (!e)
        lineage_path(&l, l.last, ret_path);
    return e;
}

/* --- on and off --- */

static void hear_again(void *user, const struct feedback_row *row, bool trained) {
    struct tuner *t = user;
    char label[LIMIT_LABEL_BYTES + 1];
    struct feedback_row again = *row;
    (void)trained;
    memcpy(label, row->label, row->label_len);
    label[row->label_len] = '\0';
    for (uint32_t i = 0; i < row->n; i++)
        if (row->ids[i] >= t->serving->model->config.vocab)
            return; /* a checksum that is right by chance */
    if (tune_label(t->tune, label, &again.label_id) == DIFFUSE_OK)
        (void)tune_hear(t->tune, &again);
}

static diffuse_err open_journal(struct tuner *t, struct reason *why) {
    struct journal_found found = {0};
    char path[LINEAGE_PATH_BYTES];
    journal_path(t, path);
    diffuse_err e =
        journal_open(path, t->root, t->conf->tune_journal, hear_again, t, &t->journal, &found, why);
    if (e)
        return e;
    if (found.cut > 0)
        tuner_queue_say(t->box, "tune-journal", true,
                        "%s: %" PRIu64 " bytes of a torn tail were cut off", path, found.cut);
    if (found.damaged > 0)
        tuner_queue_say(t->box, "tune-journal", true,
                        "%s: %zu places are damaged, %" PRIu64
                        " bytes; the good records between them "
                        "stay%s",
                        path, found.damaged, found.lost,
                        found.kept ? ", and the file as it was is beside it, with .damaged" : "");
    t->report.damaged += found.damaged;
    if (found.set_aside)
        tuner_queue_say(t->box, "tune-journal", true,
                        "%s belonged to another checkpoint: set aside as %s.aside", path, path);
    if (found.rows > 0)
        tuner_queue_say(t->box, "tune-journal", false,
                        "%zu rows of feedback, %zu not yet learned from", found.rows,
                        found.untrained);
    return DIFFUSE_OK;
}

static diffuse_err rehearse(struct tuner *t, struct reason *why) {
    if (!t->conf->tune_rehearsal_data[0])
        return DIFFUSE_OK; /* the checkpoint's own rows were taken by tune_new */
    return rehearse_file_read(t->tune, t->serving->model, t->conf->tune_rehearsal_data,
                              t->serving->plan.max_length, why);
}

/* Kept from ON to OFF, whatever is loaded meanwhile: the loop reads it. */
static diffuse_err keep_samples(struct tuner *t, struct reason *why) {
    size_t max_length = t->serving->plan.room.max_length;
    if (t->retain)
        return DIFFUSE_OK;
    t->kept_length = max_length;
    if (arena_init(&t->kept, window_bytes(t->conf, max_length)) ||
        recent_new(&t->kept, t->conf->tune_window, max_length, &t->retain))
        return reason_set(why, DIFFUSE_NOMEM, "tuning: out of memory");
    return DIFFUSE_OK;
}

/* All but the samples that the loop reads. */
static void let_go(struct tuner *t) {
    if (t->journal)
        t->forgotten += journal_dropped(t->journal);
    journal_close(t->journal);
    t->journal = NULL;
    tune_free(t->tune);
    t->tune = NULL;
    if (t->lock >= 0)
        close(t->lock);
    t->lock = -1;
    t->cost = t->retain ? window_bytes(t->conf, t->kept_length) : 0;
    t->on = t->unsynced = t->promoting = false;
    t->turn = TUNER_SETTLED;
    t->reload->tuning = t->cost;
}

diffuse_err tuner_state_open(struct tuner *t, struct reason *why) {
    struct tune_options o;
    options_of(t->conf, t->serving->plan.max_length, &o);
    diffuse_err e = check_budget(t, why);
    if (!e)
        e = lock_folder(t, why);
    if (!e)
        e = tuner_state_lineage(t, why);
    if (!e)
        e = keep_samples(t, why);
    if (!e)
        e = tune_new(t->serving->model, &o, &t->tune, why);
    if (!e)
        e = rehearse(t, why);
    if (!e)
        e = open_journal(t, why);
    if (e) {
        let_go(t);
        return e;
    }
    t->on = true;
    t->reload->tuning = t->cost;
    (void)roots_prune(t->conf->state_dir, t->root, OTHER_ROOTS);
    return DIFFUSE_OK;
}

void tuner_state_close(struct tuner *t) {
    arena_done(&t->kept);
    t->retain = NULL;
    let_go(t);
}

void tuner_state_reopen(struct tuner *t) {
    struct reason why = {""};
    if (!t->on)
        return;
    let_go(t);
    if (tuner_state_open(t, &why))
        tuner_queue_say(t->box, "tune-off", true, "tuning goes off: %s", why.text);
}

/* --- what serves --- */

bool tuner_state_is_ours(const struct tuner *t, const struct loaded_model *serving) {
    return strcmp(serving->root, t->root) == 0;
}

/* A withdrawn promotion that serves again (a rollback of a rollback) counts again, as a new one. */
static void count_again(struct tuner *t) {
    struct model copy = *t->serving->model;
    const struct ckpt_types types = ckpt_types_like(copy.weights);
    struct reason why = {""};
    if (lineage_promote(&t->lineage, &copy, &types, &why))
        tuner_queue_say(t->box, "tune-refused", true, "%s", why.text);
}

void tuner_state_follow(struct tuner *t) {
    char path[LINEAGE_PATH_BYTES];
    struct reason why = {""};
    if (!t->lineage.dir[0])
        return;
    for (lineage_path(&t->lineage, t->lineage.last, path);
         path[0] && strcmp(path, t->serving->path) != 0;
         lineage_path(&t->lineage, t->lineage.last, path)) {
        if (lineage_withdraw(&t->lineage, &why)) {
            tuner_queue_say(t->box, "tune-refused", true, "%s", why.text);
            return;
        }
        t->report.withdrawn++;
    }
    if (!path[0] && strcmp(t->serving->model->id, t->root) != 0)
        count_again(t);
}

void tuner_state_new_root(struct tuner *t, const char *id) {
    snprintf(t->root, sizeof t->root, "%s", id);
    t->lineage.dir[0] = '\0';
    t->report.judged = (struct tune_judgement){0};
    tuner_state_reopen(t);
}

/* --- life --- */

diffuse_err tuner_init(struct tuner *t, const struct conf *conf, struct tuner_queue *box,
                       struct background *background, struct reload *reload, size_t max_length,
                       const char *root) {
    *t = (struct tuner){
        .conf = conf, .box = box, .background = background, .reload = reload, .lock = -1};
    snprintf(t->root, sizeof t->root, "%s", root);
    if (arena_init(&t->ids, arena_block(max_length * sizeof(uint32_t))))
        return DIFFUSE_NOMEM;
    t->item.ids = arena_alloc(&t->ids, max_length * sizeof(uint32_t));
    return t->item.ids ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

void tuner_done(struct tuner *t) {
    if (!t->conf)
        return;
    tuner_end(t);
    arena_done(&t->ids);
}
