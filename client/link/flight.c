#include "client/link/flight.h"

#include <stdlib.h>
#include <string.h>

diffuse_err flight_init(struct flight *f, uint32_t cap) {
    struct flight_entry *entries = calloc((size_t)cap + 1, sizeof *entries);

    if (!entries)
        return DIFFUSE_NOMEM;
    for (uint32_t i = 1; i < cap; i++)
        entries[i].after = i + 1;
    *f = (struct flight){.entries = entries, .cap = cap, .n = 0, .free = cap ? 1 : 0};
    return DIFFUSE_OK;
}

void flight_done(struct flight *f) {
    for (uint32_t i = f->entries ? f->entries[0].after : 0; i; i = f->entries[i].after)
        free(f->entries[i].message);
    free(f->entries);
    *f = (struct flight){0};
}

uint64_t flight_hash(const void *name, size_t len) {
    const unsigned char *s = name;
    uint64_t h = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ s[i]) * 1099511628211u;
    return h;
}

diffuse_err flight_add(struct flight *f, uint64_t stream, uint64_t seq, diffuse_ticket ticket) {
    uint32_t i = f->free;
    struct flight_entry *entry = &f->entries[i], *ends = f->entries;

    if (i == 0)
        return DIFFUSE_BUSY;
    f->free = entry->after;
    *entry = (struct flight_entry){
        .stream = stream, .seq = seq, .ticket = ticket, .before = ends->before};
    f->entries[ends->before].after = i;
    ends->before = i;
    f->n++;
    return DIFFUSE_OK;
}

diffuse_err flight_keep(struct flight *f, const char *stream, const void *bytes, size_t len) {
    struct flight_entry *entry = &f->entries[f->entries[0].before];
    size_t name = strlen(stream) + 1;
    struct flight_message *m = malloc(sizeof *m + len + name);

    if (!m)
        return DIFFUSE_NOMEM;
    *m = (struct flight_message){.len = len, .bytes = (unsigned char *)(m + 1)};
    memcpy(m->bytes, bytes, len);
    m->stream = memcpy(m->bytes + len, stream, name);
    entry->message = m;
    entry->unsent = true;
    f->unsent++;
    return DIFFUSE_OK;
}

void flight_unsend(struct flight *f) {
    f->unsent = 0;
    for (uint32_t i = f->entries[0].after; i; i = f->entries[i].after) {
        f->entries[i].unsent = f->entries[i].message != NULL;
        f->unsent += f->entries[i].unsent;
    }
}

void flight_sent(struct flight *f, struct flight_entry *entry) {
    f->unsent -= entry->unsent;
    entry->unsent = false;
}

struct flight_entry *flight_unsent(struct flight *f) {
    uint32_t i = f->entries[0].before; /* usually what was added last */

    if (f->unsent == 0)
        return NULL;
    if (f->unsent == 1 && f->entries[i].unsent)
        return &f->entries[i];
    for (i = f->entries[0].after; i && !f->entries[i].unsent;)
        i = f->entries[i].after;
    return i ? &f->entries[i] : NULL;
}

static void unlink_entry(struct flight *f, uint32_t i) {
    struct flight_entry *entry = &f->entries[i];

    flight_sent(f, entry);
    free(entry->message);
    entry->message = NULL;

    f->entries[entry->before].after = entry->after;
    f->entries[entry->after].before = entry->before;
    entry->after = f->free;
    f->free = i;
    f->n--;
}

/* The index of the oldest entry of (stream, seq), or 0. */
static uint32_t find(const struct flight *f, uint64_t stream, uint64_t seq) {
    uint32_t i = f->entries[0].after;

    while (i && (f->entries[i].seq != seq || f->entries[i].stream != stream))
        i = f->entries[i].after;
    return i;
}

void flight_settle(struct flight *f, uint64_t stream, uint64_t seq) {
    uint32_t i = find(f, stream, seq);

    if (i)
        flight_sent(f, &f->entries[i]);
}

diffuse_ticket flight_find(const struct flight *f, uint64_t stream, uint64_t seq) {
    return f->entries[find(f, stream, seq)].ticket; /* entry 0 has ticket 0 */
}

diffuse_ticket flight_take(struct flight *f, uint64_t stream, uint64_t seq) {
    uint32_t i = find(f, stream, seq);

    if (i)
        unlink_entry(f, i);
    return f->entries[i].ticket;
}

diffuse_err flight_drop(struct flight *f, diffuse_ticket ticket) {
    for (uint32_t i = f->entries[0].after; i; i = f->entries[i].after)
        if (f->entries[i].ticket == ticket) {
            unlink_entry(f, i);
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}
