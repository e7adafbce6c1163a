#include "model/tune/gate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

size_t gate_bytes(size_t cap) {
    return 2 * arena_block(cap * sizeof(struct gate_stream));
}

diffuse_err gate_init(struct gate *g, struct arena *arena, size_t cap) {
    *g = (struct gate){.cap = cap};
    g->live.stream = arena_alloc(arena, cap * sizeof *g->live.stream);
    g->all.stream = arena_alloc(arena, cap * sizeof *g->all.stream);
    return g->live.stream && g->all.stream ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static void hear(struct gate_heard *h, size_t cap, uint64_t owner, bool serving, bool candidate) {
    size_t i = 0;

    paired_add(&h->score, serving, candidate);
    while (i < h->streams && h->stream[i].owner != owner)
        i++;
    if (i == cap)
        return;
    if (i == h->streams)
        h->stream[h->streams++] = (struct gate_stream){.owner = owner};
    paired_add(&h->stream[i].score, serving, candidate);
}

void gate_forget(struct gate *g) {
    g->live = (struct gate_heard){.stream = g->live.stream};
}

void gate_live(struct gate *g, uint64_t owner, bool serving, bool candidate) {
    hear(&g->live, g->cap, owner, serving, candidate);
}

void gate_begin(struct gate *g, double doubt) {
    struct gate_stream *stream = g->all.stream;

    memcpy(stream, g->live.stream, g->live.streams * sizeof *stream);
    g->all = g->live;
    g->all.stream = stream;
    g->rehearsal = g->since = (struct paired){0};
    g->surer = 0;
    g->doubt = doubt;
}

void gate_rehearsal(struct gate *g, bool first, bool serving, bool candidate) {
    paired_add(&g->rehearsal, serving, candidate);
    paired_add(&g->since, first, candidate);
}

void gate_feedback(struct gate *g, uint64_t owner, bool serving, bool candidate, double surer) {
    g->surer += surer;
    hear(&g->all, g->cap, owner, serving, candidate);
}

/* --- the verdict --------------------------------------------------------- */

static double gain(const struct paired *p) {
    return (double)p->won - (double)p->lost;
}

/* Feedback without the stream that the candidate gains the most on. */
static struct paired without_best(const struct gate_heard *h) {
    struct paired rest = h->score;
    const struct paired *best;

    if (h->streams == 0)
        return rest;
    best = &h->stream[0].score;
    for (size_t i = 1; i < h->streams; i++)
        if (gain(&h->stream[i].score) > gain(best))
            best = &h->stream[i].score;
    rest.rows -= best->rows;
    rest.both -= best->both;
    rest.won -= best->won;
    rest.lost -= best->lost;
    return rest;
}

/* What speaks against it, or NULL; *ret_by: where; *ret_harms: it did damage. */
static const char *objection(const struct gate *g, struct paired *ret_by, bool *ret_harms) {
    const struct paired rest = without_best(&g->all), *heard = &g->all.score;
    double rows = (double)g->rehearsal.rows;

    *ret_harms = true;
    *ret_by = g->rehearsal;
    if (paired_worse(&g->rehearsal) <= GATE_WORSE || -gain(&g->rehearsal) > 1 + GATE_LOSS * rows)
        return "worse on rehearsal";
    *ret_by = g->since;
    if (-gain(&g->since) > 1 + GATE_LOSS_ALL * rows)
        return "worse on rehearsal than the first model";
    *ret_by = *heard;
    if (paired_worse(heard) <= GATE_WORSE)
        return "worse on feedback";
    *ret_by = rest;
    if (paired_worse(&rest) <= GATE_WORSE)
        return "better for one stream, worse for the others";
    *ret_harms = false;
    *ret_by = *heard;
    if (heard->rows < GATE_LEAST)
        return "too little feedback to judge by";
    if (gain(heard) < 0 || (gain(heard) == 0 && g->surer <= 0))
        return "no gain on feedback";
    if (g->doubt >= GATE_DOUBT && paired_better(heard) >= GATE_LEVEL)
        return "no sure gain on feedback, which is often wrong";
    *ret_by = rest;
    if (gain(&rest) < 0)
        return "better for one stream only";
    *ret_by = *heard;
    return NULL;
}

void gate_end(const struct gate *g, struct gate_verdict *ret_verdict) {
    struct paired by;
    bool harms;
    const char *against = objection(g, &by, &harms);

    ret_verdict->passes = !against;
    ret_verdict->harms = harms;
    ret_verdict->p_better = paired_better(&g->all.score);
    ret_verdict->p_worse = fmin(paired_worse(&g->rehearsal), paired_worse(&g->all.score));
    if (!against && gain(&by) <= 0) {
        (void)snprintf(ret_verdict->text, sizeof ret_verdict->text,
                       "surer of the labels that feedback gives: of %zu rows as many right as "
                       "before (%zu won, %zu lost)",
                       by.rows, by.won, by.lost);
        return;
    }
    (void)snprintf(ret_verdict->text, sizeof ret_verdict->text,
                   "%s: of %zu rows %zu won, %zu lost (exact McNemar, p %.2g)",
                   against ? against : "gains on feedback", by.rows, by.won, by.lost,
                   by.won >= by.lost ? paired_better(&by) : paired_worse(&by));
}
