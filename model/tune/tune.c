/* tune.c - see tune.h. What is heard goes to the right place; a candidate's life; the gate. */
#include "model/tune/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/gemm.h"
#include "model/ckpt/ckpt.h"
#include "model/tune/candidate.h"
#include "model/tune/compatible.h"
#include "model/tune/drift.h"
#include "model/tune/gate.h"
#include "model/tune/holdout.h"
#include "model/tune/rollback_test.h"
#include "model/tune/scorer.h"
#include "model/tune/trust.h"
#include "model/tune/tune_setup.h"

#define RECENT      256u
#define DRIFT_DELTA 0.002
#define LEAST_STEPS 768.0 /* of a life: what is rare needs them to be learned at all */
#define PASSES      40u   /* times that a life sees all rows, at most */
#define PULL_ROWS   64.0  /* news at which the pull is as given */
#define PULL_MOST   100.0
#define PROVENANCE  512u

struct tune {
    struct arena arena;
    struct tune_options o;
    const struct model *serving, *previous; /* borrowed */

    uint32_t first_labels, labels;        /* of the first model, and known now */
    char (*added)[LIMIT_LABEL_BYTES + 1]; /* (new_labels) */
    const char **names;                   /* (first_labels+new_labels) for tune_candidate */

    struct reservoir feedback, held;       /* feedback: to train on, and held back */
    struct reservoir rehearsal, kept_back; /* the same of rehearsal */
    bool *first;                           /* (kept_back) right by the first model */
    struct scorer_mark *serves, *learns;   /* (held or kept_back) of tune_judge */

    struct trust trust;
    struct drift drift;
    struct rollback_test regret;
    struct gate gate;
    struct scorer scorer;
    struct candidate candidate;
    bool ripe;
    uint64_t fresh;   /* rows since the last tune_rebase */
    uint64_t waiting; /* rows since a candidate began */
    uint64_t unpaid;  /* rows that no promoted candidate has learned, */
    uint64_t paid;    /* of them those that were there when the candidate began */
    uint64_t taught;  /* rows to train on that what served got wrong, and was not sure of */
    uint64_t steps;
    bool recent[RECENT];
    uint64_t judged;
    uint32_t *ids; /* (max_length) */

    struct model out; /* of tune_candidate */
    char provenance[PROVENANCE];
};

/* --- memory -------------------------------------------------------------- */

static uint32_t most_labels(const struct net_config *c, const struct tune_options *o) {
    return c->labels + o->new_labels;
}

static size_t kept_back(const struct tune_options *o) {
    return o->rehearsal / HOLDOUT_REHEARSAL;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static struct net_config most(const struct net_config *c, const struct tune_options *o) {
    return net_config_with_labels(c, most_labels(c, o));
}

static size_t arena_bytes(const struct net_config *c, const struct tune_options *o) {
    const struct candidate_options k = tune_setup_candidate(o);
    const struct net_config grown = most(c, o);
    uint32_t L = grown.labels, n = (uint32_t)o->max_length;
    size_t back = kept_back(o), judged = larger(o->held, back);

    return arena_block(o->new_labels * sizeof *((struct tune *)0)->added) +
           arena_block(L * sizeof(char *)) + reservoir_bytes(o->rows, n, c->vocab, L) +
           reservoir_bytes(o->held, n, c->vocab, L) +
           reservoir_bytes(o->rehearsal - back, n, c->vocab, L) +
           reservoir_bytes(back, n, c->vocab, L) + arena_block(back) +
           2 * arena_block(judged * sizeof(struct scorer_mark)) + trust_bytes(o->streams) +
           gate_bytes(o->held + o->streams) + scorer_bytes(&grown, n) + candidate_bytes(c, &k, L) +
           arena_block(n * sizeof(uint32_t));
}

size_t tune_bytes(const struct net_config *c, const struct tune_options *o) {
    const struct candidate_options k = tune_setup_candidate(o);

    return sizeof(struct tune) + arena_bytes(c, o) +
           candidate_bytes_beside(c, &k, most_labels(c, o));
}

static diffuse_err fill(struct tune *t) {
    const struct net_config *c = &t->serving->config;
    const struct tune_options *o = &t->o;
    const struct candidate_options k = tune_setup_candidate(o);
    const struct net_config grown = most(c, o);
    uint32_t L = grown.labels, n = (uint32_t)o->max_length;
    size_t back = kept_back(o), judged = larger(o->held, back);
    struct arena *a = &t->arena;
    diffuse_err e;

    if ((e = arena_init(a, arena_bytes(c, o))) ||
        (e = reservoir_init(&t->feedback, a, o->rows, n, c->vocab, L, o->seed)) ||
        (e = reservoir_init(&t->held, a, o->held, n, c->vocab, L, o->seed + 1)) ||
        (e = reservoir_init(&t->rehearsal, a, o->rehearsal - back, n, c->vocab, L, o->seed + 2)) ||
        (e = reservoir_init(&t->kept_back, a, back, n, c->vocab, L, o->seed + 3)) ||
        (e = trust_init(&t->trust, a, o->streams)) ||
        (e = gate_init(&t->gate, a, o->held + o->streams)) ||
        (e = scorer_init(&t->scorer, a, &grown, n)) ||
        (e = candidate_init(&t->candidate, a, c, &k, L)))
        return e;
    t->added = arena_alloc(a, o->new_labels * sizeof *t->added);
    t->names = arena_alloc(a, L * sizeof *t->names);
    t->first = arena_alloc(a, back);
    t->serves = arena_alloc(a, judged * sizeof *t->serves);
    t->learns = arena_alloc(a, judged * sizeof *t->learns);
    t->ids = arena_alloc(a, n * sizeof *t->ids);
    return t->added && t->names && t->first && t->serves && t->learns && t->ids ? DIFFUSE_OK
                                                                                : DIFFUSE_NOMEM;
}

/* Rows that came with the checkpoint. */
static void rehearse_own(struct tune *t) {
    const struct rehearsal *h = t->serving->rehearsal;

    for (uint32_t r = 0; h && r < h->rows; r++) {
        uint32_t n = h->start[r + 1] - h->start[r];

        n = n > t->o.max_length ? (uint32_t)t->o.max_length : n;
        for (uint32_t i = 0; i < n; i++)
            t->ids[i] = rehearsal_id(h, r, i);
        if (n > 0)
            tune_rehearse(t, t->ids, n, h->label[r]);
    }
}

diffuse_err tune_new(const struct model *serving, const struct tune_options *o,
                     struct tune **ret_tune, struct reason *why) {
    diffuse_err e = tune_setup_check(serving, o, why);
    struct tune *t;

    if (e || (e = gemm_reserve(1, why)))
        return e;
    if (!(t = calloc(1, sizeof *t)))
        return reason_set(why, DIFFUSE_NOMEM, "out of memory for tuning");
    t->o = *o;
    t->serving = serving;
    t->first_labels = t->labels = serving->config.labels;
    t->regret.over = true;
    drift_init(&t->drift, DRIFT_DELTA);
    if ((e = fill(t))) {
        tune_free(t);
        return reason_set(why, e, "out of memory for tuning: %zu MiB",
                          tune_bytes(&serving->config, o) >> 20);
    }
    rehearse_own(t);
    *ret_tune = t;
    return DIFFUSE_OK;
}

void tune_free(struct tune *t) {
    if (!t)
        return;
    candidate_done(&t->candidate);
    arena_done(&t->arena);
    free(t);
}

/* --- rows ---------------------------------------------------------------- */

void tune_rehearse(struct tune *t, const uint32_t *ids, uint32_t n, uint32_t label) {
    size_t at;
    double sure;

    if (holdout_rehearsal(ids, n)) {
        at = reservoir_offer(&t->kept_back, ids, n, label, 0);
        if (at != RESERVOIR_NONE)
            t->first[at] = scorer_row(&t->scorer, t->serving, ids, n, &sure) == label;
    } else {
        (void)reservoir_offer(&t->rehearsal, ids, n, label, 0);
    }
}

static const char *name_of(const struct tune *t, uint32_t label) {
    return label < t->serving->config.labels ? t->serving->labels[label]
                                             : t->added[label - t->first_labels];
}

diffuse_err tune_label(struct tune *t, const char *name, uint32_t *ret_label) {
    for (uint32_t i = 0; i < t->labels; i++)
        if (strcmp(name_of(t, i), name) == 0) {
            *ret_label = i;
            return DIFFUSE_OK;
        }
    if (t->labels == t->first_labels + t->o.new_labels || ckpt_label_check(name, NULL))
        return DIFFUSE_NOTFOUND;
    memcpy(t->added[t->labels - t->first_labels], name, strlen(name) + 1);
    *ret_label = t->labels++;
    return DIFFUSE_OK;
}

static void keep(struct tune *t, const struct feedback_row *row, uint64_t owner,
                 enum tune_place place) {
    struct reservoir *to = place == TUNE_HELD ? &t->held : &t->feedback;

    (void)reservoir_offer(to, row->ids, row->n, row->label_id, owner);
    if (place == TUNE_HELD)
        return;
    t->fresh++;
    t->waiting++;
    t->unpaid++;
}

static void give_up(struct tune *t) {
    candidate_end(&t->candidate);
    gate_forget(&t->gate);
    t->ripe = false;
}

/* Nothing of a stream that lost the trust is used any more, not even what the candidate took. */
static void disown(struct tune *t, uint64_t owner) {
    (void)reservoir_drop(&t->held, owner);
    if (reservoir_drop(&t->feedback, owner) > 0)
        give_up(t);
}

static bool says(struct tune *t, const struct net_config *c, const struct net_weights *w,
                 const struct feedback_row *row) {
    return scorer_label(&t->scorer, c, w, row->ids, row->n) == row->label_id;
}

struct tune_note tune_hear(struct tune *t, const struct feedback_row *row) {
    struct tune_note note = {.place = TUNE_DISTRUSTED};
    double sure;
    uint32_t now = scorer_row(&t->scorer, t->serving, row->ids, row->n, &sure);
    bool right = now == row->label_id,
         agrees = row->judged ? row->predicted == row->label_id : right;
    double confidence = row->judged ? (double)row->confidence : sure;
    const struct trust_stream *s = trust_hear(&t->trust, row->stream, row->stream_len, agrees,
                                              confidence, &note.distrusted_now);

    if (note.distrusted_now)
        disown(t, s->owner);
    if (s->distrusted)
        return note;
    if (row->judged)
        t->recent[t->judged++ % RECENT] = agrees;
    note.drift = drift_add(&t->drift, !right) == DRIFT_MORE;
    if (t->previous && !t->regret.over)
        note.hurt = rollback_test_add(
            &t->regret, says(t, &t->previous->config, t->previous->weights, row), right);
    bool held = holdout_feedback(row->stream, row->stream_len, row->seq, row->ids, row->n);
    note.place = held ? TUNE_HELD : TUNE_TRAINS;
    /* Those held back are scored by the gate. */
    if (note.place == TUNE_TRAINS && candidate_rests(&t->candidate))
        gate_live(&t->gate, s->owner, right, says(t, &t->candidate.c, &t->candidate.w, row));
    t->taught += note.place == TUNE_TRAINS && !agrees && confidence < TRUST_SURE;
    keep(t, row, s->owner, note.place);
    return note;
}

/* --- the candidate ------------------------------------------------------- */

/* More rows are waited for when there are many, so that the work for each stays the same. */
static bool due(const struct tune *t) {
    return t->feedback.n > 0 && t->waiting >= larger(t->o.every, t->feedback.n / 16);
}

/* How much feedback is worth, 1 down to a quarter: where it often contradicts what the model is
 * sure of, its other labels will be wrong as often. */
static double belief(const struct tune *t) {
    double b = 1 - 4 * trust_doubt(&t->trust);

    return b > 0.25 ? b : 0.25;
}

static uint64_t plan_steps(const struct tune *t) {
    uint64_t unseen = t->candidate.learned ? t->waiting : t->unpaid;
    double rows = (double)(t->feedback.n + t->rehearsal.n), work = t->o.visits * (double)unseen,
           least = LEAST_STEPS * belief(t) * belief(t) * t->o.batch;

    work = work < least ? least : work;
    work = work > PASSES * rows ? PASSES * rows : work;
    return 1 + (uint64_t)(work / t->o.batch);
}

/* What is new decides: few such rows say little about the parent's weights, many make up for what
 * they forget. */
static double pull(const struct tune *t) {
    double many = belief(t) * (double)t->taught / PULL_ROWS, p = t->o.pull / (many * many);

    return p < PULL_MOST ? p : PULL_MOST;
}

bool tune_step(struct tune *t) {
    struct candidate *k = &t->candidate;

    if (t->ripe)
        return false;
    if (k->steps >= k->planned) {
        if (!due(t) || candidate_begin(k, t->serving, t->labels, plan_steps(t), pull(t)))
            return false;
        gate_forget(&t->gate); /* what it said before it learned more */
        t->waiting = 0;
        t->paid = t->unpaid;
    }
    (void)candidate_step(k, &t->feedback, &t->rehearsal);
    t->steps++;
    t->ripe = k->steps >= k->planned;
    return true;
}

bool tune_ripe(const struct tune *t) {
    return t->ripe;
}

/* --- the gate ------------------------------------------------------------ */

static void score(struct tune *t, const struct net_config *c, const struct net_weights *w,
                  const struct reservoir *rows, struct scorer_mark *marks) {
    scorer_rows(&t->scorer, c, w, t->serving->temperature, rows, marks);
}

/* Both models on all of the rows. */
static void score_both(struct tune *t, const struct reservoir *rows, struct tune_judgement *ret) {
    score(t, &t->serving->config, t->serving->weights, rows, t->serves);
    score(t, &t->candidate.c, &t->candidate.w, rows, t->learns);
    ret->rows += rows->n;
    for (size_t i = 0; i < rows->n; i++) {
        ret->serving += t->serves[i].right;
        ret->candidate += t->learns[i].right;
    }
}

void tune_judge(struct tune *t, struct tune_judgement *ret) {
    struct gate_verdict v;

    *ret = (struct tune_judgement){.p_worse = 1, .p_better = 1, .verdict = "nothing learned yet"};
    if (!t->candidate.learned)
        return;
    gate_begin(&t->gate, trust_doubt(&t->trust));
    score_both(t, &t->kept_back, ret);
    for (size_t i = 0; i < t->kept_back.n; i++)
        gate_rehearsal(&t->gate, t->first[i], t->serves[i].right, t->learns[i].right);
    score_both(t, &t->held, ret);
    for (size_t i = 0; i < t->held.n; i++)
        gate_feedback(&t->gate, t->held.owner[i], t->serves[i].right, t->learns[i].right,
                      (double)(t->learns[i].chance - t->serves[i].chance));
    gate_end(&t->gate, &v);
    ret->passes = v.passes;
    ret->p_worse = v.p_worse;
    ret->p_better = v.p_better;
    (void)snprintf(ret->verdict, sizeof ret->verdict, "%s", v.text);
    if (t->ripe && v.harms)
        give_up(t);
    t->ripe = false;
}

diffuse_err tune_candidate(struct tune *t, struct model **ret_model, struct reason *why) {
    if (!t->candidate.learned)
        return reason_set(why, DIFFUSE_NOTFOUND, "tuning: there is no candidate");
    for (uint32_t i = 0; i < t->candidate.c.labels; i++)
        t->names[i] = name_of(t, i);
    (void)snprintf(t->provenance, sizeof t->provenance,
                   "{\"tuned\": {\"rows_feedback\": %zu, \"rows_rehearsal\": %zu, \"steps\": %llu, "
                   "\"parts\": \"%s\", \"lr\": %g, \"table_lr\": %g, \"pull\": %g, \"batch\": %u, "
                   "\"seed\": %llu}}",
                   t->feedback.n, t->rehearsal.n, (unsigned long long)t->candidate.steps,
                   tune_setup_parts(t->o.parts), t->o.lr, t->o.table_lr, t->o.pull, t->o.batch,
                   (unsigned long long)t->o.seed);
    t->out = *t->serving;
    t->out.config = t->candidate.c;
    t->out.weights = &t->candidate.w;
    if (t->candidate.w.wide != t->serving->wide)
        t->out.wide = t->candidate.wide;
    t->out.labels = t->names;
    t->out.provenance = t->provenance;
    t->out.id[0] = '\0';
    memcpy(t->out.parent, t->serving->id, sizeof t->out.parent);
    *ret_model = &t->out;
    return DIFFUSE_OK;
}

/* --- what serves changes ------------------------------------------------- */

static diffuse_err fits(const struct tune *t, const struct model *m, struct reason *why) {
    diffuse_err e = compatible_check(t->serving, m, why);

    if (e)
        return e;
    if (m->config.labels < t->first_labels || m->config.labels > t->labels)
        return reason_set(why, DIFFUSE_INVAL, "tuning: the new model has %u labels, expected %u",
                          m->config.labels, t->labels);
    for (uint32_t i = 0; i < m->config.labels; i++)
        if (strcmp(m->labels[i], name_of(t, i)) != 0)
            return reason_set(why, DIFFUSE_INVAL,
                              "tuning: label %u of the new model is \"%s\", expected \"%s\"", i,
                              m->labels[i], name_of(t, i));
    return DIFFUSE_OK;
}

/* What serves is no tuned model: losses are counted from here. */
static void know_first(struct tune *t) {
    score(t, &t->serving->config, t->serving->weights, &t->kept_back, t->serves);
    for (size_t i = 0; i < t->kept_back.n; i++)
        t->first[i] = t->serves[i].right;
}

diffuse_err tune_rebase(struct tune *t, const struct model *serving, const struct model *previous,
                        struct reason *why) {
    diffuse_err e = fits(t, serving, why);

    if (e)
        return e;
    t->serving = serving;
    t->previous = previous;
    t->regret = (struct rollback_test){.over = !previous};
    drift_init(&t->drift, DRIFT_DELTA);
    t->unpaid -= previous ? t->paid : 0;
    t->paid = 0;
    t->fresh = 0;
    t->waiting = previous ? t->waiting : 0;
    give_up(t);
    if (serving->parent[0] == '\0')
        know_first(t);
    return DIFFUSE_OK;
}

void tune_reset(struct tune *t) {
    reservoir_clear(&t->feedback);
    reservoir_clear(&t->held);
    trust_clear(&t->trust);
    drift_init(&t->drift, DRIFT_DELTA);
    give_up(t);
    t->taught = t->fresh = t->waiting = t->unpaid = t->paid = t->judged = 0;
}

/* --- reports ------------------------------------------------------------- */

static double share(const bool *right, size_t n) {
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += right[i];
    return n ? (double)sum / (double)n : 0;
}

void tune_report(const struct tune *t, struct tune_report *ret) {
    size_t n = t->judged < RECENT ? (size_t)t->judged : RECENT;

    *ret = (struct tune_report){.rows_train = t->feedback.n,
                                .rows_held = t->held.n,
                                .rows_rehearsal = t->rehearsal.n + t->kept_back.n,
                                .rows_new = (size_t)t->fresh,
                                .steps = t->steps,
                                .recent = share(t->recent, n),
                                .recent_rows = n,
                                .streams = t->trust.n};
}

size_t tune_streams(const struct tune *t, struct tune_stream *ret, size_t n) {
    size_t filled = 0;

    for (size_t i = 0; i < t->trust.n; i++) {
        const struct trust_stream *s = &t->trust.stream[i];
        struct tune_stream here = {.feedback = s->feedback,
                                   .agreed = s->agreed,
                                   .contested = s->contested,
                                   .trust = trust_of(s),
                                   .distrusted = s->distrusted};
        size_t at = filled;

        memcpy(here.name, s->name, sizeof here.name);
        while (at > 0 && ret[at - 1].trust > here.trust)
            at--;
        if (at == n)
            continue;
        filled += filled < n;
        memmove(ret + at + 1, ret + at, (filled - at - 1) * sizeof *ret);
        ret[at] = here;
    }
    return t->trust.n;
}
