/* step.c - see step.h. */
#include "model/train/step.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "model/base/vec.h"
#include "model/train/loss.h"
#include "model/train/update.h"

#define CHUNK_TOKENS 1024 /* of one forward pass: what fits the second-level cache */

/* What one member of the team owns. */
struct part {
    struct net_scratch *scratch;
    real *logits; /* (max_rows,L) */
    struct net_noise noise;
    double loss, squares;
    size_t hits;
};

struct step {
    struct net_config c;
    struct step_options o;
    struct net_weights *w;
    struct team *team;
    struct update update;
    struct rng_table table;
    struct arena arena;
    struct part *part;             /* (team) */
    uint32_t *ids, *start, *truth; /* the batch */
    struct net_batch batch;
};

static size_t chunk_tokens(size_t max_length) {
    return max_length > CHUNK_TOKENS ? max_length : CHUNK_TOKENS;
}

static size_t arena_need(const struct step *s, size_t max_rows, size_t max_length) {
    size_t tokens = max_rows * max_length, each;

    each = net_training_scratch_bytes(&s->c, chunk_tokens(max_length), max_rows) +
           arena_block(max_rows * s->c.labels * sizeof(real));
    return team_size(s->team) * each + arena_block(tokens * sizeof(uint32_t)) +
           2 * arena_block((max_rows + 1) * sizeof(uint32_t));
}

static diffuse_err part_new(struct step *s, struct part *p, size_t max_rows, size_t max_length) {
    diffuse_err e =
        net_training_scratch_new(&s->arena, &s->c, chunk_tokens(max_length), max_rows, &p->scratch);

    if (e)
        return e;
    p->logits = arena_alloc(&s->arena, max_rows * s->c.labels * sizeof(real));
    assert(p->logits); /* arena_need counted it */
    p->noise = (struct net_noise){.table = &s->table,
                                  .embed_dropout = s->o.embed_dropout,
                                  .dropout = s->o.dropout,
                                  .noise_std = (double)s->c.noise_std};
    return DIFFUSE_OK;
}

static diffuse_err fill(struct step *s, size_t max_rows, size_t max_length) {
    const struct update_options o = {s->o.lr, s->o.table_lr, s->o.weight_decay, s->o.table_decay,
                                     s->o.clip};
    size_t tokens = max_rows * max_length;
    diffuse_err e;

    if ((e = arena_init(&s->arena, arena_need(s, max_rows, max_length))) ||
        (e = update_init(&s->update, &s->c, s->w, &o, s->team, tokens)))
        return e;
    s->part = calloc(team_size(s->team), sizeof *s->part);
    if (!s->part)
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; i < team_size(s->team); i++)
        if ((e = part_new(s, &s->part[i], max_rows, max_length)))
            return e;
    s->ids = arena_alloc(&s->arena, tokens * sizeof *s->ids);
    s->start = arena_alloc(&s->arena, (max_rows + 1) * sizeof *s->start);
    s->truth = arena_alloc(&s->arena, (max_rows + 1) * sizeof *s->truth);
    return s->ids && s->start && s->truth ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

diffuse_err step_new(const struct net_config *c, struct net_weights *w,
                     const struct step_options *o, struct team *team, size_t max_rows,
                     size_t max_length, struct step **ret_step) {
    struct step *s = calloc(1, sizeof *s);
    diffuse_err e;

    if (!s)
        return DIFFUSE_NOMEM;
    s->c = *c;
    s->w = w;
    s->o = *o;
    s->team = team;
    rng_table_init(&s->table);
    if ((e = fill(s, max_rows, max_length))) {
        step_free(s);
        return e;
    }
    *ret_step = s;
    return DIFFUSE_OK;
}

void step_free(struct step *s) {
    if (!s)
        return;
    update_done(&s->update);
    arena_done(&s->arena);
    free(s->part);
    free(s);
}

size_t step_bytes(const struct step *s) {
    return s->arena.cap + update_bytes(&s->update);
}

/* Lay the picked rows end to end, leaving words out. */
static diffuse_err make_batch(struct step *s, const struct rows *rows, const size_t *pick, size_t n,
                              struct reason *why) {
    struct rng rng;
    uint32_t at = 0;

    rng_init(&rng, s->o.seed, s->update.count << 8 | 0xff);
    for (size_t i = 0; i < n; i++) {
        uint32_t *ids = s->ids + at, length; /* what is kept moves forward in place */
        diffuse_err e = rows_read(rows, pick[i], ids, &length, &s->truth[i], why);

        if (e)
            return e;
        s->start[i] = at;
        for (size_t j = 0; j < length; j++)
            if (s->o.word_dropout <= 0 || rng_unit(&rng) >= s->o.word_dropout)
                s->ids[at++] = ids[j];
        if (at == s->start[i]) /* no sequence may be empty */
            s->ids[at++] = ids[rng_below(&rng, length)];
    }
    s->start[n] = at;
    s->batch = (struct net_batch){s->ids, s->start, (uint32_t)n};
    return DIFFUSE_OK;
}

/* First sequence of the batch that starts at or after token. */
static uint32_t sequence_at(const struct net_batch *batch, size_t token) {
    uint32_t b = 0;

    while (b < batch->n && batch->start[b] < token)
        b++;
    return b;
}

static void learn_chunk(struct step *s, unsigned member, uint32_t from, uint32_t to) {
    struct part *p = &s->part[member];
    const struct net_batch chunk = {s->ids, s->start + from, to - from};
    size_t C = s->c.width, L = s->c.labels, N = chunk.start[chunk.n] - chunk.start[0];
    const real *dh;

    net_forward_training(&s->c, s->w, p->scratch, &chunk, &p->noise, p->logits);
    for (uint32_t i = 0; i < chunk.n; i++) {
        real *row = p->logits + i * L;
        bool hit;

        p->loss += loss_row(row, s->c.labels, s->truth[from + i], s->o.label_smoothing,
                            1.0 / s->batch.n, row, &hit);
        p->hits += hit;
    }
    dh = net_backward(&s->c, s->w, p->scratch, &chunk, &p->noise, p->logits, &s->update.to[member]);
    vec_copy(N * C, dh, s->update.vector + (size_t)chunk.start[0] * C);
}

static void learn(void *arg, unsigned member) {
    struct step *s = arg;
    struct part *p = &s->part[member];
    size_t from, to;
    uint32_t b, end;

    team_share(s->team, member, s->start[s->batch.n], &from, &to);
    b = sequence_at(&s->batch, from);
    end = member + 1 == team_size(s->team) ? s->batch.n : sequence_at(&s->batch, to);
    rng_init(&p->noise.rng, s->o.seed, (s->update.count + 1) << 8 | member);
    vec_zero(s->update.dense, s->update.grad[member]);
    p->loss = 0;
    p->hits = 0;
    while (b < end) {
        uint32_t next = b + 1;

        while (next < end && s->start[next + 1] - s->start[b] <= CHUNK_TOKENS)
            next++;
        learn_chunk(s, member, b, next);
        b = next;
    }
    if (member + 1 == team_size(s->team)) /* usually the shortest part */
        lookups_find(&s->update.lookups, &s->c, &s->batch);
}

static void reduce(void *arg, unsigned member) {
    struct step *s = arg;

    s->part[member].squares = update_reduce(&s->update, s->team, member);
}

static void apply(void *arg, unsigned member) {
    struct step *s = arg;

    update_apply(&s->update, s->team, member);
}

diffuse_err step_run(struct step *s, const struct rows *rows, const size_t *pick, size_t n,
                     double rate, struct step_result *ret_result, struct reason *why) {
    double loss = 0, squares = 0;
    size_t hits = 0;
    diffuse_err e = make_batch(s, rows, pick, n, why);

    if (e)
        return e;
    team_run(s->team, learn, s);
    team_run(s->team, reduce, s);
    for (unsigned i = 0; i < team_size(s->team); i++) {
        loss += s->part[i].loss;
        hits += s->part[i].hits;
        squares += s->part[i].squares;
    }
    update_prepare(&s->update, rate, sqrt(squares));
    team_run(s->team, apply, s);
    *ret_result = (struct step_result){loss / (double)n, hits, sqrt(squares)};
    return DIFFUSE_OK;
}
