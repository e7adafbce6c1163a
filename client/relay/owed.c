#include "client/relay/owed.h"

#include <string.h>

/* The place of a stream, or the free one where it would be. */
static struct owed_stream *place(struct owed *o, uint64_t hash) {
    uint64_t i = hash;

    while (o->streams[i % OWED_STREAMS].hash && o->streams[i % OWED_STREAMS].hash != hash)
        i++;
    return &o->streams[i % OWED_STREAMS];
}

static uint64_t not_zero(uint64_t hash) {
    return hash ? hash : 1;
}

void owed_add(struct owed *o, uint64_t hash) {
    struct owed_stream *s = place(o, not_zero(hash));

    if (!s->hash && o->used >= OWED_STREAMS / 4 * 3) {
        if (o->total > 0)
            return;
        owed_forgive(o); /* old streams, all paid */
        s = place(o, not_zero(hash));
    }
    o->used += !s->hash;
    s->hash = not_zero(hash);
    s->labels++;
    o->total++;
}

void owed_pay(struct owed *o, uint64_t hash) {
    struct owed_stream *s = place(o, not_zero(hash));

    if (!s->hash || s->labels == 0)
        return;
    s->labels--;
    o->total--;
}

void owed_forgive(struct owed *o) {
    memset(o, 0, sizeof *o);
}
