#include "daemon/path/segment_work.h"

#include <string.h>

#include "daemon/common/clock.h"
#include "model/net/label.h"

#define PASS_SEGMENTS 64u /* of one pass: more gains nothing */

static size_t pass_segments(size_t max_samples) {
    return max_samples < PASS_SEGMENTS ? max_samples : PASS_SEGMENTS;
}

size_t segment_work_bench_bytes(const struct net_config *c, const struct engine_kind *kind,
                                size_t max_samples) {
    return segment_scratch_bytes(c, kind, SEGMENT_WORK_PASS_TOKENS, pass_segments(max_samples)) +
           arena_block(max_samples * sizeof(struct segment_feed)) +
           arena_block(max_samples * sizeof(struct inflight_sample *)) +
           arena_block(segment_bytes(c));
}

diffuse_err segment_work_bench_init(struct segment_work_bench *b, struct arena *arena,
                                    const struct net_config *c, const struct engine_kind *kind,
                                    size_t max_samples) {
    diffuse_err e = segment_scratch_new(arena, c, kind, SEGMENT_WORK_PASS_TOKENS,
                                        pass_segments(max_samples), &b->scratch);
    if (e)
        return e;
    b->feeds = arena_alloc(arena, max_samples * sizeof *b->feeds);
    b->round = arena_alloc(arena, max_samples * sizeof *b->round);
    b->blank = arena_alloc(arena, segment_bytes(c));
    return b->feeds && b->round && b->blank ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

/* --- a label ------------------------------------------------------------- */

/* Does the policy want what was found to be announced? Then it is what was announced last. */
static bool announce(struct segment_cell *cell, const struct segment_work *p, uint32_t label,
                     bool abstained, float confidence, const real *scores) {
    bool news = true;
    if (cell->said && p->policy.change && !p->ends) {
        if (abstained)
            news = !cell->abstained && confidence < p->policy.min_confidence - p->policy.margin;
        else if (!cell->abstained)
            news = label != cell->label && confidence - scores[cell->label] >= p->policy.margin;
    }
    if (news) {
        cell->said = true;
        cell->abstained = abstained;
        cell->label = label;
    }
    return news;
}

static void finish(struct inflight_sample *s, const struct model *model, real *logits) {
    struct segment_work *p = &s->piece;
    uint32_t labels = model->config.labels;
    if (!logits) {
        s->held = true;
        return;
    }
    s->label = label_softmax(logits, labels, model->temperature, logits);
    s->confidence = logits[s->label];
    s->abstained = s->confidence < p->policy.min_confidence;
    s->held = !announce(p->cell, p, s->label, s->abstained, s->confidence, logits);
    if (s->scores)
        memcpy(s->scores, logits, labels * sizeof *logits);
}

/* --- a round: no segment twice ------------------------------------------- */

/* Move the first piece of each segment that is left into the round; returns how many there are. */
static size_t pick(struct segment_work_bench *b, struct inflight_sample **pieces, size_t *n,
                   uint32_t round) {
    size_t picked = 0, left = 0;
    for (size_t i = 0; i < *n; i++) {
        struct segment_cell *cell = pieces[i]->piece.cell;
        if (cell->round == round) {
            pieces[left++] = pieces[i];
            continue;
        }
        cell->round = round;
        b->round[picked++] = pieces[i];
    }
    *n = left;
    return picked;
}

/* What comes before the labels. */
static void extend(struct segment_work_bench *b, const struct model *m, size_t n) {
    size_t feeds = 0;
    for (size_t i = 0; i < n; i++) {
        struct inflight_sample *s = b->round[i];
        struct segment_work *p = &s->piece;
        if (p->opens)
            p->cell->said = false;
        if (p->slides)
            continue;
        if (p->begins)
            segment_begin(&m->config, p->state);
        if (p->n_first > 0)
            b->feeds[feeds++] = (struct segment_feed){p->state, s->ids, p->n_first};
    }
    segment_advance(b->engine, b->scratch, b->feeds, feeds);
}

/* And after them. */
static void renew(struct segment_work_bench *b, const struct model *m, size_t n) {
    size_t feeds = 0;
    for (size_t i = 0; i < n; i++) {
        struct inflight_sample *s = b->round[i];
        struct segment_work *p = &s->piece;
        if (!p->renews)
            continue;
        segment_begin(&m->config, p->state);
        if (p->n_after > 0)
            b->feeds[feeds++] = (struct segment_feed){p->state, s->ids + p->n_first, p->n_after};
    }
    segment_advance(b->engine, b->scratch, b->feeds, feeds);
}

/* Rows of logits for segments that are due; returns how many. */
static size_t label_segments(struct segment_work_bench *b, size_t n) {
    size_t feeds = 0;
    for (size_t i = 0; i < n; i++) {
        struct inflight_sample *s = b->round[i];
        struct segment_work *p = &s->piece;
        if (p->due && !p->slides)
            b->feeds[feeds++] = (struct segment_feed){p->state, s->ids + p->n_first, p->n_tail};
    }
    segment_logits(b->engine, b->scratch, b->feeds, feeds, b->logits);
    return feeds;
}

/* Then rows for sliding windows that are due. */
static void label_windows(struct segment_work_bench *b, const struct model *m, size_t n,
                          size_t row) {
    struct net_batch batch = {.ids = b->ids, .start = b->start, .n = 0};
    uint32_t used = 0;
    b->start[0] = 0;
    for (size_t i = 0; i < n; i++) {
        struct inflight_sample *s = b->round[i];
        if (!s->piece.due || !s->piece.slides)
            continue;
        memcpy(b->ids + used, s->ids, s->piece.n_first * sizeof *s->ids);
        used += s->piece.n_first;
        b->start[++batch.n] = used;
    }
    if (batch.n > 0)
        engine_forward(b->engine, b->whole, &batch, b->logits + row * m->config.labels);
}

static void run_round(struct segment_work_bench *b, const struct model *m, size_t n) {
    size_t L = m->config.labels;
    extend(b, m, n);
    size_t window = label_segments(b, n), segment = 0;
    label_windows(b, m, n, window);
    renew(b, m, n);
    for (size_t i = 0; i < n; i++) {
        struct inflight_sample *s = b->round[i];
        real *row = NULL;
        if (s->piece.due)
            row = b->logits + L * (s->piece.slides ? window++ : segment++);
        finish(s, m, row);
    }
}

void segment_work_run(struct segment_work_bench *b, const struct model *model,
                      struct inflight_sample **pieces, size_t n) {
    uint64_t begin = clock_now(), done = begin;
    size_t left = n, picked;
    for (size_t i = 0; i < n; i++) {
        pieces[i]->taken_ns = begin;
        pieces[i]->batch = (uint32_t)n;
        pieces[i]->piece.cell->round = 0;
    }
    for (uint32_t round = 1; left > 0; round++) {
        picked = pick(b, pieces, &left, round);
        run_round(b, model, picked);
        done = clock_now();
        for (size_t i = 0; i < picked; i++)
            b->round[i]->compute_ns = done - begin;
    }
}

void segment_work_warm(struct segment_work_bench *b, const struct model *model, size_t n) {
    if (n > SEGMENT_WORK_PASS_TOKENS)
        n = SEGMENT_WORK_PASS_TOKENS;
    struct segment_feed feed = {segment_begin(&model->config, b->blank), b->ids, n};
    memset(b->ids, 0, n * sizeof *b->ids);
    segment_advance(b->engine, b->scratch, &feed, 1);
    feed.n = 0;
    segment_logits(b->engine, b->scratch, &feed, 1, b->logits);
}
