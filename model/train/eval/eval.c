#include "model/train/eval/eval.h"

#include <stdlib.h>

#include "model/train/eval/loss.h"

#define CHUNK_TOKENS 1024
#define SLAB_ROWS    65536 /* rows between two rounds of ticks */

struct part {
    struct arena arena;
    struct engine_scratch *scratch;
    real *logits;
    struct rows_window window;
    double loss;
    size_t hits;
    diffuse_err e;
    struct reason why;
};

struct pair {
    uint32_t label, predicted;
};

struct job {
    const struct net_config *c;
    const struct net_weights *w;
    struct arena arena;
    struct engine_kind kind;
    struct engine *engine;
    struct team *team;
    const struct rows *rows;
    struct part *part;  /* (team) */
    struct pair *pairs; /* (SLAB_ROWS) of the rows from `from` */
    size_t from, to;
    eval_row *row; /* NULL: no one asks for logits */
    void *user;    /* row's */
    const struct eval_watch *watch;
};

static diffuse_err eval_window(struct job *j, struct part *p, size_t from) {
    const struct rows_window *rows = &p->window;
    struct net_batch batch = {rows->ids, rows->start, rows->n};
    uint32_t L = j->c->labels;

    engine_forward(j->engine, p->scratch, &batch, p->logits);
    for (uint32_t i = 0; i < rows->n; i++) {
        real *logits = p->logits + i * L;
        uint32_t best = 0;
        diffuse_err e;
        bool hit;

        if (j->row &&
            (e = j->row(j->user, (unsigned)(p - j->part), from + i, logits, rows->label[i])))
            return e;
        for (uint32_t k = 1; k < L; k++)
            best = logits[k] > logits[best] ? k : best;
        j->pairs[from - j->from + i] = (struct pair){rows->label[i], best};
        p->loss += loss_row(logits, L, rows->label[i], 0, 1, logits, &hit);
        p->hits += hit;
    }
    return DIFFUSE_OK;
}

static void eval_part(void *arg, unsigned member) {
    struct job *j = arg;
    struct part *p = &j->part[member];
    size_t from, to;

    team_share(j->team, member, j->to - j->from, &from, &to);
    from += j->from;
    to += j->from;
    for (; from < to; from += p->window.n) {
        p->e = rows_fill(j->rows, from, to, &p->window, &p->why);
        if (!p->e)
            p->e = eval_window(j, p, from);
        if (p->e)
            return;
        if (member == 0 && j->watch->progress) /* the others are about as far */
            j->watch->progress(j->watch->user, j->from + (from - j->from) * team_size(j->team),
                               j->rows->n);
    }
}

static diffuse_err part_init(struct part *p, const struct net_config *c,
                             const struct engine_kind *kind, size_t longest) {
    size_t tokens = longest > CHUNK_TOKENS ? longest : CHUNK_TOKENS;
    size_t logits = ROWS_WINDOW * c->labels * sizeof(real), ids = tokens * sizeof(uint32_t);
    diffuse_err e = arena_init(&p->arena, engine_scratch_bytes(c, kind, tokens, ROWS_WINDOW) +
                                              arena_block(logits) + arena_block(ids));

    if (e || (e = engine_scratch_new(&p->arena, c, kind, tokens, ROWS_WINDOW, &p->scratch)))
        return e;
    p->logits = arena_alloc(&p->arena, logits);
    p->window.ids = arena_alloc(&p->arena, ids);
    p->window.tokens = tokens;
    return p->logits && p->window.ids ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static diffuse_err eval_slab(struct job *j, struct reason *why) {
    team_run(j->team, eval_part, j);
    for (unsigned i = 0; i < team_size(j->team); i++)
        if (j->part[i].e)
            return reason_set(why, j->part[i].e, "%s", j->part[i].why.text);
    for (size_t i = 0; j->watch->tick && i < j->to - j->from; i++)
        j->watch->tick(j->watch->user, j->pairs[i].label, j->pairs[i].predicted);
    return DIFFUSE_OK;
}

static void job_done(struct job *j) {
    for (unsigned i = 0; j->part && i < team_size(j->team); i++)
        arena_done(&j->part[i].arena);
    arena_done(&j->arena);
    free(j->part);
    free(j->pairs);
}

static diffuse_err engine_init(struct job *j, struct reason *why) {
    diffuse_err e = DIFFUSE_OK;

    if (j->watch->kind)
        j->kind = *j->watch->kind;
    else
        e = engine_kind_make("auto", ENGINE_F32, &j->kind, why);
    if (e || (e = arena_init(&j->arena, engine_bytes(j->c, &j->kind))))
        return e;
    return engine_new(&j->arena, j->c, j->w, &j->kind, &j->engine);
}

static diffuse_err job_init(struct job *j, struct reason *why) {
    size_t slab = j->rows->n < SLAB_ROWS ? j->rows->n + 1 : SLAB_ROWS;
    diffuse_err e = engine_init(j, why);

    if (e)
        return e;
    j->part = calloc(team_size(j->team), sizeof *j->part);
    j->pairs = calloc(slab, sizeof *j->pairs);
    if (!j->part || !j->pairs)
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; !e && i < team_size(j->team); i++)
        e = part_init(&j->part[i], j->c, &j->kind, j->rows->longest);
    return e;
}

/* All of j->rows, slab by slab. */
static diffuse_err eval_all(struct job *j, struct eval_result *ret_result, struct reason *why) {
    struct eval_result result = {.rows = j->rows->n};
    diffuse_err e = job_init(j, why);

    for (; !e && j->to < j->rows->n; j->from = j->to) {
        j->to = j->rows->n - j->from < SLAB_ROWS ? j->rows->n : j->from + SLAB_ROWS;
        e = eval_slab(j, why);
    }
    for (unsigned i = 0; !e && i < team_size(j->team); i++) {
        result.hits += j->part[i].hits;
        result.loss += j->part[i].loss / (double)(result.rows ? result.rows : 1);
    }
    job_done(j);
    if (!e)
        *ret_result = result;
    return e;
}

diffuse_err eval_rows(const struct net_config *c, const struct net_weights *w, struct team *team,
                      const struct rows *rows, const struct eval_watch *watch,
                      struct eval_result *ret_result, struct reason *why) {
    const struct eval_watch nobody = {0};
    struct job job = {.c = c, .w = w, .team = team, .rows = rows, .watch = watch ? watch : &nobody};

    return eval_all(&job, ret_result, why);
}

diffuse_err eval_each(const struct net_config *c, const struct net_weights *w, struct team *team,
                      const struct rows *rows, eval_row *row, void *user, struct reason *why) {
    const struct eval_watch watch = {0};
    struct job job = {
        .c = c, .w = w, .team = team, .rows = rows, .row = row, .user = user, .watch = &watch};
    struct eval_result result;

    return eval_all(&job, &result, why);
}

static diffuse_err judge_row(void *user, unsigned member, size_t row, const real *logits,
                             uint32_t truth) {
    struct quality *parts = user;

    (void)row;
    return quality_add(&parts[member], logits, truth);
}

diffuse_err eval_judge(const struct net_config *c, const struct net_weights *w, struct team *team,
                       const struct rows *rows, const struct eval_watch *watch,
                       struct quality *metrics, struct reason *why) {
    const struct eval_watch nobody = {0};
    unsigned size = team_size(team);
    struct quality *parts = calloc(size, sizeof *parts);
    struct job job = {.c = c,
                      .w = w,
                      .team = team,
                      .rows = rows,
                      .row = judge_row,
                      .user = parts,
                      .watch = watch ? watch : &nobody};
    struct eval_result result;
    diffuse_err e = parts ? DIFFUSE_OK : DIFFUSE_NOMEM;

    for (unsigned i = 0; !e && i < size; i++)
        e = quality_init(&parts[i], c->labels, metrics->scaled.temperature);
    if (!e)
        e = eval_all(&job, &result, why);
    for (unsigned i = 0; !e && i < size; i++)
        e = quality_merge(metrics, &parts[i]);
    for (unsigned i = 0; parts && i < size; i++)
        quality_done(&parts[i]);
    free(parts);
    return e;
}
