/* engine_forward.c - whole texts through the engine: embed, steps, brackets, pool, label. */
#include <assert.h>

#include "model/base/vec.h"
#include "model/engine/engine_part.h"
#include "model/net/bracket.h"

/* Tokens of whole texts that go through all steps before the next ones do: their states fit a
 * cache.
 */
#define CHUNK 512u

struct engine_scratch {
    size_t max_tokens, max_seqs;
    real *state[2];          /* (max_tokens, C padded) into a step, and out of it */
    real *last;              /* (max_tokens, C) with brackets: of all tokens, for the sweep */
    real *out;               /* (ENGINE_TILE, C padded) of the last step, on the way to the pool */
    real *pooled;            /* (max_seqs, parts, C padded) */
    struct engine_run *runs; /* (ENGINE_TILE) */
    struct engine_tile tile;
    struct bracket_acts bracket;
    void *wide;               /* a state of the wide part, where there is one */
    struct wide_cache *words; /* of it, where one helps */
};

/* --- scratch ------------------------------------------------------------- */

static void lay(struct layout *l, const struct net_config *c, const struct engine_kind *kind,
                struct engine_scratch *s) {
    size_t N = s->max_tokens, C = kernel_padded(c->width);

    s->state[0] = layout_room(l, N * C, sizeof(real));
    s->state[1] = c->steps > 1 ? layout_room(l, N * C, sizeof(real)) : NULL;
    s->out = layout_room(l, ENGINE_TILE * C, sizeof(real));
    s->pooled = layout_room(l, s->max_seqs * engine_pool_parts(c) * C, sizeof(real));
    s->runs = layout_room(l, ENGINE_TILE, sizeof *s->runs);
    engine_tile_lay(l, c, kind, &s->tile);
    if (c->n_open) {
        s->last = layout_room(l, N * c->width, sizeof(real));
        bracket_lay(l, c, N, false, &s->bracket);
    }
    if (net_config_has_wide(c))
        s->wide = layout_room(l, wide_state_bytes(&c->wide), 1);
    if (wide_cache_bytes(&c->wide))
        s->words = layout_room(l, wide_cache_bytes(&c->wide), 1);
}

static struct engine_scratch empty(size_t max_tokens, size_t max_seqs) {
    return (struct engine_scratch){.max_tokens = max_tokens, .max_seqs = max_seqs};
}

size_t engine_scratch_bytes(const struct net_config *c, const struct engine_kind *kind,
                            size_t max_tokens, size_t max_seqs) {
    struct engine_scratch s = empty(max_tokens, max_seqs);
    struct layout l = {0};

    lay(&l, c, kind, &s);
    return l.bytes + arena_block(sizeof s);
}

diffuse_err engine_scratch_new(struct arena *arena, const struct net_config *c,
                               const struct engine_kind *kind, size_t max_tokens, size_t max_seqs,
                               struct engine_scratch **ret_scratch) {
    size_t mark = arena_mark(arena);
    struct layout l = {.arena = arena};
    struct engine_scratch *s = arena_alloc(arena, sizeof *s);

    if (!s)
        return DIFFUSE_NOMEM;
    *s = empty(max_tokens, max_seqs);
    lay(&l, c, kind, s);
    if (l.failed) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

/* --- a chunk: some texts of the batch ------------------------------------ */

struct chunk {
    const struct engine *e;
    struct engine_scratch *s;
    struct net_batch batch;
    const real *in; /* (tokens, C padded) the state before the step at hand */
    real *pooled;
};

static size_t first(const struct chunk *k, size_t text) {
    return k->batch.start[text] - k->batch.start[0];
}

static size_t length(const struct chunk *k, size_t text) {
    return k->batch.start[text + 1] - k->batch.start[text];
}

static const real *column(void *user, size_t text, int64_t at) {
    const struct chunk *k = user;
    int64_t n = (int64_t)length(k, text);

    if (at < 0 || at >= n) {
        if (k->e->config->boundary == NET_BOUNDARY_ZERO)
            return NULL;
        at %= n;
        at += at < 0 ? n : 0;
    }
    return k->in + (first(k, text) + (size_t)at) * k->e->C;
}

static void embed(const struct chunk *k, real *x) {
    for (size_t b = 0; b < k->batch.n; b++)
        engine_embed(k->e, k->batch.ids + k->batch.start[b], 0, length(k, b),
                     x + first(k, b) * k->e->C);
}

/* --- the pool ------------------------------------------------------------ */

static bool counts(const struct chunk *k, size_t token) {
    const uint32_t *parent = k->s->bracket.tree.parent;

    return k->e->config->pool != NET_POOL_ROOTS || !parent || parent[token] == BRACKET_NONE;
}

VEC_CLONES static void raise(size_t n, const real *restrict x, real *restrict top) {
    for (size_t j = 0; j < n; j++)
        top[j] = x[j] > top[j] ? x[j] : top[j];
}

/* Take one run's last states in. */
static void pool(const struct chunk *k, const struct engine_run *run, const real *x) {
    size_t C = k->e->C, parts = engine_pool_parts(k->e->config);
    real *p = k->pooled + run->text * parts * C, *top = p + (parts - 1) * C;
    enum net_pool kind = k->e->config->pool;

    if (run->from == 0) {
        vec_zero(parts * C, p);
        if (kind == NET_POOL_MAX || kind == NET_POOL_MEAN_MAX)
            vec_copy(C, x, top);
    }
    if (kind == NET_POOL_MEAN_MAX) {
        k->e->kind.kernel->pool(run->n, C, x, p, top);
        return;
    }
    for (size_t i = 0; i < run->n; i++, x += C)
        if (kind == NET_POOL_MAX)
            raise(C, x, top);
        else if (counts(k, first(k, run->text) + (size_t)run->from + i))
            vec_add(C, x, p);
}

/* From sums to means. */
static void pool_end(const struct chunk *k) {
    size_t C = k->e->C, parts = engine_pool_parts(k->e->config);

    for (size_t b = 0; b < k->batch.n && k->e->config->pool != NET_POOL_MAX; b++) {
        size_t n = 0;

        for (size_t i = first(k, b); i < first(k, b) + length(k, b); i++)
            n += counts(k, i);
        vec_scale(C, 1 / (real)n, k->pooled + b * parts * C);
    }
}

static void pool_runs(const struct chunk *k, size_t n, const real *x) {
    for (size_t i = 0; i < n; x += k->s->runs[i++].n * k->e->C)
        pool(k, &k->s->runs[i], x);
}

/* --- tiles --------------------------------------------------------------- */

/* The runs of the tile that begins at a token; moves on to the next one. Returns how many. */
static size_t cut(const struct chunk *k, size_t *text, size_t *at, size_t *ret_tokens) {
    size_t n = 0, left = ENGINE_TILE;

    while (left > 0 && *text < k->batch.n) {
        size_t rest = length(k, *text) - *at, take = rest < left ? rest : left;

        k->s->runs[n++] = (struct engine_run){*text, (int64_t)*at, take};
        left -= take;
        *at += take;
        if (take == rest) {
            ++*text;
            *at = 0;
        }
    }
    *ret_tokens = ENGINE_TILE - left;
    return n;
}

/* After the last step, when there is no sweep: what comes out of a tile is pooled at once. */
static void leave(const struct chunk *k, size_t runs, size_t tokens, real *x) {
    engine_finish(k->e, tokens, x);
    pool_runs(k, runs, x);
}

static void run_step(struct chunk *k, uint32_t t, real *out) {
    size_t text = 0, at = 0, done = 0, tokens;
    size_t C = k->e->C, width = k->e->config->width;
    bool last = t + 1 == k->e->config->steps;

    while (text < k->batch.n) {
        size_t runs = cut(k, &text, &at, &tokens);
        real *y = last ? k->s->out : out + done * C;

        engine_step_tile(k->e, t, &k->s->tile, k->s->runs, runs, column, k, y);
        if (last && k->s->last)
            for (size_t i = 0; i < tokens; i++)
                vec_copy(width, y + i * C, k->s->last + (done + i) * width);
        else if (last)
            leave(k, runs, tokens, y);
        done += tokens;
    }
}

/* States that no step or only the sweep came to, to the pool. */
static void leave_all(const struct chunk *k, const real *x, size_t stride) {
    size_t text = 0, at = 0, done = 0, tokens;
    size_t C = k->e->C, width = k->e->config->width;

    while (text < k->batch.n) {
        size_t runs = cut(k, &text, &at, &tokens);

        for (size_t i = 0; i < tokens; i++)
            vec_copy(width, x + (done + i) * stride, k->s->out + i * C);
        leave(k, runs, tokens, k->s->out);
        done += tokens;
    }
}

static void sweep(struct chunk *k) {
    const struct engine *e = k->e;
    size_t width = e->config->width, n = first(k, k->batch.n);

    if (!e->config->steps)
        for (size_t i = 0; i < n; i++)
            vec_copy(width, k->in + i * e->C, k->s->last + i * width);
    bracket_forward(e->config, e->w, &k->batch, &k->s->bracket, NULL, k->s->last);
    leave_all(k, k->s->last, width);
}

static void run_chunk(struct chunk *k) {
    const struct net_config *c = k->e->config;
    struct engine_scratch *s = k->s;

    embed(k, s->state[0]);
    k->in = s->state[0];
    for (uint32_t t = 0; t < c->steps; t++) {
        run_step(k, t, s->state[(t + 1) % 2]);
        k->in = s->state[(t + 1) % 2];
    }
    if (s->last)
        sweep(k);
    else if (!c->steps)
        leave_all(k, k->in, k->e->C);
    pool_end(k);
}

/* --- a batch ------------------------------------------------------------- */

static void forward_deep(const struct engine *e, struct engine_scratch *s,
                         const struct net_batch *batch, real *logits) {
    size_t parts = engine_pool_parts(e->config);

    for (uint32_t b = 0, n; b < batch->n; b += n) {
        struct chunk k = {.e = e, .s = s, .pooled = s->pooled + b * parts * e->C};

        for (n = 1; b + n < batch->n && batch->start[b + n + 1] - batch->start[b] <= CHUNK; n++)
            continue;
        k.batch = (struct net_batch){batch->ids, batch->start + b, n};
        run_chunk(&k);
    }
    engine_label(e, &s->tile, batch->n, s->pooled, logits);
}

void engine_forward(const struct engine *e, struct engine_scratch *s, const struct net_batch *batch,
                    real *logits) {
    const struct net_config *c = e->config;

    assert(batch->start[batch->n] - batch->start[0] <= s->max_tokens && batch->n <= s->max_seqs);
    if (net_config_has_deep(c))
        forward_deep(e, s, batch, logits);
    for (uint32_t b = 0; net_config_has_wide(c) && b < batch->n; b++)
        wide_text(e->w->wide, batch->ids + batch->start[b], batch->start[b + 1] - batch->start[b],
                  s->wide, s->words, (real)c->deep_scale, logits + (size_t)b * c->labels);
}
