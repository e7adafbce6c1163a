#include "model/train/joint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One run, and the fold that it is at. */
struct run {
    const struct net_config *c;
    const struct net_weights *start;
    const struct rows *rows;
    const struct joint_options *o;
    struct team *team;
    joint_tick *tick;
    void *user;
    struct reason *why;
    struct joint *joint;
    real *deep;    /* (wide.judged, labels) */
    size_t *place; /* (held rows of the fold) of each among those judged */
    unsigned fold;
    size_t done, epochs; /* epochs of this fold done; in all */
};

static size_t entries(const struct net_config *c) {
    struct weights_list l;

    weights_list_make(c, &l);
    return l.entries;
}

/* Rows of the fold into held, the others into train; place says which of the judged a held row is.
 */
static diffuse_err divide(struct run *r, struct rows *train, struct rows *held) {
    const struct wide_fit *wide = &r->joint->wide;
    uint32_t *ids = malloc((r->rows->longest + 1) * sizeof *ids);
    size_t judged = 0;
    diffuse_err e = ids ? DIFFUSE_OK : DIFFUSE_NOMEM;

    if (!e && !(e = rows_init(train, r->c->vocab, ROWS_MEMORY)))
        e = rows_init(held, r->c->vocab, ROWS_MEMORY);
    for (size_t i = 0; !e && i < r->rows->n; i++) {
        bool out = wide->fold[i] == r->fold;
        uint32_t length, label;

        while (judged < wide->judged && wide->row[judged] < i)
            judged++;
        if ((e = rows_read(r->rows, i, ids, &length, &label, r->why)))
            break;
        if (out && judged < wide->judged && wide->row[judged] == i)
            r->place[held->n] = judged;
        else if (out)
            continue; /* a row that was left out without being judged */
        e = rows_append(out ? held : train, ids, length, label, r->why);
    }
    free(ids);
    return e;
}

static enum fit_order tick_fold(void *user, size_t done, size_t total, double loss) {
    struct run *r = user;

    (void)loss;
    return r->tick ? r->tick(r->user, r->fold, r->joint->folds, r->done * total + done,
                             r->epochs * total)
                   : FIT_GO_ON;
}

static diffuse_err take_logits(void *user, unsigned member, size_t row, const real *logits,
                               uint32_t label) {
    struct run *r = user;

    (void)member;
    (void)label;
    memcpy(r->deep + r->place[row] * r->c->labels, logits, r->c->labels * sizeof *logits);
    return DIFFUSE_OK;
}

static diffuse_err train_fold(struct run *r, struct net_weights *w, const struct rows *train) {
    const struct fit_data data = {.train = train};
    struct fit_epoch epoch;
    struct fit *fit = NULL;
    bool going = true;
    diffuse_err e = fit_new(r->c, w, &r->o->fit, &data, r->team, &fit, r->why);

    r->epochs = r->o->fit.epochs;
    for (r->done = 0; !e && going && r->done < r->epochs; r->done++)
        e = fit_run_epoch(fit, tick_fold, r, &epoch, &going, r->why);
    r->joint->stopped = !e && !going;
    fit_free(fit);
    return e;
}

/* The deep part without the rows of a fold, and what it makes of them. */
static diffuse_err judge_fold(struct run *r) {
    struct rows train = {0}, held = {0};
    struct arena arena = {0};
    struct net_weights *w;
    diffuse_err e = divide(r, &train, &held);

    if (!e && train.n > 0 && held.n > 0 && !(e = arena_init(&arena, weights_bytes(r->c))) &&
        !(e = weights_new(&arena, r->c, &w))) {
        memcpy(w->block, r->start->block, entries(r->c) * sizeof *w->block);
        if (!(e = train_fold(r, w, &train)) && !r->joint->stopped)
            e = eval_each(r->c, w, r->team, &held, take_logits, r, r->why);
    }
    arena_done(&arena);
    rows_done(&train);
    rows_done(&held);
    return e;
}

/* The judged rows that the deep part judged too, end to end. */
static diffuse_err mix_judged(struct run *r) {
    const struct wide_fit *wide = &r->joint->wide;
    size_t L = r->c->labels, n = 0;
    uint32_t *truth = calloc(wide->judged + 1, sizeof *truth), length;
    real *scores = malloc((wide->judged + 1) * L * sizeof *scores);
    diffuse_err e = truth && scores ? DIFFUSE_OK : DIFFUSE_NOMEM;

    for (size_t i = 0; !e && i < wide->judged; i++) {
        size_t row = wide->row[i];

        if (r->o->deep && wide->fold[row] >= r->joint->folds)
            continue;
        for (size_t k = 0; k < L; k++)
            scores[n * L + k] = (real)wide->scores[i * L + k];
        if (r->o->deep)
            memmove(r->deep + n * L, r->deep + i * L, L * sizeof *r->deep);
        e = rows_get(r->rows, row, &length, &truth[n++], r->why);
    }
    if (!e) {
        const struct mix_rows rows = {.wide = scores,
                                      .deep = r->o->deep ? r->deep : NULL,
                                      .truth = truth,
                                      .labels = r->c->labels,
                                      .n = n};

        e = mix_fit(&rows, &r->joint->mix);
        r->joint->judged = n;
    }
    free(truth);
    free(scores);
    return e;
}

/* How many folds the deep part is trained for. */
static diffuse_err count_folds(struct run *r, unsigned *ret_folds) {
    uint64_t tokens = 0, most;
    uint32_t length, label;

    for (size_t i = 0; i < r->rows->n; i++) {
        diffuse_err e = rows_get(r->rows, i, &length, &label, r->why);

        if (e)
            return e;
        tokens += length;
    }
    most = JOINT_WORK / (tokens * r->o->fit.epochs + 1);
    *ret_folds = most < r->joint->wide.folds ? (unsigned)most : r->joint->wide.folds;
    if (*ret_folds == 0 && r->joint->wide.folds > 0)
        *ret_folds = 1;
    return DIFFUSE_OK;
}

static diffuse_err judge(struct run *r) {
    struct joint *j = r->joint;
    diffuse_err e = DIFFUSE_OK;

    r->deep = calloc(j->wide.judged + 1, r->c->labels * sizeof *r->deep);
    r->place = calloc(j->wide.judged + 1, sizeof *r->place);
    if (!r->deep || !r->place)
        e = DIFFUSE_NOMEM;
    if (!e && r->o->deep)
        e = count_folds(r, &j->folds);
    for (r->fold = 0; !e && !j->stopped && r->fold < j->folds; r->fold++)
        e = judge_fold(r);
    if (!e && !j->stopped)
        e = mix_judged(r);
    free(r->deep);
    free(r->place);
    return e;
}

diffuse_err joint_fit(const struct net_config *c, const struct net_weights *start,
                      const struct rows *rows, const struct tokenizer *tokenizer,
                      const struct joint_options *o, struct team *team, joint_tick *tick,
                      void *user, struct joint *ret_joint, struct reason *why) {
    struct run r = {.c = c,
                    .start = start,
                    .rows = rows,
                    .o = o,
                    .team = team,
                    .tick = tick,
                    .user = user,
                    .why = why,
                    .joint = ret_joint};
    diffuse_err e;

    *ret_joint = (struct joint){0};
    e = wide_fit(rows, tokenizer, c->labels, &o->wide, team, &ret_joint->wide, why);
    return e ? e : judge(&r);
}

void joint_done(struct joint *j) {
    wide_fit_done(&j->wide);
    *j = (struct joint){0};
}
