#include "model/tune/trust.h"

#include <string.h>

size_t trust_bytes(size_t cap) {
    return arena_block(cap * sizeof(struct trust_stream));
}

diffuse_err trust_init(struct trust *t, struct arena *arena, size_t cap) {
    *t = (struct trust){.cap = cap};
    t->stream = arena_alloc(arena, cap * sizeof *t->stream);
    return t->stream ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

void trust_clear(struct trust *t) {
    t->n = 0;
}

/* The stream of that name; a new one takes a free place, or that of the one heard longest ago. */
static struct trust_stream *find(struct trust *t, const char *name, size_t len) {
    struct trust_stream *s, *old = t->stream;

    for (size_t i = 0; i < t->n; i++) {
        s = &t->stream[i];
        if (s->len == len && memcmp(s->name, name, len) == 0)
            return s;
        if (s->heard < old->heard)
            old = s;
    }
    s = t->n < t->cap ? &t->stream[t->n++] : old;
    *s = (struct trust_stream){.len = len, .owner = ++t->owners};
    memcpy(s->name, name, len);
    return s;
}

double trust_of(const struct trust_stream *s) {
    return (TRUST_PRIOR + s->agree) / (TRUST_PRIOR + 1 + s->agree + s->contradict);
}

double trust_doubt(const struct trust *t) {
    double agree = 0, contradict = 0;

    for (size_t i = 0; i < t->n; i++)
        if (!t->stream[i].distrusted) {
            agree += t->stream[i].agree;
            contradict += t->stream[i].contradict;
        }
    return contradict > 0 ? contradict / (agree + contradict) : 0;
}

const struct trust_stream *trust_hear(struct trust *t, const char *name, size_t len, bool agrees,
                                      double confidence, bool *ret_lost) {
    struct trust_stream *s = find(t, name, len > LIMIT_STREAM_BYTES ? LIMIT_STREAM_BYTES : len);
    bool before = s->distrusted;

    s->heard = ++t->rows;
    s->feedback++;
    if (confidence >= TRUST_SURE) {
        s->agreed += agrees;
        s->contested += !agrees;
        s->agree = TRUST_FADE * s->agree + agrees;
        s->contradict = TRUST_FADE * s->contradict + !agrees;
        s->distrusted = trust_of(s) < (before ? TRUST_WON : TRUST_LOST);
    }
    *ret_lost = s->distrusted && !before;
    return s;
}
