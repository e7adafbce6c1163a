/* soft.c - see soft.h. */
#include "model/train/soft.h"

#include <stdlib.h>
#include <string.h>

#include "model/net/label.h"

#define CHUNK_TOKENS 1024

void soft_init(struct soft *s) {
    *s = (struct soft){0};
    spool_init(&s->mean);
}

void soft_done(struct soft *s) {
    spool_done(&s->mean);
    soft_init(s);
}

/* A teacher at work on one member's share of a round. */
struct part {
    struct arena arena;
    struct net_scratch *scratch;
    struct rows_window window;
    real *logits; /* (ROWS_WINDOW,L) */
    diffuse_err e;
    struct reason why;
};

struct job {
    const struct net_config *c;
    const struct net_weights *w;
    struct team *team;
    const struct rows *rows;
    struct part *part; /* (team) */
    float *out;        /* (to - from, L) */
    size_t from, to;
};

#define ROUND 8192u /* rows of one round: what is held in memory */

static diffuse_err part_init(struct part *p, const struct net_config *c, size_t longest) {
    size_t tokens = longest > CHUNK_TOKENS ? longest : CHUNK_TOKENS;
    size_t logits = ROWS_WINDOW * c->labels * sizeof(real), ids = tokens * sizeof(uint32_t);
    diffuse_err e = arena_init(&p->arena, net_scratch_bytes(c, tokens, ROWS_WINDOW) +
                                              arena_block(logits) + arena_block(ids));

    if (e || (e = net_scratch_new(&p->arena, c, tokens, ROWS_WINDOW, &p->scratch)))
        return e;
    p->logits = arena_alloc(&p->arena, logits);
    p->window.ids = arena_alloc(&p->arena, ids);
    p->window.tokens = tokens;
    return p->logits && p->window.ids ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static void teach(void *arg, unsigned member) {
    struct job *j = arg;
    struct part *p = &j->part[member];
    uint32_t L = j->c->labels;
    size_t from, to;

    team_share(j->team, member, j->to - j->from, &from, &to);
    for (from += j->from, to += j->from; from < to; from += p->window.n) {
        struct net_batch batch;

        if ((p->e = rows_fill(j->rows, from, to, &p->window, &p->why)))
            return;
        batch = (struct net_batch){p->window.ids, p->window.start, p->window.n};
        net_forward(j->c, j->w, p->scratch, &batch, p->logits);
        for (uint32_t i = 0; i < batch.n; i++) {
            real *row = p->logits + i * L;
            float *out = j->out + (from - j->from + i) * L;

            (void)label_softmax(row, L, 1, row);
            for (uint32_t k = 0; k < L; k++)
                out[k] = (float)row[k];
        }
    }
}

/* The round's probabilities joined with those of the teachers before, onto the end of next. */
static diffuse_err join(struct soft *s, struct spool *next, const struct job *j,
                        struct reason *why) {
    uint32_t L = s->labels;
    float *before = s->teachers ? malloc(L * sizeof *before) : NULL;
    diffuse_err e = s->teachers && !before ? DIFFUSE_NOMEM : DIFFUSE_OK;

    for (size_t i = 0; !e && i < j->to - j->from; i++) {
        float *row = j->out + i * L;

        if (s->teachers) {
            uint64_t at = spool_size(next);

            if ((e = spool_read(&s->mean, at, L * sizeof *before, before, why)))
                break;
            for (uint32_t k = 0; k < L; k++)
                row[k] = (row[k] + before[k] * (float)s->teachers) / (float)(s->teachers + 1);
        }
        e = spool_append(next, row, L * sizeof *row, why);
    }
    free(before);
    return e;
}

static diffuse_err add_rows(struct soft *s, struct spool *next, struct job *j, struct reason *why) {
    diffuse_err e = DIFFUSE_OK;

    for (j->from = 0; !e && j->from < j->rows->n; j->from = j->to) {
        j->to = j->rows->n - j->from < ROUND ? j->rows->n : j->from + ROUND;
        team_run(j->team, teach, j);
        for (unsigned i = 0; !e && i < team_size(j->team); i++)
            if (j->part[i].e)
                e = reason_set(why, j->part[i].e, "%s", j->part[i].why.text);
        if (!e)
            e = join(s, next, j, why);
    }
    return e;
}

static diffuse_err check(const struct soft *s, const struct net_config *c, size_t n,
                         struct reason *why) {
    if (s->teachers && c->labels != s->labels)
        return reason_set(why, DIFFUSE_INVAL, "a teacher with %u labels, the others have %u",
                          c->labels, s->labels);
    if (s->teachers && n != s->n)
        return reason_set(why, DIFFUSE_INVAL,
                          "a teacher reads %zu rows of the data, the others %zu: their tokenizers "
                          "leave out different rows",
                          n, s->n);
    return DIFFUSE_OK;
}

static void job_done(struct job *j) {
    for (unsigned i = 0; j->part && i < team_size(j->team); i++)
        arena_done(&j->part[i].arena);
    free(j->part);
    free(j->out);
}

static diffuse_err job_init(struct job *j, size_t longest) {
    diffuse_err e = DIFFUSE_OK;

    j->part = calloc(team_size(j->team), sizeof *j->part);
    j->out = calloc(ROUND, j->c->labels * sizeof *j->out);
    if (!j->part || !j->out)
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; !e && i < team_size(j->team); i++)
        e = part_init(&j->part[i], j->c, longest);
    return e;
}

diffuse_err soft_add(struct soft *s, const struct net_config *c, const struct net_weights *w,
                     struct team *team, const struct rows *const *rows, size_t n,
                     struct reason *why) {
    struct job job = {.c = c, .w = w, .team = team};
    struct spool next;
    size_t total = 0, longest = 0;
    diffuse_err e;

    for (size_t i = 0; i < n; i++) {
        total += rows[i]->n;
        longest = rows[i]->longest > longest ? rows[i]->longest : longest;
    }
    if ((e = check(s, c, total, why)))
        return e;
    s->n = total;
    s->labels = c->labels;
    spool_init(&next);
    if (total * c->labels * sizeof(float) > ROWS_MEMORY)
        e = spool_to_file(&next, why);
    if (!e)
        e = job_init(&job, longest);
    for (size_t i = 0; !e && i < n; i++) {
        job.rows = rows[i];
        e = add_rows(s, &next, &job, why);
    }
    job_done(&job);
    if (e) {
        spool_done(&next);
        return e;
    }
    spool_done(&s->mean);
    s->mean = next;
    s->teachers++;
    return DIFFUSE_OK;
}

diffuse_err soft_read(const struct soft *s, size_t i, float *target, struct reason *why) {
    size_t bytes = s->labels * sizeof *target;

    return spool_read(&s->mean, i * bytes, bytes, target, why);
}
