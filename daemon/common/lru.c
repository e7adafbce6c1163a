#include "daemon/common/lru.h"

#include <assert.h>
#include <string.h>

#include "model/base/keyed.h"

struct entry {
    uint32_t chain;        /* next entry of the same hash bucket, or of those that are free */
    uint32_t newer, older; /* neighbours in order of last use */
    uint32_t hash;
    uint8_t len;
    char name[LIMIT_STREAM_BYTES];
};

struct lru {
    struct entry *entry; /* (cap) */
    uint32_t *bucket;    /* (buckets) first entry of each chain */
    uint32_t cap, n, buckets;
    uint32_t touched; /* entries that were ever used: those from here on are free as well */
    uint32_t free;    /* first of those that were dropped */
    uint32_t newest, oldest;
    struct keyed key; /* names come from outside: nobody is to aim at a chain */
};

static size_t bucket_count(size_t cap) {
    size_t n = 1;
    while (n < cap)
        n *= 2;
    return n;
}

size_t lru_bytes(size_t cap) {
    return arena_block(sizeof(struct lru)) + arena_block(cap * sizeof(struct entry)) +
           arena_block(bucket_count(cap) * sizeof(uint32_t));
}

diffuse_err lru_new(struct arena *arena, size_t cap, struct lru **ret_lru) {
    size_t buckets = bucket_count(cap);
    struct lru *t = arena_alloc(arena, sizeof *t);
    struct entry *entry = arena_alloc(arena, cap * sizeof *entry);
    uint32_t *bucket = arena_alloc(arena, buckets * sizeof *bucket);
    if (!t || !entry || !bucket)
        return DIFFUSE_NOMEM;
    *t = (struct lru){
        .entry = entry, .bucket = bucket, .cap = (uint32_t)cap, .buckets = (uint32_t)buckets};
    keyed_init(&t->key);
    lru_clear(t);
    *ret_lru = t;
    return DIFFUSE_OK;
}

void lru_clear(struct lru *t) {
    t->n = t->touched = 0;
    t->free = t->newest = t->oldest = LRU_NONE;
    memset(t->bucket, 0xff, t->buckets * sizeof *t->bucket);
}

static uint32_t hash_name(const struct lru *t, const char *name, size_t len) {
    return (uint32_t)keyed_hash(&t->key, name, len);
}

static uint32_t *chain_of(const struct lru *t, uint32_t hash) {
    return &t->bucket[hash & (t->buckets - 1)];
}

static void unlink_use(struct lru *t, uint32_t i) {
    struct entry *e = &t->entry[i];
    *(e->newer == LRU_NONE ? &t->newest : &t->entry[e->newer].older) = e->older;
    *(e->older == LRU_NONE ? &t->oldest : &t->entry[e->older].newer) = e->newer;
}

static void link_newest(struct lru *t, uint32_t i) {
    struct entry *e = &t->entry[i];
    e->newer = LRU_NONE;
    e->older = t->newest;
    *(t->newest == LRU_NONE ? &t->oldest : &t->entry[t->newest].newer) = i;
    t->newest = i;
}

uint32_t lru_find(const struct lru *t, const char *name, size_t len) {
    uint32_t hash = hash_name(t, name, len);
    uint32_t i = *chain_of(t, hash);
    while (i != LRU_NONE && (t->entry[i].hash != hash || t->entry[i].len != len ||
                             memcmp(t->entry[i].name, name, len) != 0))
        i = t->entry[i].chain;
    return i;
}

void lru_use(struct lru *t, uint32_t row) {
    unlink_use(t, row);
    link_newest(t, row);
}

uint32_t lru_add(struct lru *t, const char *name, size_t len) {
    assert(len <= LIMIT_STREAM_BYTES && t->n < t->cap);
    uint32_t i = t->free;
    if (i == LRU_NONE)
        i = t->touched++;
    else
        t->free = t->entry[i].chain;
    t->n++;
    struct entry *e = &t->entry[i];
    memcpy(e->name, name, len);
    e->len = (uint8_t)len;
    e->hash = hash_name(t, name, len);
    e->chain = *chain_of(t, e->hash);
    *chain_of(t, e->hash) = i;
    link_newest(t, i);
    return i;
}

void lru_drop(struct lru *t, uint32_t row) {
    uint32_t *link = chain_of(t, t->entry[row].hash);
    while (*link != row)
        link = &t->entry[*link].chain;
    *link = t->entry[row].chain;
    unlink_use(t, row);
    t->entry[row].chain = t->free;
    t->free = row;
    t->n--;
}

uint32_t lru_oldest(const struct lru *t) {
    return t->oldest;
}

const char *lru_name(const struct lru *t, uint32_t row, size_t *ret_len) {
    *ret_len = t->entry[row].len;
    return t->entry[row].name;
}

size_t lru_count(const struct lru *t) {
    return t->n;
}
