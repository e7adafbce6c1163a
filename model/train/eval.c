/* eval.c - see eval.h. */
#include "model/train/eval.h"

#include <stdlib.h>

#include "model/train/loss.h"

#define CHUNK_TOKENS 1024
#define CHUNK_ROWS   64

struct part {
    struct arena arena;
    struct net_scratch *scratch;
    real *logits;
    double loss;
    size_t hits;
};

struct job {
    const struct net_config *c;
    const struct net_weights *w;
    struct team *team;
    const struct rows *rows;
    uint32_t *predicted;
    struct part *part;
};

/* Rows from `from` that share one forward pass: their number. */
static size_t chunk_rows(const struct rows *rows, size_t from, size_t to) {
    size_t n = 1, tokens = rows_length(rows, from);

    while (from + n < to && n < CHUNK_ROWS) {
        tokens += rows_length(rows, from + n);
        if (tokens > CHUNK_TOKENS)
            break;
        n++;
    }
    return n;
}

static void eval_chunk(struct job *j, struct part *p, size_t from, size_t n) {
    uint32_t start[CHUNK_ROWS + 1], L = j->c->labels;
    struct net_batch batch = {j->rows->ids + j->rows->start[from], start, (uint32_t)n};

    for (size_t i = 0; i <= n; i++)
        start[i] = (uint32_t)(j->rows->start[from + i] - j->rows->start[from]);
    net_forward(j->c, j->w, p->scratch, &batch, p->logits);
    for (size_t i = 0; i < n; i++) {
        real *logits = p->logits + i * L;
        uint32_t best = 0;
        bool hit;

        for (uint32_t k = 1; k < L; k++)
            best = logits[k] > logits[best] ? k : best;
        if (j->predicted)
            j->predicted[from + i] = best;
        p->loss += loss_row(logits, L, j->rows->label[from + i], 0, 1, logits, &hit);
        p->hits += hit;
    }
}

static void eval_part(void *arg, unsigned member) {
    struct job *j = arg;
    size_t from, to, n;

    team_share(j->team, member, j->rows->n, &from, &to);
    for (; from < to; from += n) {
        n = chunk_rows(j->rows, from, to);
        eval_chunk(j, &j->part[member], from, n);
    }
}

static diffuse_err part_init(struct part *p, const struct net_config *c, size_t longest) {
    size_t tokens = longest > CHUNK_TOKENS ? longest : CHUNK_TOKENS;
    size_t logits = CHUNK_ROWS * c->labels * sizeof(real);
    diffuse_err e =
        arena_init(&p->arena, net_scratch_bytes(c, tokens, CHUNK_ROWS) + arena_block(logits));

    if (e || (e = net_scratch_new(&p->arena, c, tokens, CHUNK_ROWS, &p->scratch)))
        return e;
    p->logits = arena_alloc(&p->arena, logits);
    return p->logits ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

diffuse_err eval_rows(const struct net_config *c, const struct net_weights *w, struct team *team,
                      const struct rows *rows, uint32_t *predicted,
                      struct eval_result *ret_result) {
    unsigned size = team_size(team);
    struct part *part = calloc(size, sizeof *part);
    struct job job = {c, w, team, rows, predicted, part};
    struct eval_result result = {.rows = rows->n};
    diffuse_err e = part ? DIFFUSE_OK : DIFFUSE_NOMEM;

    for (unsigned i = 0; !e && i < size; i++)
        e = part_init(&part[i], c, rows->longest);
    if (!e)
        team_run(team, eval_part, &job);
    for (unsigned i = 0; part && i < size; i++) {
        result.hits += part[i].hits;
        result.loss += part[i].loss / (double)(rows->n ? rows->n : 1);
        arena_done(&part[i].arena);
    }
    free(part);
    if (!e)
        *ret_result = result;
    return e;
}
