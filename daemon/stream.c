#include "daemon/stream.h"

#include <assert.h>
#include <string.h>

#define NONE UINT32_MAX

struct entry {
    uint64_t last_seq;
    uint32_t chain;        /* next entry of the same hash bucket */
    uint32_t newer, older; /* neighbours in order of last use */
    uint32_t hash;
    uint8_t len;
    char name[LIMIT_STREAM_BYTES];
};

struct stream_table {
    struct entry *entry; /* (cap) */
    uint32_t *bucket;    /* (buckets) first entry of each chain */
    uint32_t cap, n, buckets;
    uint32_t newest, oldest;
};

static size_t bucket_count(size_t cap) {
    size_t n = 1;
    while (n < cap)
        n *= 2;
    return n;
}

size_t stream_bytes(size_t cap) {
    return arena_block(sizeof(struct stream_table)) + arena_block(cap * sizeof(struct entry)) +
           arena_block(bucket_count(cap) * sizeof(uint32_t));
}

diffuse_err stream_new(struct arena *arena, size_t cap, struct stream_table **ret_table) {
    size_t buckets = bucket_count(cap);
    struct stream_table *t = arena_alloc(arena, sizeof *t);
    struct entry *entry = arena_alloc(arena, cap * sizeof *entry);
    uint32_t *bucket = arena_alloc(arena, buckets * sizeof *bucket);
    if (!t || !entry || !bucket)
        return DIFFUSE_NOMEM;
    *t = (struct stream_table){.entry = entry,
                               .bucket = bucket,
                               .cap = (uint32_t)cap,
                               .buckets = (uint32_t)buckets,
                               .newest = NONE,
                               .oldest = NONE};
    memset(bucket, 0xff, buckets * sizeof *bucket);
    *ret_table = t;
    return DIFFUSE_OK;
}

/* FNV-1a. A sender who makes names collide slows himself: chains are no longer than the table. */
static uint32_t hash_name(const char *name, size_t len) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 16777619u;
    return h;
}

static uint32_t *chain_of(struct stream_table *t, uint32_t hash) {
    return &t->bucket[hash & (t->buckets - 1)];
}

static void unlink_use(struct stream_table *t, uint32_t i) {
    struct entry *e = &t->entry[i];
    *(e->newer == NONE ? &t->newest : &t->entry[e->newer].older) = e->older;
    *(e->older == NONE ? &t->oldest : &t->entry[e->older].newer) = e->newer;
}

static void link_newest(struct stream_table *t, uint32_t i) {
    struct entry *e = &t->entry[i];
    e->newer = NONE;
    e->older = t->newest;
    *(t->newest == NONE ? &t->oldest : &t->entry[t->newest].newer) = i;
    t->newest = i;
}

static uint32_t forget_oldest(struct stream_table *t) {
    uint32_t i = t->oldest;
    uint32_t *link = chain_of(t, t->entry[i].hash);
    while (*link != i)
        link = &t->entry[*link].chain;
    *link = t->entry[i].chain;
    unlink_use(t, i);
    return i;
}

static uint32_t find(struct stream_table *t, const char *name, size_t len, uint32_t hash) {
    uint32_t i = *chain_of(t, hash);
    while (i != NONE && (t->entry[i].hash != hash || t->entry[i].len != len ||
                         memcmp(t->entry[i].name, name, len) != 0))
        i = t->entry[i].chain;
    return i;
}

struct stream_note stream_hear(struct stream_table *t, const char *name, size_t len, uint64_t seq) {
    assert(len <= LIMIT_STREAM_BYTES);
    struct stream_note note = {0};
    uint32_t hash = hash_name(name, len);
    uint32_t i = find(t, name, len, hash);
    if (i != NONE) {
        struct entry *e = &t->entry[i];
        if (seq > e->last_seq)
            note.missing = seq - e->last_seq - 1;
        e->last_seq = seq;
        unlink_use(t, i);
        link_newest(t, i);
        return note;
    }
    note.forgot = t->n == t->cap;
    i = note.forgot ? forget_oldest(t) : t->n++;
    struct entry *e = &t->entry[i];
    memcpy(e->name, name, len);
    e->len = (uint8_t)len;
    e->hash = hash;
    e->last_seq = seq;
    e->chain = *chain_of(t, hash);
    *chain_of(t, hash) = i;
    link_newest(t, i);
    return note;
}

bool stream_last(struct stream_table *t, const char *name, size_t len, uint64_t *ret_seq) {
    uint32_t i = find(t, name, len, hash_name(name, len));
    if (i == NONE)
        return false;
    *ret_seq = t->entry[i].last_seq;
    return true;
}

size_t stream_count(const struct stream_table *t) {
    return t->n;
}
