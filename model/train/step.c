/* step.c - see step.h. */
#include "model/train/step.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "model/base/vec.h"
#include "model/train/adamw.h"
#include "model/train/lookups.h"
#include "model/train/loss.h"

#define CHUNK_TOKENS 1024 /* of one forward pass: what fits the second-level cache */

/* What one member of the team owns. */
struct part {
    struct net_scratch *scratch;
    real *grad_block; /* (dense entries) */
    struct net_weights grad;
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
    struct weights_list list;
    struct rng_table table;
    struct arena arena;
    struct part *part; /* (team) */
    real *m, *v;       /* (entries) moments */
    real *dh;          /* (max tokens, C) */
    struct lookups lookups;
    uint32_t *ids, *start, *truth; /* the batch */
    struct net_batch batch;
    uint64_t count; /* steps done */
    struct adamw dense, tables;
    real scale; /* clipping */
};

static size_t dense_entries(const struct step *s) {
    return s->list.entries - s->list.table_entries;
}

static size_t chunk_tokens(size_t max_length) {
    return max_length > CHUNK_TOKENS ? max_length : CHUNK_TOKENS;
}

static size_t arena_need(const struct step *s, size_t max_rows, size_t max_length) {
    size_t tokens = max_rows * max_length, each;

    each = net_training_scratch_bytes(&s->c, chunk_tokens(max_length), max_rows) +
           arena_block(dense_entries(s) * sizeof(real)) +
           arena_block(max_rows * s->c.labels * sizeof(real));
    return team_size(s->team) * each + 2 * arena_block(s->list.entries * sizeof(real)) +
           arena_block(tokens * s->c.width * sizeof(real)) +
           arena_block(tokens * sizeof(uint32_t)) +
           2 * arena_block((max_rows + 1) * sizeof(uint32_t));
}

static diffuse_err part_new(struct step *s, struct part *p, size_t max_rows, size_t max_length) {
    diffuse_err e =
        net_training_scratch_new(&s->arena, &s->c, chunk_tokens(max_length), max_rows, &p->scratch);

    if (e)
        return e;
    p->grad_block = arena_alloc(&s->arena, dense_entries(s) * sizeof(real));
    p->logits = arena_alloc(&s->arena, max_rows * s->c.labels * sizeof(real));
    assert(p->grad_block && p->logits); /* arena_need counted them */
    weights_point(&p->grad, &s->c, p->grad_block, true);
    p->noise = (struct net_noise){.table = &s->table,
                                  .embed_dropout = s->o.embed_dropout,
                                  .dropout = s->o.dropout,
                                  .noise_std = (double)s->c.noise_std};
    return DIFFUSE_OK;
}

static diffuse_err fill(struct step *s, size_t max_rows, size_t max_length) {
    size_t tokens = max_rows * max_length;
    diffuse_err e;

    if ((e = arena_init(&s->arena, arena_need(s, max_rows, max_length))) ||
        (e = lookups_init(&s->lookups, &s->c, tokens)))
        return e;
    s->part = calloc(team_size(s->team), sizeof *s->part);
    if (!s->part)
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; i < team_size(s->team); i++)
        if ((e = part_new(s, &s->part[i], max_rows, max_length)))
            return e;
    s->m = arena_alloc(&s->arena, s->list.entries * sizeof(real));
    s->v = arena_alloc(&s->arena, s->list.entries * sizeof(real));
    s->dh = arena_alloc(&s->arena, tokens * s->c.width * sizeof(real));
    s->ids = arena_alloc(&s->arena, tokens * sizeof *s->ids);
    s->start = arena_alloc(&s->arena, (max_rows + 1) * sizeof *s->start);
    s->truth = arena_alloc(&s->arena, (max_rows + 1) * sizeof *s->truth);
    return s->m && s->v && s->dh && s->ids && s->start && s->truth ? DIFFUSE_OK : DIFFUSE_NOMEM;
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
    weights_list_make(c, &s->list);
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
    lookups_done(&s->lookups);
    arena_done(&s->arena);
    free(s->part);
    free(s);
}

size_t step_bytes(const struct step *s) {
    return s->arena.cap + s->lookups.cap * (3 * sizeof(uint64_t) + s->c.width * sizeof(real));
}

/* Lay the picked rows end to end, leaving words out. */
static diffuse_err make_batch(struct step *s, const struct rows *rows, const size_t *pick, size_t n,
                              struct reason *why) {
    struct rng rng;
    uint32_t at = 0;

    rng_init(&rng, s->o.seed, s->count << 8 | 0xff);
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

static void learn_chunk(struct step *s, struct part *p, uint32_t from, uint32_t to) {
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
    dh = net_backward(&s->c, s->w, p->scratch, &chunk, &p->noise, p->logits, &p->grad);
    vec_copy(N * C, dh, s->dh + (size_t)chunk.start[0] * C);
}

static void learn(void *arg, unsigned member) {
    struct step *s = arg;
    struct part *p = &s->part[member];
    size_t from, to;
    uint32_t b, end;

    team_share(s->team, member, s->start[s->batch.n], &from, &to);
    b = sequence_at(&s->batch, from);
    end = member + 1 == team_size(s->team) ? s->batch.n : sequence_at(&s->batch, to);
    rng_init(&p->noise.rng, s->o.seed, s->count << 8 | member);
    vec_zero(dense_entries(s), p->grad_block);
    p->loss = 0;
    p->hits = 0;
    while (b < end) {
        uint32_t next = b + 1;

        while (next < end && s->start[next + 1] - s->start[b] <= CHUNK_TOKENS)
            next++;
        learn_chunk(s, p, b, next);
        b = next;
    }
    if (member + 1 == team_size(s->team)) /* usually the shortest part */
        lookups_find(&s->lookups, &s->c, &s->batch);
}

/* Sum the members' gradients into member 0's, and the tokens' into the rows'. */
static void reduce(void *arg, unsigned member) {
    struct step *s = arg;
    size_t from, to;

    team_share(s->team, member, dense_entries(s), &from, &to);
    for (unsigned i = 1; i < team_size(s->team); i++)
        vec_add(to - from, s->part[i].grad_block + from, s->part[0].grad_block + from);
    s->part[member].squares = (double)vec_sum_squares(to - from, s->part[0].grad_block + from);
    team_share(s->team, member, s->lookups.rows, &from, &to);
    s->part[member].squares += lookups_sum(&s->lookups, from, to, s->dh);
}

static void update_dense(struct step *s, size_t from, size_t to) {
    struct adamw a = s->dense;

    for (size_t i = 0; i < s->list.n; i++) {
        const struct weights_tensor *t = &s->list.tensor[i];
        size_t begin, end, at;

        if (t->table)
            continue;
        begin = t->offset - s->list.table_entries;
        end = begin + t->count;
        begin = begin < from ? from : begin;
        end = end > to ? to : end;
        if (begin >= end)
            continue;
        at = s->list.table_entries + begin;
        a.decay = t->decays ? s->o.weight_decay : 0;
        adamw_update(&a, end - begin, s->scale, s->part[0].grad_block + begin, s->m + at, s->v + at,
                     s->w->block + at);
    }
}

static void update(void *arg, unsigned member) {
    struct step *s = arg;
    size_t from, to, C = s->c.width;

    team_share(s->team, member, dense_entries(s), &from, &to);
    update_dense(s, from, to);
    team_share(s->team, member, s->lookups.rows, &from, &to);
    for (size_t r = from; r < to; r++) {
        size_t at = lookups_row(&s->lookups, r) * C; /* the n-gram table follows the embedding */

        adamw_update(&s->tables, C, s->scale, s->lookups.grad + r * C, s->m + at, s->v + at,
                     s->w->block + at);
    }
}

static void prepare_update(struct step *s, double rate, double norm) {
    s->scale = s->o.clip > 0 && norm > s->o.clip ? (real)(s->o.clip / norm) : 1;
    s->dense = (struct adamw){
        .lr = s->o.lr * rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .step = s->count};
    s->tables = s->dense;
    s->tables.lr = s->o.table_lr * rate;
    s->tables.decay = s->o.table_decay;
}

diffuse_err step_run(struct step *s, const struct rows *rows, const size_t *pick, size_t n,
                     double rate, struct step_result *ret_result, struct reason *why) {
    double loss = 0, squares = 0;
    size_t hits = 0;
    diffuse_err e = make_batch(s, rows, pick, n, why);

    if (e)
        return e;
    s->count++;
    team_run(s->team, learn, s);
    team_run(s->team, reduce, s);
    for (unsigned i = 0; i < team_size(s->team); i++) {
        loss += s->part[i].loss;
        hits += s->part[i].hits;
        squares += s->part[i].squares;
    }
    prepare_update(s, rate, sqrt(squares));
    team_run(s->team, update, s);
    *ret_result = (struct step_result){loss / (double)n, hits, sqrt(squares)};
    return DIFFUSE_OK;
}
