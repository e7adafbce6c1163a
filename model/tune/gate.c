/* gate.c - see gate.h. */
#include "model/tune/gate.h"

#include <math.h>
#include <stdio.h>

size_t gate_bytes(size_t cap) {
    return arena_block(cap * sizeof(struct gate_stream));
}

diffuse_err gate_init(struct gate *g, struct arena *arena, size_t cap) {
    *g = (struct gate){.cap = cap};
    g->stream = arena_alloc(arena, cap * sizeof *g->stream);
    return g->stream ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

void gate_begin(struct gate *g) {
    *g = (struct gate){.stream = g->stream, .cap = g->cap};
}

void gate_rehearsal(struct gate *g, bool first, bool serving, bool candidate) {
    paired_add(&g->rehearsal, serving, candidate);
    paired_add(&g->since, first, candidate);
}

void gate_feedback(struct gate *g, uint64_t owner, bool serving, bool candidate) {
    size_t i = 0;

    paired_add(&g->feedback, serving, candidate);
    while (i < g->streams && g->stream[i].owner != owner)
        i++;
    if (i == g->cap)
        return;
    if (i == g->streams)
        g->stream[g->streams++] = (struct gate_stream){.owner = owner};
    paired_add(&g->stream[i].score, serving, candidate);
}

static double gain(const struct paired *p) {
    return (double)p->won - (double)p->lost;
}

/* Feedback without the stream that the candidate gains the most on. */
static struct paired without_best(const struct gate *g) {
    struct paired rest = g->feedback;
    const struct paired *best;

    if (g->streams == 0)
        return rest;
    best = &g->stream[0].score;
    for (size_t i = 1; i < g->streams; i++)
        if (gain(&g->stream[i].score) > gain(best))
            best = &g->stream[i].score;
    rest.rows -= best->rows;
    rest.both -= best->both;
    rest.won -= best->won;
    rest.lost -= best->lost;
    return rest;
}

/* What speaks against it, or NULL; *ret_by: where. */
static const char *objection(const struct gate *g, struct paired *ret_by) {
    double rows = (double)g->rehearsal.rows;
    struct paired rest = without_best(g);

    *ret_by = g->feedback;
    if (g->feedback.rows < GATE_LEAST)
        return "too little feedback is held back";
    if (gain(&g->feedback) <= 0)
        return "not better on feedback";
    if (paired_better(&g->feedback) >= GATE_LEVEL)
        return "not clearly better on feedback";
    *ret_by = rest;
    if (gain(&rest) < 0)
        return "better for one stream only";
    *ret_by = g->rehearsal;
    if (paired_worse(&g->rehearsal) <= GATE_WORSE || -gain(&g->rehearsal) > GATE_LOSS * rows)
        return "worse on rehearsal";
    *ret_by = g->since;
    if (-gain(&g->since) > GATE_LOSS_ALL * rows)
        return "worse on rehearsal than the first model";
    *ret_by = g->feedback;
    return NULL;
}

void gate_end(const struct gate *g, struct gate_verdict *ret_verdict) {
    struct paired by;
    const char *against = objection(g, &by);

    ret_verdict->passes = !against;
    ret_verdict->p_better = paired_better(&g->feedback);
    ret_verdict->p_worse = fmin(paired_worse(&g->rehearsal), paired_worse(&g->feedback));
    (void)snprintf(ret_verdict->text, sizeof ret_verdict->text,
                   "%s: of %zu rows %zu won, %zu lost (exact McNemar, p %.2g)",
                   against ? against : "better on feedback", by.rows, by.won, by.lost,
                   by.won >= by.lost ? paired_better(&by) : paired_worse(&by));
}
