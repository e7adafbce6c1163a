/* flight.c - see flight.h. */
#include "client/flight.h"

#include <stdlib.h>

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
    *entry = (struct flight_entry){stream, seq, ticket, ends->before, 0};
    f->entries[ends->before].after = i;
    ends->before = i;
    f->n++;
    return DIFFUSE_OK;
}

static void unlink_entry(struct flight *f, uint32_t i) {
    struct flight_entry *entry = &f->entries[i];

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
