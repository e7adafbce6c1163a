/* segment.c - see segment.h. A pass takes new tokens of some segments through all steps at once;
 * the columns that it works on lie segment by segment, as the rows of one matrix. */
#include "model/engine/segment.h"

#include <assert.h>
#include <string.h>

#include "model/base/vec.h"
#include "model/engine/engine_part.h"
#include "model/engine/segment_state.h"

/* What one segment has in a pass, and where its columns lie before the step at hand. */
struct part {
    struct segment_feed feed;
    const real *window;
    const real *in;     /* (end - from, C padded) the new columns */
    uint64_t from, end; /* of the new columns; those before are in the window */
    uint64_t window_rows;
};

struct segment_scratch {
    size_t max_tokens, max_segments;
    struct part *part;       /* (max_segments) of the pass at hand */
    uint32_t *ids;           /* (max_tokens + those before) of one segment */
    real *in, *out;          /* (rows, C padded) columns before a step, and after it */
    double *sum;             /* (C) */
    real *pooled;            /* (max_segments, parts, C padded) */
    struct engine_run *runs; /* (ENGINE_TILE) */
    struct engine_tile tile;
    void *wide;               /* a state of the wide part, where there is one */
    struct wide_cache *words; /* of it, where one helps */
};

/* One pass: parts are its scratch's first n. */
struct pass {
    const struct engine *e;
    const struct net_config *c;
    struct segment_scratch *s;
    size_t n;
    bool complete; /* as if the texts ended here; else up to what is known */
};

/* --- scratch ------------------------------------------------------------- */

static void lay(struct layout *l, const struct net_config *c, const struct engine_kind *kind,
                struct segment_scratch *s) {
    size_t rows = s->max_tokens + net_config_reach(c), C = kernel_padded(c->width);
    size_t B = s->max_segments;

    s->part = layout_room(l, B, sizeof *s->part);
    s->ids = layout_room(l, s->max_tokens + LIMIT_NGRAM_ORDER - 1, sizeof *s->ids);
    s->in = layout_room(l, rows * C, sizeof(real));
    s->out = layout_room(l, rows * C, sizeof(real));
    s->sum = layout_room(l, c->width, sizeof *s->sum);
    s->pooled = layout_room(l, B * engine_pool_parts(c) * C, sizeof(real));
    s->runs = layout_room(l, ENGINE_TILE, sizeof *s->runs);
    engine_tile_lay(l, c, kind, &s->tile);
    s->wide = net_config_has_wide(c) ? layout_room(l, wide_state_bytes(&c->wide), 1) : NULL;
    s->words = wide_cache_bytes(&c->wide) ? layout_room(l, wide_cache_bytes(&c->wide), 1) : NULL;
}

static struct segment_scratch empty(size_t max_tokens, size_t max_segments) {
    return (struct segment_scratch){.max_tokens = max_tokens, .max_segments = max_segments};
}

size_t segment_scratch_bytes(const struct net_config *c, const struct engine_kind *kind,
                             size_t max_tokens, size_t max_segments) {
    struct segment_scratch s = empty(max_tokens, max_segments);
    struct layout l = {0};

    lay(&l, c, kind, &s);
    return l.bytes + arena_block(sizeof s);
}

diffuse_err segment_scratch_new(struct arena *arena, const struct net_config *c,
                                const struct engine_kind *kind, size_t max_tokens,
                                size_t max_segments, struct segment_scratch **ret_scratch) {
    size_t mark = arena_mark(arena);
    struct layout l = {.arena = arena};
    struct segment_scratch *s = arena_alloc(arena, sizeof *s);

    if (!s)
        return DIFFUSE_NOMEM;
    *s = empty(max_tokens, max_segments);
    lay(&l, c, kind, s);
    if (l.failed) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

/* --- columns ------------------------------------------------------------- */

static uint64_t end_at(const struct pass *p, const struct segment_feed *f, uint32_t t) {
    uint64_t n = f->segment->n + f->n;

    return p->complete ? n : segment_state_known(p->c, n, t);
}

/* New columns of a part before step t; t = steps: after the last. */
static size_t fresh(const struct pass *p, const struct segment_feed *f, uint32_t t) {
    return (size_t)(end_at(p, f, t) - segment_state_known(p->c, f->segment->n, t));
}

static size_t fresh_rows(const struct pass *p, uint32_t t) {
    size_t rows = 0;

    for (size_t i = 0; i < p->n; i++)
        rows += fresh(p, &p->s->part[i].feed, t);
    return rows;
}

/* Of a part, as the step sees it. */
static const real *column(void *user, size_t text, int64_t at) {
    const struct pass *p = user;
    const struct part *part = &p->s->part[text];
    uint64_t j = (uint64_t)at;

    if (at < 0 || j >= part->end)
        return NULL;
    if (j < part->from)
        return part->window + (size_t)(j % part->window_rows) * p->c->width;
    return part->in + (size_t)(j - part->from) * p->e->C;
}

/* --- a step -------------------------------------------------------------- */

static void find_columns(const struct pass *p, uint32_t t) {
    const real *in = p->s->in;

    for (size_t i = 0; i < p->n; i++) {
        struct part *part = &p->s->part[i];
        struct segment *s = part->feed.segment;

        part->window = segment_state_window(p->c, s, t);
        part->window_rows = 2 * (uint64_t)p->c->offsets[t];
        part->from = segment_state_known(p->c, s->n, t);
        part->end = end_at(p, &part->feed, t);
        part->in = in;
        in += (part->end - part->from) * p->e->C;
    }
}

/* What comes out of the step, part by part, in tiles. */
static void run_tiles(struct pass *p, uint32_t t) {
    struct segment_scratch *s = p->s;
    size_t runs = 0, tokens = 0;
    real *out = s->out;

    for (size_t i = 0; i < p->n; i++) {
        uint64_t at = segment_state_known(p->c, s->part[i].feed.segment->n, t + 1);
        uint64_t end = end_at(p, &s->part[i].feed, t + 1);

        while (at < end) {
            size_t left = ENGINE_TILE - tokens;
            size_t take = end - at < left ? (size_t)(end - at) : left;

            s->runs[runs++] = (struct engine_run){i, (int64_t)at, take};
            at += take;
            tokens += take;
            if (tokens == ENGINE_TILE) {
                engine_step_tile(p->e, t, &s->tile, s->runs, runs, column, p, out);
                out += tokens * p->e->C;
                runs = tokens = 0;
            }
        }
    }
    if (tokens > 0)
        engine_step_tile(p->e, t, &s->tile, s->runs, runs, column, p, out);
}

static void keep(const struct pass *p, uint32_t t) {
    for (size_t i = 0; i < p->n; i++) {
        const struct part *part = &p->s->part[i];

        segment_state_keep(p->c, part->feed.segment, t, part->from, part->in, p->e->C,
                           (size_t)(part->end - part->from));
    }
}

static void step(struct pass *p, uint32_t t) {
    struct segment_scratch *s = p->s;
    real *out = s->out;

    find_columns(p, t);
    run_tiles(p, t);
    if (!p->complete)
        keep(p, t);
    s->out = s->in;
    s->in = out;
}

/* --- a pass -------------------------------------------------------------- */

static void embed(const struct pass *p) {
    struct segment_scratch *s = p->s;
    real *to = s->in;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &s->part[i].feed;
        size_t order = LIMIT_NGRAM_ORDER - 1,
               before = f->segment->n < order ? f->segment->n : order;

        for (size_t k = 0; k < order; k++)
            s->ids[k] = f->segment->last[k];
        for (size_t k = 0; k < f->n; k++)
            s->ids[order + k] = f->ids[k];
        engine_embed(p->e, s->ids + order, before, f->n, to);
        to += f->n * p->e->C;
        for (size_t k = 0; !p->complete && k < order; k++)
            f->segment->last[k] = s->ids[f->n + k];
    }
}

/* Leaves the new columns after the last step in scratch->in. */
static void run(struct pass *p) {
    embed(p);
    for (uint32_t t = 0; t < p->c->steps; t++)
        step(p, t);
    engine_finish(p->e, fresh_rows(p, p->c->steps), p->s->in);
}

/* What is known for good goes into the segments. */
static void settle(const struct pass *p) {
    const struct net_config *c = p->c;
    const real *x = p->s->in;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &p->s->part[i].feed;
        size_t n = fresh(p, f, c->steps);

        if (segment_state_has_sum(c))
            segment_state_add(n, c->width, x, p->e->C, segment_state_sum(c, f->segment));
        if (segment_state_has_top(c))
            segment_state_raise(n, c->width, x, p->e->C,
                                segment_state_known(c, f->segment->n, c->steps) == 0,
                                segment_state_top(c, f->segment));
        x += n * p->e->C;
        f->segment->n += f->n;
    }
}

/* pooled(parts, C padded) of one part, n columns x on top of what its segment holds. */
static void pool(const struct pass *p, const struct segment_feed *f, size_t n, const real *x,
                 real *pooled) {
    const struct net_config *c = p->c;
    size_t C = c->width;
    uint64_t known = segment_state_known(c, f->segment->n, c->steps);

    if (segment_state_has_sum(c)) {
        const double *sum = segment_state_sum(c, f->segment);
        double count = (double)(f->segment->n + f->n);

        for (size_t j = 0; j < C; j++)
            p->s->sum[j] = sum[j];
        segment_state_add(n, C, x, p->e->C, p->s->sum);
        for (size_t j = 0; j < C; j++)
            pooled[j] = (real)(p->s->sum[j] / count);
        pooled += p->e->C;
    }
    if (segment_state_has_top(c)) {
        if (known > 0)
            vec_copy(C, segment_state_top(c, f->segment), pooled);
        segment_state_raise(n, C, x, p->e->C, known == 0, pooled);
    }
}

static void pool_all(const struct pass *p) {
    const real *x = p->s->in;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &p->s->part[i].feed;
        size_t n = fresh(p, f, p->c->steps);

        pool(p, f, n, x, p->s->pooled + i * engine_pool_parts(p->c) * p->e->C);
        x += n * p->e->C;
    }
}

static struct pass begin(const struct engine *e, struct segment_scratch *scratch, bool complete) {
    return (struct pass){.e = e, .c = e->config, .s = scratch, .complete = complete};
}

static void advance_deep(const struct engine *e, struct segment_scratch *scratch,
                         const struct segment_feed *feeds, size_t n) {
    size_t i = 0, done = 0; /* of feed i */

    while (i < n) {
        struct pass p = begin(e, scratch, false);

        for (size_t left = scratch->max_tokens; i < n && left > 0 && p.n < scratch->max_segments;) {
            struct segment_feed f = feeds[i];

            f.ids += done;
            f.n = f.n - done < left ? f.n - done : left;
            scratch->part[p.n++].feed = f;
            left -= f.n;
            done += f.n;
            if (done < feeds[i].n)
                break; /* the pass is full */
            i++;
            done = 0;
        }
        run(&p);
        settle(&p);
    }
}

static void logits_deep(const struct engine *e, struct segment_scratch *scratch,
                        const struct segment_feed *feeds, size_t n, real *logits) {
    size_t rows = scratch->max_tokens + net_config_reach(e->config);

    for (size_t i = 0; i < n;) {
        struct pass p = begin(e, scratch, true);
        size_t left = rows, from = i;

        for (; i < n && p.n < scratch->max_segments; i++) {
            size_t need = fresh(&p, &feeds[i], e->config->steps);

            assert(feeds[i].segment->n + feeds[i].n > 0 && need <= rows);
            if (need > left)
                break;
            scratch->part[p.n++].feed = feeds[i];
            left -= need;
        }
        run(&p);
        pool_all(&p);
        engine_label(e, &scratch->tile, p.n, scratch->pooled, logits + from * e->config->labels);
    }
}

void segment_advance(const struct engine *e, struct segment_scratch *scratch,
                     const struct segment_feed *feeds, size_t n) {
    const struct net_config *c = e->config;

    for (size_t i = 0; net_config_has_wide(c) && i < n; i++)
        wide_advance(e->w->wide, segment_state_wide(c, feeds[i].segment), feeds[i].ids, feeds[i].n,
                     scratch->words);
    if (net_config_has_deep(c)) {
        advance_deep(e, scratch, feeds, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        feeds[i].segment->n += feeds[i].n;
}

void segment_logits(const struct engine *e, struct segment_scratch *scratch,
                    const struct segment_feed *feeds, size_t n, real *logits) {
    const struct net_config *c = e->config;

    if (net_config_has_deep(c))
        logits_deep(e, scratch, feeds, n, logits);
    for (size_t i = 0; net_config_has_wide(c) && i < n; i++) {
        memcpy(scratch->wide, segment_state_wide(c, feeds[i].segment), wide_state_bytes(&c->wide));
        wide_advance(e->w->wide, scratch->wide, feeds[i].ids, feeds[i].n, scratch->words);
        wide_scores(e->w->wide, scratch->wide, scratch->wide, (real)c->deep_scale,
                    logits + i * c->labels);
    }
}
