#include "model/train/denoise/denoise_step.h"

#include <math.h>
#include <stdlib.h>

#include "model/base/vec.h"
#include "model/train/denoise/contrast.h"

#define CHUNK_TOKENS 1024 /* of one forward pass: what fits the second-level cache */
#define CONTRAST_TOKENS                                                                            \
    4096 /* the same where pairs are told apart: each is told from those of its chunk */
#define CONTRAST_LEAST 8 /* tokens of a window that is cut in two */

enum { STREAM_PICK = 0xd0, STREAM_SCORE, STREAM_TEACH };

/* What one member of the team owns. */
struct part {
    struct net_scratch *net;
    struct denoise_scratch task;
    struct contrast_scratch contrast;
    struct teach_scratch teach;
    uint32_t *place; /* (chunk) picked tokens, counted from the chunk's first */
    real *grad;      /* (own) at the objective's parameters */
    struct net_noise noise;
    struct denoise_sum sum;
    double cosine; /* sum over the sequences */
    double squares;
};

struct denoise_step {
    struct net_config c;
    struct denoise_step_options o;
    struct net_weights *w;
    struct team *team;
    struct update update;
    struct denoise *task;
    size_t own;  /* entries of the objective's parameters */
    real *m, *v; /* (own) moments */
    struct rng_table table;
    struct arena arena;
    struct part *part; /* (team) */
    uint32_t *ids, *start;
    uint8_t *pair; /* (max_rows) sequence b and the next are the halves of one window */
    size_t *row;   /* (max_rows) which vector is that of sequence b; with vectors alone */
    uint32_t pairs;
    struct net_batch batch;
    struct denoise_picked picked;
    size_t max_rows, max_tokens;
};

/* The update's vectors: a token's gradient, a truth's, and each member's at the candidates. */
static size_t truth_vector(const struct denoise_step *s, size_t i) {
    return s->max_tokens + i;
}

static size_t candidate_vector(const struct denoise_step *s, unsigned member, size_t j) {
    return 2 * s->max_tokens + member * ((size_t)s->task->o.candidates + 1) + j;
}

static real *vector(const struct denoise_step *s, size_t i) {
    return (real *)s->update.vector.at + i * s->c.width;
}

static bool contrasts(const struct denoise_step *s) {
    return s->o.contrast > 0;
}

/* D; 0 where there are no vectors to be told. */
static uint32_t vector_width(const struct denoise_step *s) {
    return s->o.vectors ? s->o.vectors->width : 0;
}

static size_t chunk_tokens(const struct denoise_step *s, size_t max_length) {
    size_t most = contrasts(s) ? CONTRAST_TOKENS : CHUNK_TOKENS;

    return max_length > most ? max_length : most;
}

static size_t max_pairs(const struct denoise_step *s, size_t chunk) {
    size_t most = chunk / CONTRAST_LEAST, rows = s->max_rows / 2;

    return !contrasts(s) ? 0 : rows < most ? rows : most;
}

static size_t arena_need(const struct denoise_step *s, size_t chunk) {
    uint32_t S = s->o.task.candidates;
    size_t each = net_training_scratch_bytes(&s->c, chunk, s->max_rows, STORE_REAL) +
                  denoise_scratch_bytes(s->c.width, S, chunk) +
                  contrast_scratch_bytes(s->c.width, max_pairs(s, chunk)) +
                  teach_scratch_bytes(vector_width(s), s->c.width, s->max_rows) +
                  arena_block(chunk * sizeof(uint32_t)) + arena_block(s->own * sizeof(real));

    return team_size(s->team) * each + denoise_bytes(s->c.vocab, s->c.width, &s->o.task) +
           2 * arena_block(s->own * sizeof(real)) +
           3 * arena_block(s->max_tokens * sizeof(uint32_t)) +
           arena_block((s->max_rows + 1) * sizeof(uint32_t)) + arena_block(s->max_rows + 1) +
           arena_block((s->max_rows + 1) * sizeof(size_t));
}

static diffuse_err part_new(struct denoise_step *s, struct part *p, size_t chunk) {
    uint32_t S = s->o.task.candidates;
    diffuse_err e =
        net_training_scratch_new(&s->arena, &s->c, chunk, s->max_rows, STORE_REAL, &p->net);

    if (e || (e = denoise_scratch_new(&s->arena, s->c.width, S, chunk, &p->task)) ||
        (e = contrast_scratch_new(&s->arena, s->c.width, max_pairs(s, chunk), &p->contrast)) ||
        (e = teach_scratch_new(&s->arena, vector_width(s), s->c.width, s->max_rows, &p->teach)))
        return e;
    p->place = arena_alloc(&s->arena, chunk * sizeof *p->place);
    p->grad = arena_alloc(&s->arena, s->own * sizeof *p->grad);
    p->noise = (struct net_noise){.table = &s->table,
                                  .embed_dropout = s->o.embed_dropout,
                                  .dropout = s->o.dropout,
                                  .noise_std = (double)s->c.noise_std};
    return p->place && p->grad ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static diffuse_err fill(struct denoise_step *s, const uint64_t *count, size_t max_length) {
    size_t chunk = chunk_tokens(s, max_length), N = s->max_tokens;
    size_t vectors = 2 * N + team_size(s->team) * ((size_t)s->o.task.candidates + 1);
    diffuse_err e;

    if ((e = arena_init(&s->arena, arena_need(s, chunk))) ||
        (e = denoise_new(&s->arena, &s->c, &s->o.task, count, &s->task)) ||
        (e = update_init(&s->update, &s->c, s->w, &s->o.update, s->team, vectors, false)))
        return e;
    s->part = calloc(team_size(s->team), sizeof *s->part);
    if (!s->part)
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; i < team_size(s->team); i++)
        if ((e = part_new(s, &s->part[i], chunk)))
            return e;
    s->m = arena_alloc(&s->arena, s->own * sizeof *s->m);
    s->v = arena_alloc(&s->arena, s->own * sizeof *s->v);
    s->ids = arena_alloc(&s->arena, N * sizeof *s->ids);
    s->picked.place = arena_alloc(&s->arena, N * sizeof *s->picked.place);
    s->picked.truth = arena_alloc(&s->arena, N * sizeof *s->picked.truth);
    s->start = arena_alloc(&s->arena, (s->max_rows + 1) * sizeof *s->start);
    s->pair = arena_alloc(&s->arena, s->max_rows + 1);
    s->row = arena_alloc(&s->arena, (s->max_rows + 1) * sizeof *s->row);
    return s->m && s->v && s->ids && s->pair && s->row && s->picked.place && s->picked.truth &&
                   s->start
               ? DIFFUSE_OK
               : DIFFUSE_NOMEM;
}

/* Parameters of telling vectors, in a block of the objective's shape. */
static struct teach_tensors teaching(const struct denoise_step *s, real *block) {
    return teach_point(vector_width(s), s->c.width,
                       block + denoise_entries(s->c.vocab, s->c.width));
}

static void start_teaching(struct denoise_step *s) {
    struct rng rng;

    if (!s->o.vectors)
        return;
    rng_init(&rng, s->o.seed, STREAM_TEACH);
    teach_start(vector_width(s), s->c.width, &rng, teaching(s, s->task->block).proj);
}

diffuse_err denoise_step_new(const struct net_config *c, struct net_weights *w,
                             const struct denoise_step_options *o, const uint64_t *count,
                             struct team *team, size_t max_rows, size_t max_length,
                             struct denoise_step **ret_step) {
    struct denoise_step *s = calloc(1, sizeof *s);
    diffuse_err e;

    if (!s)
        return DIFFUSE_NOMEM;
    *s = (struct denoise_step){.c = *c,
                               .o = *o,
                               .w = w,
                               .team = team,
                               .max_rows = o->contrast > 0 ? 2 * max_rows : max_rows,
                               .max_tokens = max_rows * max_length};
    if (s->o.task.candidates > c->vocab)
        s->o.task.candidates = c->vocab;
    if (o->vectors)
        s->o.task.beside = teach_entries(vector_width(s), c->width);
    s->own = denoise_entries(c->vocab, c->width) + s->o.task.beside;
    rng_table_init(&s->table);
    if ((e = fill(s, count, max_length))) {
        denoise_step_free(s);
        return e;
    }
    start_teaching(s);
    *ret_step = s;
    return DIFFUSE_OK;
}

void denoise_step_free(struct denoise_step *s) {
    if (!s)
        return;
    update_done(&s->update);
    arena_done(&s->arena);
    free(s->part);
    free(s);
}

struct denoise_step_state denoise_step_state(struct denoise_step *s) {
    return (struct denoise_step_state){.m = s->update.m,
                                       .v = s->update.v,
                                       .n = s->update.list.entries,
                                       .own = s->task->block,
                                       .own_m = s->m,
                                       .own_v = s->v,
                                       .n_own = s->own,
                                       .count = &s->update.count};
}

/* Where a window of length tokens is cut: somewhere in its middle third. */
static uint32_t cut(uint32_t length, struct rng *rng) {
    return length / 3 + rng_below(rng, length / 3 + 1);
}

/* Rows pick[0..n), or from .. from+n-1 where pick is NULL, end to end and corrupted; cut in two
 * where halves are to be told apart. */
static diffuse_err make_batch(struct denoise_step *s, const struct rows *rows, const size_t *pick,
                              size_t from, size_t n, struct rng *rng, struct reason *why) {
    uint32_t at = 0, length, label, b = 0;
    bool halves = contrasts(s) && pick;

    s->pairs = 0;
    for (size_t i = 0; i < n; i++) {
        diffuse_err e =
            rows_read(rows, pick ? pick[i] : from + i, s->ids + at, &length, &label, why);

        if (e)
            return e;
        s->start[b] = at;
        s->row[b] = rows_place(rows, pick ? pick[i] : from + i);
        s->pair[b] = halves && length >= CONTRAST_LEAST;
        if (s->pair[b++]) {
            s->start[b] = at + cut(length, rng);
            s->pair[b++] = 0;
            s->pairs++;
        }
        at += length;
    }
    s->start[b] = at;
    s->batch = (struct net_batch){s->ids, s->start, b};
    denoise_pick(s->task, rng, s->ids, at, &s->picked);
    return DIFFUSE_OK;
}

/* First sequence of the batch that starts at or after token, and is no second half. */
static uint32_t sequence_at(const struct denoise_step *s, size_t token) {
    uint32_t b = 0;

    while (b < s->batch.n && (s->start[b] < token || (b > 0 && s->pair[b - 1])))
        b++;
    return b;
}

/* How many were picked before token. */
static uint32_t picked_before(const struct denoise_picked *picked, uint32_t token) {
    uint32_t low = 0, high = picked->n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (picked->place[mid] < token)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

typedef void chunk_job(struct denoise_step *s, unsigned member, const struct net_batch *chunk,
                       const struct denoise_picked *picked, uint32_t first_picked);

/* Member's share of the batch, in chunks; in each, what was picked counts from its first token. */
static void walk_chunks(struct denoise_step *s, unsigned member, chunk_job *job) {
    struct part *p = &s->part[member];
    size_t from, to, most = contrasts(s) ? CONTRAST_TOKENS : CHUNK_TOKENS;
    uint32_t b, end;

    team_share(s->team, member, s->start[s->batch.n], &from, &to);
    b = sequence_at(s, from);
    end = member + 1 == team_size(s->team) ? s->batch.n : sequence_at(s, to);
    while (b < end) {
        uint32_t next = b + 1 + s->pair[b], begin, stop;

        while (next < end && s->start[next + 1 + s->pair[next]] - s->start[b] <= most)
            next += 1u + s->pair[next];
        begin = picked_before(&s->picked, s->start[b]);
        stop = picked_before(&s->picked, s->start[next]);
        for (uint32_t i = begin; i < stop; i++)
            p->place[i - begin] = s->picked.place[i] - s->start[b];
        job(s, member, &(struct net_batch){s->ids, s->start + b, next - b},
            &(struct denoise_picked){p->place, s->picked.truth + begin, stop - begin}, begin);
        b = next;
    }
}

static void learn_chunk(struct denoise_step *s, unsigned member, const struct net_batch *chunk,
                        const struct denoise_picked *picked, uint32_t first_picked) {
    struct part *p = &s->part[member];
    size_t N = chunk->start[chunk->n] - chunk->start[0], C = s->c.width;
    real *out = vector(s, chunk->start[0]);
    struct denoise_gradient to = {
        .h = net_states_gradient(p->net),
        .truth = vector(s, truth_vector(s, first_picked)),
        .rows = vector(s, candidate_vector(s, member, 0)),
        .at = denoise_point(s->c.vocab, s->c.width, p->grad),
    };
    struct denoise_sum sum;
    uint32_t pairs;
    const real *h;

    if (picked->n == 0 && !s->o.vectors) { /* nothing to tell, nothing to learn */
        vec_zero(N * C, out);
        return;
    }
    h = net_states(&s->c, s->w, p->net, chunk, &p->noise);
    vec_zero(N * C, to.h);
    if (picked->n) {
        sum = denoise_learn(s->task, s->w, &p->task, h, picked, 1.0 / s->picked.n, &to);
        p->sum.loss += sum.loss;
    }
    if (s->o.vectors) {
        struct teach_tensors own = teaching(s, s->task->block), slope = teaching(s, p->grad);

        p->cosine += teach_learn(s->o.vectors, &own, chunk, s->row + (chunk->start - s->start),
                                 s->c.width, s->o.teach / s->batch.n, &p->teach, h, to.h, &slope);
    }
    if (s->pairs)
        contrast_learn(chunk, s->pair + (chunk->start - s->start), s->c.width,
                       s->o.contrast_temperature, s->o.contrast / s->pairs, &p->contrast, h, to.h,
                       &pairs);
    store_load(net_states_backward(&s->c, s->w, p->net, chunk, &p->noise, &s->update.to[member]), 0,
               N * C, out);
}

static void list_rows(struct denoise_step *s) {
    struct lookups *l = &s->update.lookups;

    lookups_begin(l);
    lookups_add_batch(l, &s->c, &s->batch);
    for (size_t i = 0; i < s->picked.n; i++)
        lookups_add(l, s->picked.truth[i], truth_vector(s, i));
    for (unsigned member = 0; member < team_size(s->team); member++)
        for (size_t j = 0; j < s->task->n; j++)
            lookups_add(l, s->task->candidate[j], candidate_vector(s, member, j));
    lookups_end(l, &s->c);
}

static void learn(void *arg, unsigned member) {
    struct denoise_step *s = arg;
    struct part *p = &s->part[member];

    rng_init(&p->noise.rng, s->o.seed, s->update.count << 8 | member);
    vec_zero(s->update.dense, s->update.grad[member]);
    vec_zero(s->own, p->grad);
    vec_zero(s->task->n * s->c.width, vector(s, candidate_vector(s, member, 0)));
    p->sum = (struct denoise_sum){0};
    p->cosine = 0;
    walk_chunks(s, member, learn_chunk);
    if (member + 1 == team_size(s->team)) /* usually the shortest part */
        list_rows(s);
}

static void reduce(void *arg, unsigned member) {
    struct denoise_step *s = arg;
    real *sum = s->part[0].grad;
    size_t from, to;

    team_share(s->team, member, s->own, &from, &to);
    for (unsigned i = 1; i < team_size(s->team); i++)
        vec_add(to - from, s->part[i].grad + from, sum + from);
    s->part[member].squares =
        (double)vec_sum_squares(to - from, sum + from) + update_reduce(&s->update, s->team, member);
}

static void apply(void *arg, unsigned member) {
    struct denoise_step *s = arg;
    size_t from, to;

    update_apply(&s->update, s->team, member);
    team_share(s->team, member, s->own, &from, &to);
    adamw_update(&s->update.for_dense, to - from, s->update.scale, s->part[0].grad + from,
                 s->m + from, s->v + from, s->task->block + from);
}

diffuse_err denoise_step_run(struct denoise_step *s, const struct rows *rows, const size_t *pick,
                             size_t n, double rate, struct denoise_result *ret_result,
                             struct reason *why) {
    double loss = 0, cosine = 0, squares = 0;
    struct rng rng;
    diffuse_err e;

    rng_init(&rng, s->o.seed, s->update.count << 8 | STREAM_PICK);
    if ((e = make_batch(s, rows, pick, 0, n, &rng, why)))
        return e;
    *ret_result =
        (struct denoise_result){.picked = s->picked.n, .tokens = s->start[s->batch.n], .rows = n};
    if (s->picked.n == 0 && !s->o.vectors)
        return DIFFUSE_OK;
    s->task->n = 0;
    if (s->picked.n) {
        denoise_draw(s->task, &rng);
        denoise_gather(s->task, s->w);
    }
    team_run(s->team, learn, s);
    team_run(s->team, reduce, s);
    for (unsigned i = 0; i < team_size(s->team); i++) {
        loss += s->part[i].sum.loss;
        cosine += s->part[i].cosine;
        squares += s->part[i].squares;
    }
    ret_result->loss = s->picked.n ? loss / s->picked.n : 0;
    ret_result->cosine = cosine / s->batch.n;
    ret_result->norm = sqrt(squares);
    if (!isfinite(ret_result->norm)) { /* the weights stay numbers */
        update_skip(&s->update);
        return DIFFUSE_OK;
    }
    update_prepare(&s->update, rate, ret_result->norm);
    team_run(s->team, apply, s);
    return DIFFUSE_OK;
}

static void score_chunk(struct denoise_step *s, unsigned member, const struct net_batch *chunk,
                        const struct denoise_picked *picked, uint32_t first_picked) {
    struct part *p = &s->part[member];
    const real *h = net_states(&s->c, s->w, p->net, chunk, NULL);
    struct denoise_sum sum = {0};

    (void)first_picked;
    if (picked->n)
        sum = denoise_score(s->task, s->w, &p->task, h, picked);
    p->sum.loss += sum.loss;
    p->sum.hits += sum.hits;
    if (s->o.vectors) {
        struct teach_tensors own = teaching(s, s->task->block);

        p->cosine += teach_learn(s->o.vectors, &own, chunk, s->row + (chunk->start - s->start),
                                 s->c.width, 0, &p->teach, h, NULL, NULL);
    }
}

static void score(void *arg, unsigned member) {
    walk_chunks(arg, member, score_chunk);
}

diffuse_err denoise_step_score(struct denoise_step *s, const struct rows *rows,
                               struct denoise_result *ret_result, struct reason *why) {
    struct denoise_result r = {.rows = rows->n};
    size_t most = contrasts(s) ? s->max_rows / 2 : s->max_rows;
    struct rng rng;

    rng_init(&rng, s->o.seed, STREAM_SCORE);
    for (unsigned i = 0; i < team_size(s->team); i++) {
        s->part[i].sum = (struct denoise_sum){0};
        s->part[i].cosine = 0;
    }
    for (size_t from = 0; from < rows->n; from += most) {
        size_t n = rows->n - from < most ? rows->n - from : most;
        diffuse_err e = make_batch(s, rows, NULL, from, n, &rng, why);

        if (e)
            return e;
        team_run(s->team, score, s);
        r.tokens += s->start[s->batch.n];
        r.picked += s->picked.n;
    }
    for (unsigned i = 0; i < team_size(s->team); i++) {
        r.loss += s->part[i].sum.loss;
        r.hits += s->part[i].sum.hits;
        r.cosine += s->part[i].cosine;
    }
    r.cosine = r.rows ? r.cosine / (double)r.rows : 0;
    r.loss = r.picked ? r.loss / (double)r.picked : 0;
    *ret_result = r;
    return DIFFUSE_OK;
}
