/* segment.c - see segment.h. A pass takes new tokens of some segments through all steps at once;
 * the columns that it works on lie segment by segment, as the rows of one matrix. */
#include "model/net/segment.h"

#include <assert.h>

#include "model/base/gemm.h"
#include "model/base/layout.h"
#include "model/base/vec.h"
#include "model/net/diffusion.h"
#include "model/net/embed.h"
#include "model/net/label.h"
#include "model/net/norm.h"
#include "model/net/segment_state.h"

struct segment_scratch {
    size_t max_tokens, max_segments;
    struct segment_feed *part; /* (max_segments) of the pass at hand */
    uint32_t *ids;             /* (max_tokens + those before) of one segment */
    real *in, *out;            /* (rows,C) columns before a step, and after it */
    struct diffusion_acts acts;
    double *sum; /* (C) */
    struct label_acts label;
};

/* One pass: parts are its scratch's first n. */
struct pass {
    const struct net_config *c;
    const struct net_weights *w;
    struct segment_scratch *s;
    size_t n;
    bool complete; /* as if the texts ended here; else up to what is known */
};

/* --- scratch -----------------------------------------------------------------------------------
 */

static void lay(struct layout *l, const struct net_config *c, struct segment_scratch *s) {
    size_t rows = s->max_tokens + net_config_reach(c), C = c->width, B = s->max_segments;

    s->part = layout_room(l, B, sizeof *s->part);
    s->ids = layout_room(l, s->max_tokens + LIMIT_NGRAM_ORDER - 1, sizeof *s->ids);
    s->in = layout_room(l, rows * C, sizeof(real));
    s->out = layout_room(l, rows * C, sizeof(real));
    s->acts.x = layout_room(l, rows * C, sizeof(real));
    s->acts.seen = s->acts.xhat = layout_room(l, rows * C, sizeof(real));
    s->acts.rstd = layout_room(l, rows, sizeof(real));
    s->acts.s = layout_room(l, rows * C, sizeof(real));
    s->acts.a = s->acts.g = layout_room(l, rows * c->mlp_width, sizeof(real));
    s->sum = layout_room(l, C, sizeof *s->sum);
    s->label.p = layout_room(l, B * net_config_pool_width(c), sizeof(real));
    s->label.q = layout_room(l, B * c->head_width, sizeof(real));
    s->label.g = layout_room(l, B * c->head_width, sizeof(real));
}

static struct segment_scratch empty(size_t max_tokens, size_t max_segments) {
    return (struct segment_scratch){.max_tokens = max_tokens, .max_segments = max_segments};
}

size_t segment_scratch_bytes(const struct net_config *c, size_t max_tokens, size_t max_segments) {
    struct segment_scratch s = empty(max_tokens, max_segments);
    struct layout l = {0};

    lay(&l, c, &s);
    return l.bytes + arena_block(sizeof s);
}

diffuse_err segment_scratch_new(struct arena *arena, const struct net_config *c, size_t max_tokens,
                                size_t max_segments, struct segment_scratch **ret_scratch) {
    size_t mark = arena_mark(arena);
    struct layout l = {.arena = arena};
    struct segment_scratch *s = arena_alloc(arena, sizeof *s);

    if (!s)
        return DIFFUSE_NOMEM;
    *s = empty(max_tokens, max_segments);
    lay(&l, c, s);
    if (l.failed) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

/* --- columns -----------------------------------------------------------------------------------
 */

/* The columns of one part around step t: from..in_end are new before it, and follow those in the
 * window; out..out_end come out of it. */
struct span {
    uint64_t from, in_end, out, out_end;
};

static uint64_t end_at(const struct pass *p, const struct segment_feed *f, uint32_t t) {
    uint64_t n = f->segment->n + f->n;

    return p->complete ? n : segment_state_known(p->c, n, t);
}

static struct span span_of(const struct pass *p, const struct segment_feed *f, uint32_t t) {
    return (struct span){
        .from = segment_state_known(p->c, f->segment->n, t),
        .in_end = end_at(p, f, t),
        .out = segment_state_known(p->c, f->segment->n, t + 1),
        .out_end = end_at(p, f, t + 1),
    };
}

/* New columns of a part before step t; t = steps: after the last. */
static size_t fresh(const struct pass *p, const struct segment_feed *f, uint32_t t) {
    return (size_t)(end_at(p, f, t) - segment_state_known(p->c, f->segment->n, t));
}

static size_t fresh_rows(const struct pass *p, uint32_t t) {
    size_t rows = 0;

    for (size_t i = 0; i < p->n; i++)
        rows += fresh(p, &p->s->part[i], t);
    return rows;
}

/* --- a step ------------------------------------------------------------------------------------
 */

static void normalise(const struct net_config *c, const struct weights_step *w, size_t n,
                      real *rstd, real *x) {
    if (c->norm != NET_NORM_POST && n > 0)
        norm_forward(n, c->width, x, w->norm_gain, w->norm_bias, x, rstd, x);
}

/* to(out_end-out, C): the columns `shift` places on from those that come out, as neighbours see
 * them; zero vectors where nothing lies. in holds the new columns. */
static void neighbours(const struct pass *p, const struct segment_feed *f, uint32_t t,
                       int64_t shift, const real *in, real *to) {
    const struct span a = span_of(p, f, t);
    size_t C = p->c->width, rows = (size_t)(a.out_end - a.out), window_rows = 2 * p->c->offsets[t];
    const real *window = segment_state_window(p->c, f->segment, t);
    size_t first = 0, end = rows;

    if (shift < 0 && (uint64_t)-shift > a.out) {
        first = (size_t)((uint64_t)-shift - a.out);
        first = first < rows ? first : rows;
    }
    while (end > first && a.out + (end - 1) + (uint64_t)shift >= a.in_end)
        end--;
    vec_zero(first * C, to);
    vec_zero((rows - end) * C, to + end * C);
    for (size_t k = first; k < end; k++) {
        uint64_t j = a.out + k + (uint64_t)shift;

        vec_copy(C, j < a.from ? window + (j % window_rows) * C : in + (j - a.from) * C,
                 to + k * C);
    }
    normalise(p->c, &p->w->step[t], end - first, p->s->acts.rstd, to + first * C);
}

/* s += W * what lies `shift` places on, for all parts; the first relation begins s. */
static void relate(const struct pass *p, uint32_t t, int64_t shift, const real *weights, real beta,
                   size_t rows) {
    struct segment_scratch *s = p->s;
    size_t C = p->c->width;
    const real *in = s->in;
    real *to = s->acts.seen;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &s->part[i];

        neighbours(p, f, t, shift, in, to);
        in += fresh(p, f, t) * C;
        to += fresh(p, f, t + 1) * C;
    }
    gemm_nt(rows, C, C, s->acts.seen, weights, beta, s->acts.s);
}

/* The state that came in of the columns that come out. */
static void own_state(const struct pass *p, uint32_t t) {
    const struct net_config *c = p->c;
    const real *in = p->s->in;
    real *to = p->s->acts.x;
    size_t C = c->width;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &p->s->part[i];
        const struct span a = span_of(p, f, t);
        const real *window = segment_state_window(c, f->segment, t);

        for (uint64_t j = a.out; j < a.out_end; j++, to += C)
            vec_copy(C, j < a.from ? window + (j % (2 * c->offsets[t])) * C : in + (j - a.from) * C,
                     to);
        in += fresh(p, f, t) * C;
    }
}

static void keep(const struct pass *p, uint32_t t) {
    const real *in = p->s->in;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &p->s->part[i];
        size_t n = fresh(p, f, t);

        segment_state_keep(p->c, f->segment, t, segment_state_known(p->c, f->segment->n, t), in, n);
        in += n * p->c->width;
    }
}

static void step(const struct pass *p, uint32_t t) {
    const struct weights_step *w = &p->w->step[t];
    struct segment_scratch *s = p->s;
    size_t rows = fresh_rows(p, t + 1);
    int64_t o = p->c->offsets[t];
    real *out = s->out;

    if (rows > 0) {
        own_state(p, t);
        relate(p, t, 0, w->proj_self, 0, rows);
        relate(p, t, -o, w->proj_left, 1, rows);
        relate(p, t, o, w->proj_right, 1, rows);
        diffusion_update(p->c, w, rows, &s->acts, out);
    }
    if (!p->complete)
        keep(p, t);
    s->out = s->in;
    s->in = out;
}

/* --- a pass ------------------------------------------------------------------------------------
 */

static void embed(const struct pass *p) {
    struct segment_scratch *s = p->s;
    real *to = s->in;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &s->part[i];
        size_t order = LIMIT_NGRAM_ORDER - 1,
               before = f->segment->n < order ? f->segment->n : order;

        for (size_t k = 0; k < order; k++)
            s->ids[k] = f->segment->last[k];
        for (size_t k = 0; k < f->n; k++)
            s->ids[order + k] = f->ids[k];
        embed_onward(p->c, p->w, s->ids + order, before, f->n, to);
        to += f->n * p->c->width;
        for (size_t k = 0; !p->complete && k < order; k++)
            f->segment->last[k] = s->ids[f->n + k];
    }
}

/* Leaves the new columns after the last step in scratch->in. */
static void run(const struct pass *p) {
    embed(p);
    for (uint32_t t = 0; t < p->c->steps; t++)
        step(p, t);
    if (p->c->norm == NET_NORM_PRE) {
        size_t rows = fresh_rows(p, p->c->steps);

        norm_forward(rows, p->c->width, p->s->in, p->w->final_gain, p->w->final_bias, p->s->in,
                     p->s->acts.rstd, p->s->in);
    }
}

/* What is known for good goes into the segments. */
static void settle(const struct pass *p) {
    const struct net_config *c = p->c;
    const real *x = p->s->in;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &p->s->part[i];
        size_t n = fresh(p, f, c->steps);

        if (segment_state_has_sum(c))
            segment_state_add(n, c->width, x, segment_state_sum(c, f->segment));
        if (segment_state_has_top(c))
            segment_state_raise(n, c->width, x,
                                segment_state_known(c, f->segment->n, c->steps) == 0,
                                segment_state_top(c, f->segment));
        x += n * c->width;
        f->segment->n += f->n;
    }
}

/* p(C or 2C) of one part, n columns x on top of what its segment holds. */
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
        segment_state_add(n, C, x, p->s->sum);
        for (size_t j = 0; j < C; j++)
            pooled[j] = (real)(p->s->sum[j] / count);
        pooled += C;
    }
    if (segment_state_has_top(c)) {
        if (known > 0)
            vec_copy(C, segment_state_top(c, f->segment), pooled);
        segment_state_raise(n, C, x, known == 0, pooled);
    }
}

static void pool_all(const struct pass *p) {
    const real *x = p->s->in;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment_feed *f = &p->s->part[i];
        size_t n = fresh(p, f, p->c->steps);

        pool(p, f, n, x, p->s->label.p + i * net_config_pool_width(p->c));
        x += n * p->c->width;
    }
}

void segment_advance(const struct net_config *c, const struct net_weights *w,
                     struct segment_scratch *scratch, const struct segment_feed *feeds, size_t n) {
    size_t i = 0, done = 0; /* of feed i */

    while (i < n) {
        struct pass p = {c, w, scratch, 0, false};

        for (size_t left = scratch->max_tokens; i < n && left > 0 && p.n < scratch->max_segments;) {
            struct segment_feed f = feeds[i];

            f.ids += done;
            f.n = f.n - done < left ? f.n - done : left;
            scratch->part[p.n++] = f;
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

void segment_logits(const struct net_config *c, const struct net_weights *w,
                    struct segment_scratch *scratch, const struct segment_feed *feeds, size_t n,
                    real *logits) {
    size_t rows = scratch->max_tokens + net_config_reach(c);

    for (size_t i = 0; i < n;) {
        struct pass p = {c, w, scratch, 0, true};
        size_t left = rows, from = i;

        for (; i < n && p.n < scratch->max_segments; i++) {
            size_t need = fresh(&p, &feeds[i], c->steps);

            assert(feeds[i].segment->n + feeds[i].n > 0 && need <= rows);
            if (need > left)
                break;
            scratch->part[p.n++] = feeds[i];
            left -= need;
        }
        run(&p);
        pool_all(&p);
        label_forward(c, w, p.n, &scratch->label, NULL, logits + from * c->labels);
    }
}
