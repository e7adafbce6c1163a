#include "model/train/step.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "model/base/vec.h"
#include "model/train/batch.h"
#include "model/train/eval/loss.h"
#include "model/train/update/update.h"

#define CHUNK_TOKENS 1024 /* of one forward pass: what fits the second-level cache */

/* What one member of the team owns. */
struct part {
    struct net_scratch *scratch;
    real *logits, *dlogits; /* (chunk sequences,L) */
    struct net_noise noise;
    double loss, squares;
    size_t hits;
};

struct step {
    struct net_config c;
    struct step_options o;
    struct step_plan plan;
    struct net_weights *w;
    struct team *team;
    struct update update;
    struct scaler scaler;
    struct rng_table table;
    struct arena arena;
    struct part *part; /* (team) */
    struct batch batch;
    size_t rows; /* of the whole batch */
};

/* --- memory -------------------------------------------------------------- */

/* A chunk is at least one row. */
static size_t chunk_tokens(size_t max_length) {
    return max_length > CHUNK_TOKENS ? max_length : CHUNK_TOKENS;
}

static size_t chunk_seqs(const struct step_plan *plan) {
    return plan->piece_seqs < CHUNK_TOKENS ? plan->piece_seqs : CHUNK_TOKENS;
}

static size_t part_bytes(const struct net_config *c, const struct step_options *o,
                         const struct step_plan *plan, size_t max_length) {
    size_t seqs = chunk_seqs(plan), logits = seqs * c->labels * sizeof(real);

    return net_training_scratch_bytes(c, chunk_tokens(max_length), seqs, o->kept) +
           2 * arena_block(logits);
}

static struct update_options update_of(const struct step_options *o) {
    return (struct update_options){.lr = o->lr,
                                   .table_lr = o->table_lr,
                                   .weight_decay = o->weight_decay,
                                   .table_decay = o->table_decay,
                                   .clip = o->clip,
                                   .kept = o->kept,
                                   .from = o->from,
                                   .anchor_pull = o->anchor_pull,
                                   .anchor = o->anchor,
                                   .anchored = o->anchored};
}

/* Bytes whatever the piece's tokens. */
static size_t fixed_bytes(const struct net_config *c, const struct step_options *o,
                          const struct step_plan *plan, unsigned members, size_t max_length) {
    const struct update_options u = update_of(o);

    return members * part_bytes(c, o, plan, max_length) + batch_bytes(plan->piece_seqs) +
           update_bytes(c, &u, members, plan->accumulates);
}

static size_t bytes_each(const struct net_config *c, const struct step_options *o) {
    const struct update_options u = update_of(o);

    return update_bytes_each(c, &u) + batch_bytes_each();
}

/* Down to a number of four binary digits: a budget a little smaller gives the same, mostly. */
static size_t round_down(size_t n) {
    size_t unit = 1;

    while (n / unit >= 16)
        unit *= 2;
    return n / unit * unit;
}

diffuse_err step_plan_make(const struct net_config *c, const struct step_options *o,
                           unsigned members, size_t max_rows, size_t max_length, uint64_t budget,
                           struct step_plan *ret_plan, struct reason *why) {
    size_t each = bytes_each(c, o), least = max_length, fixed;
    struct step_plan plan = {.piece_tokens = max_rows * max_length, .piece_seqs = max_rows};

    fixed = fixed_bytes(c, o, &plan, members, max_length);
    plan.bytes = fixed + plan.piece_tokens * each;
    if (budget && plan.bytes > budget) {
        plan.accumulates = true;
        fixed = fixed_bytes(c, o, &plan, members, max_length);
        if (fixed + least * each > budget)
            return reason_set(why, DIFFUSE_TOOBIG,
                              "training takes %zu MiB at least, %zu MiB may be used: raise "
                              "--memory, or lower --width, --vocab-size, --ngram-rows, "
                              "--max-length or --threads",
                              (fixed + least * each) >> 20, (size_t)(budget >> 20));
        plan.piece_tokens = round_down((size_t)(budget - fixed) / each);
        if (plan.piece_tokens < least)
            plan.piece_tokens = least;
        plan.bytes = fixed + plan.piece_tokens * each;
    }
    *ret_plan = plan;
    return DIFFUSE_OK;
}

diffuse_err step_plan_repeat(const struct net_config *c, const struct step_options *o,
                             unsigned members, size_t max_rows, size_t max_length, uint64_t budget,
                             size_t piece_tokens, struct step_plan *ret_plan, struct reason *why) {
    size_t least = max_length, most = least * max_rows;
    struct step_plan plan = {
        .piece_tokens = piece_tokens, .piece_seqs = max_rows, .accumulates = piece_tokens < most};

    if (piece_tokens < least || piece_tokens > most)
        return reason_set(why, DIFFUSE_CORRUPT, "pieces of %zu tokens, expected %zu to %zu",
                          piece_tokens, least, most);
    plan.bytes = fixed_bytes(c, o, &plan, members, max_length) + piece_tokens * bytes_each(c, o);
    if (budget && plan.bytes > budget + budget / 16)
        return reason_set(why, DIFFUSE_TOOBIG,
                          "the run that goes on has pieces of %zu tokens, which take %zu MiB; %zu "
                          "MiB may be used: raise --memory",
                          piece_tokens, plan.bytes >> 20, (size_t)(budget >> 20));
    *ret_plan = plan;
    return DIFFUSE_OK;
}

void step_plan_piece(const struct net_config *c, const struct step_options *o, unsigned members,
                     size_t max_rows, size_t max_length, size_t tokens,
                     struct step_plan *ret_plan) {
    struct step_plan plan = {.piece_tokens = tokens, .piece_seqs = max_rows};

    plan.bytes =
        fixed_bytes(c, o, &plan, members, max_length) + plan.piece_tokens * bytes_each(c, o);
    *ret_plan = plan;
}

static diffuse_err part_init(struct step *s, struct part *p, size_t max_length) {
    size_t seqs = chunk_seqs(&s->plan), L = s->c.labels;
    diffuse_err e = net_training_scratch_new(&s->arena, &s->c, chunk_tokens(max_length), seqs,
                                             s->o.kept, &p->scratch);

    if (e)
        return e;
    p->logits = arena_alloc(&s->arena, seqs * L * sizeof(real));
    p->dlogits = arena_alloc(&s->arena, seqs * L * sizeof(real));
    p->noise = (struct net_noise){.table = &s->table,
                                  .embed_dropout = s->o.embed_dropout,
                                  .dropout = s->o.dropout,
                                  .noise_std = (double)s->c.noise_std};
    return p->logits && p->dlogits ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static diffuse_err fill(struct step *s, size_t max_length) {
    const struct update_options o = update_of(&s->o);
    unsigned members = team_size(s->team);
    diffuse_err e;

    if ((e = arena_init(&s->arena, members * part_bytes(&s->c, &s->o, &s->plan, max_length) +
                                       batch_bytes(s->plan.piece_seqs) +
                                       arena_block(s->plan.piece_tokens * batch_bytes_each()))) ||
        (e = update_init(&s->update, &s->c, s->w, &o, s->team, s->plan.piece_tokens,
                         s->plan.accumulates)) ||
        (e = batch_init(&s->batch, &s->arena, s->plan.piece_tokens, s->plan.piece_seqs)))
        return e;
    s->part = calloc(members, sizeof *s->part);
    e = s->part ? DIFFUSE_OK : DIFFUSE_NOMEM;
    for (unsigned i = 0; !e && i < members; i++)
        e = part_init(s, &s->part[i], max_length);
    return e;
}

diffuse_err step_new(const struct net_config *c, struct net_weights *w,
                     const struct step_options *o, struct team *team, size_t max_length,
                     const struct step_plan *plan, struct step **ret_step) {
    struct step *s = calloc(1, sizeof *s);
    diffuse_err e;

    if (!s)
        return DIFFUSE_NOMEM;
    s->c = *c;
    s->w = w;
    s->o = *o;
    s->team = team;
    s->plan = *plan;
    rng_table_init(&s->table);
    scaler_init(&s->scaler, o->kept);
    if ((e = fill(s, max_length))) {
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

void step_restart(struct step *s, uint64_t seed, const struct net_weights *anchor, size_t anchored,
                  double anchor_pull) {
    struct step_state state = step_state(s);

    vec_zero(state.n, state.m);
    vec_zero(state.n, state.v);
    *state.count = 0;
    scaler_init(&s->scaler, s->o.kept);
    s->o.seed = seed;
    s->update.o.anchor = anchor;
    s->update.o.anchored = anchored;
    s->update.o.anchor_pull = anchor_pull;
}

struct step_state step_state(struct step *s) {
    return (struct step_state){s->update.m, s->update.v, s->update.list.entries - s->update.rests,
                               &s->update.count, &s->scaler};
}

/* --- one chunk ----------------------------------------------------------- */

/* Loss and dlogits of the n sequences from q on. */
static void chunk_loss(const struct step *s, struct part *p, uint32_t from, uint32_t n) {
    size_t L = s->c.labels;
    double scale = 1.0 / (double)s->rows;

    for (uint32_t i = 0; i < n; i++) {
        bool hit;

        p->loss += scale * loss_row(p->logits + i * L, s->c.labels, s->batch.truth[from + i],
                                    s->o.label_smoothing, scale, p->dlogits + i * L, &hit);
        p->hits += hit;
    }
}

static void learn_chunk(struct step *s, unsigned member, uint32_t from, uint32_t to) {
    struct part *p = &s->part[member];
    const struct net_batch chunk = {s->batch.ids, s->batch.start + from, to - from};
    size_t C = s->c.width, N = chunk.start[chunk.n] - chunk.start[0];
    const struct store *dh;

    net_forward_training(&s->c, s->w, p->scratch, &chunk, &p->noise, p->logits);
    chunk_loss(s, p, from, chunk.n);
    if (s->scaler.scale != 1)
        vec_scale(chunk.n * s->c.labels, s->scaler.scale, p->dlogits);
    dh =
        net_backward(&s->c, s->w, p->scratch, &chunk, &p->noise, p->dlogits, &s->update.to[member]);
    if (s->update.vector.at)
        store_copy(dh, N * C, &s->update.vector, (size_t)chunk.start[0] * C);
}

/* --- one piece ----------------------------------------------------------- */

/* First sequence of the piece that starts at or after token. */
static uint32_t sequence_at(const struct batch *b, size_t token) {
    uint32_t q = 0;

    while (q < b->net.n && b->start[q] < token)
        q++;
    return q;
}

static void learn(void *arg, unsigned member) {
    struct step *s = arg;
    const struct batch *b = &s->batch;
    uint32_t at, end, limit = (uint32_t)chunk_seqs(&s->plan);
    size_t from, to;

    team_share(s->team, member, b->start[b->net.n], &from, &to);
    at = sequence_at(b, from);
    end = member + 1 == team_size(s->team) ? b->net.n : sequence_at(b, to);
    while (at < end) {
        uint32_t next = at + 1;

        while (next < end && next + 1 - at <= limit &&
               b->start[next + 1] - b->start[at] <= CHUNK_TOKENS)
            next++;
        learn_chunk(s, member, at, next);
        at = next;
    }
    if (member + 1 == team_size(s->team) && s->update.vector.at) /* usually the shortest part */
        lookups_find(&s->update.lookups, &s->c, &b->net);
}

static void collect(void *arg, unsigned member) {
    struct step *s = arg;

    update_collect(&s->update, s->team, member);
}

static void reduce(void *arg, unsigned member) {
    struct step *s = arg;

    s->part[member].squares = update_reduce(&s->update, s->team, member);
}

static void apply(void *arg, unsigned member) {
    struct step *s = arg;

    update_apply(&s->update, s->team, member);
}

/* --- the step ------------------------------------------------------------ */

static void begin(struct step *s, size_t n) {
    s->rows = n;
    for (unsigned i = 0; i < team_size(s->team); i++) {
        struct part *p = &s->part[i];

        rng_init(&p->noise.rng, s->o.seed, (s->update.count + 1) << 8 | i);
        vec_zero(s->update.dense, s->update.grad[i]);
        p->loss = 0;
        p->hits = 0;
    }
}

static void run_piece(struct step *s) {
    team_run(s->team, learn, s);
    if (s->plan.accumulates)
        team_run(s->team, collect, s);
}

static void finish(struct step *s, double rate, struct step_result *r) {
    double squares = 0;

    team_run(s->team, reduce, s);
    for (unsigned i = 0; i < team_size(s->team); i++) {
        r->loss += s->part[i].loss;
        r->hits += s->part[i].hits;
        squares += s->part[i].squares;
    }
    r->norm = sqrt(squares) / (double)s->scaler.scale;
    s->update.loss_scale = s->scaler.scale;
    r->skipped = !scaler_take(&s->scaler, s->o.kept, isfinite(r->norm));
    if (r->skipped) {
        update_skip(&s->update);
        return;
    }
    update_prepare(&s->update, rate, r->norm);
    team_run(s->team, apply, s);
}

diffuse_err step_run(struct step *s, const struct rows *rows, const size_t *pick, size_t n,
                     double rate, struct step_result *ret_result, struct reason *why) {
    struct step_result result = {0};
    struct rng rng;
    diffuse_err e;

    rng_init(&rng, s->o.seed, s->update.count << 8 | 0xff);
    begin(s, n);
    for (size_t done = 0, taken; done < n; done += taken) {
        if ((e = batch_lay(&s->batch, rows, pick + done, n - done, s->o.word_dropout, &rng, &taken,
                           why)))
            return e;
        run_piece(s);
        result.tokens += s->batch.start[s->batch.net.n];
    }
    finish(s, rate, &result);
    *ret_result = result;
    return DIFFUSE_OK;
}

void step_run_rows(struct step *s, const struct step_row *row, size_t n, double rate,
                   struct step_result *ret_result) {
    struct step_result result = {0};
    struct rng rng;

    assert(!s->plan.accumulates);
    rng_init(&rng, s->o.seed, s->update.count << 8 | 0xff);
    begin(s, n);
    batch_begin(&s->batch);
    for (size_t i = 0; i < n; i++)
        batch_lay_row(&s->batch, row[i].ids, row[i].length, row[i].label, s->o.word_dropout, &rng);
    team_run(s->team, learn, s);
    result.tokens = s->batch.start[s->batch.net.n];
    finish(s, rate, &result);
    *ret_result = result;
}
