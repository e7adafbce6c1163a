#include "model/train/distil.h"

#include <stdlib.h>
#include <string.h>

#include "model/net/label.h"
#include "model/train/eval/eval.h"

void distil_init(struct distil *s) {
    *s = (struct distil){0};
    spool_init(&s->mean);
}

void distil_done(struct distil *s) {
    spool_done(&s->mean);
    distil_init(s);
}

#define ROUND 8192u /* rows of one round: what is held in memory */

/* A teacher's probabilities for the rows of a round. */
struct round {
    float *out; /* (ROUND,L) */
    uint32_t labels;
    size_t n;
};

static diffuse_err teach(void *user, unsigned member, size_t row, const real *logits,
                         uint32_t label) {
    const struct round *r = user;
    float *out = r->out + row * r->labels;

    (void)member;
    (void)label;
    (void)label_softmax(logits, r->labels, 1, out);
    return DIFFUSE_OK;
}

/* The round's probabilities joined with those of the teachers before, onto the end of next. */
static diffuse_err join(struct distil *s, struct spool *next, const struct round *r,
                        struct reason *why) {
    uint32_t L = s->labels;
    float *before = s->teachers ? malloc(L * sizeof *before) : NULL;
    diffuse_err e = s->teachers && !before ? DIFFUSE_NOMEM : DIFFUSE_OK;

    for (size_t i = 0; !e && i < r->n; i++) {
        float *row = r->out + i * L;

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

static diffuse_err add_rows(struct distil *s, struct spool *next, const struct net_config *c,
                            const struct net_weights *w, struct team *team, const struct rows *rows,
                            struct round *r, struct reason *why) {
    diffuse_err e = DIFFUSE_OK;

    for (size_t from = 0; !e && from < rows->n; from += r->n) {
        struct rows slice;

        r->n = rows->n - from < ROUND ? rows->n - from : ROUND;
        rows_slice(rows, from, r->n, &slice);
        e = eval_each(c, w, team, &slice, teach, r, why);
        rows_done(&slice);
        if (!e)
            e = join(s, next, r, why);
    }
    return e;
}

static diffuse_err check(const struct distil *s, const struct net_config *c, size_t n,
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

diffuse_err distil_add(struct distil *s, const struct net_config *c, const struct net_weights *w,
                       struct team *team, const struct rows *const *rows, size_t n,
                       struct reason *why) {
    struct round round = {.labels = c->labels};
    struct spool next;
    size_t total = 0;
    diffuse_err e;

    for (size_t i = 0; i < n; i++)
        total += rows[i]->n;
    if ((e = check(s, c, total, why)))
        return e;
    s->n = total;
    s->labels = c->labels;
    spool_init(&next);
    if (total * c->labels * sizeof(float) > ROWS_MEMORY)
        e = spool_to_file(&next, why);
    if (!e && !(round.out = calloc(ROUND, c->labels * sizeof *round.out)))
        e = DIFFUSE_NOMEM;
    for (size_t i = 0; !e && i < n; i++)
        e = add_rows(s, &next, c, w, team, rows[i], &round, why);
    free(round.out);
    if (e) {
        spool_done(&next);
        return e;
    }
    spool_done(&s->mean);
    s->mean = next;
    s->teachers++;
    return DIFFUSE_OK;
}

diffuse_err distil_read(const struct distil *s, size_t i, float *target, struct reason *why) {
    size_t bytes = s->labels * sizeof *target;

    return spool_read(&s->mean, i * bytes, bytes, target, why);
}
