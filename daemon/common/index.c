#include "daemon/common/index.h"

#include <string.h>

static uint32_t bucket_count(size_t rows) {
    uint32_t n = 1;
    while (n < rows)
        n *= 2;
    return n;
}

size_t index_bytes(size_t rows) {
    return arena_block(bucket_count(rows) * sizeof(uint32_t)) +
           arena_block(rows * sizeof(uint32_t)) + arena_block(rows * sizeof(uint64_t));
}

diffuse_err index_init(struct index *t, struct arena *arena, size_t rows) {
    *t = (struct index){.buckets = bucket_count(rows)};
    t->bucket = arena_alloc(arena, t->buckets * sizeof *t->bucket);
    t->chain = arena_alloc(arena, rows * sizeof *t->chain);
    t->hash = arena_alloc(arena, rows * sizeof *t->hash);
    if (!t->bucket || !t->chain || !t->hash)
        return DIFFUSE_NOMEM;
    index_clear(t);
    return DIFFUSE_OK;
}

void index_clear(struct index *t) {
    memset(t->bucket, 0xff, t->buckets * sizeof *t->bucket); /* INDEX_NONE each */
}

static uint32_t *bucket_of(const struct index *t, uint64_t hash) {
    return &t->bucket[hash & (t->buckets - 1)];
}

static uint32_t of_hash(const struct index *t, uint32_t row, uint64_t hash) {
    while (row != INDEX_NONE && t->hash[row] != hash)
        row = t->chain[row];
    return row;
}

uint32_t index_first(const struct index *t, uint64_t hash) {
    return of_hash(t, *bucket_of(t, hash), hash);
}

uint32_t index_next(const struct index *t, uint32_t row) {
    return of_hash(t, t->chain[row], t->hash[row]);
}

void index_add(struct index *t, uint32_t row, uint64_t hash) {
    uint32_t *first = bucket_of(t, hash);
    t->hash[row] = hash;
    t->chain[row] = *first;
    *first = row;
}

void index_drop(struct index *t, uint32_t row) {
    uint32_t *link = bucket_of(t, t->hash[row]);
    while (*link != row)
        link = &t->chain[*link];
    *link = t->chain[row];
}
