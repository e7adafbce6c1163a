/* tally.c - see tally.h. Strings in one pool, entries in order, an open-addressed index over them.
 */
#include "model/text/tally.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/text/hash.h"
#include "proto/limits.h"

#define FREE_SLOT UINT32_MAX

struct entry {
    uint64_t count;
    uint64_t hash;
    uint32_t start; /* in the pool */
    uint32_t len;
};

struct tally {
    uint8_t *pool;
    size_t pool_used, pool_cap;
    struct entry *entries;
    uint32_t n, cap;
    uint32_t *slots; /* entry, or FREE_SLOT; (mask + 1), at most half taken */
    uint32_t mask;
    uint64_t floor; /* counts up to this were forgotten last */
};

static uint32_t free_slot(const struct tally *t, uint64_t hash) {
    uint32_t at = (uint32_t)(hash >> 20) & t->mask;

    while (t->slots[at] != FREE_SLOT)
        at = (at + 1) & t->mask;
    return at;
}

static void index_all(struct tally *t) {
    memset(t->slots, 0xff, ((size_t)t->mask + 1) * sizeof *t->slots);
    for (uint32_t i = 0; i < t->n; i++)
        t->slots[free_slot(t, t->entries[i].hash)] = i;
}

static diffuse_err grow_entries(struct tally *t) {
    uint32_t cap = t->cap ? 2 * t->cap : 512;
    struct entry *entries = realloc(t->entries, cap * sizeof *entries);
    uint32_t *slots;

    if (!entries)
        return DIFFUSE_NOMEM;
    t->entries = entries;
    slots = realloc(t->slots, 2 * (size_t)cap * sizeof *slots);
    if (!slots)
        return DIFFUSE_NOMEM;
    t->slots = slots;
    t->cap = cap;
    t->mask = 2 * cap - 1;
    index_all(t);
    return DIFFUSE_OK;
}

static diffuse_err grow_pool(struct tally *t) {
    size_t cap = t->pool_cap ? 2 * t->pool_cap : 1 << 14;
    uint8_t *pool = realloc(t->pool, cap);

    if (!pool)
        return DIFFUSE_NOMEM;
    t->pool = pool;
    t->pool_cap = cap;
    return DIFFUSE_OK;
}

diffuse_err tally_new(struct tally **ret_tally) {
    struct tally *t = calloc(1, sizeof *t);

    if (!t || grow_entries(t) || grow_pool(t)) {
        tally_free(t);
        return DIFFUSE_NOMEM;
    }
    *ret_tally = t;
    return DIFFUSE_OK;
}

void tally_free(struct tally *t) {
    if (!t)
        return;
    free(t->pool);
    free(t->entries);
    free(t->slots);
    free(t);
}

/* Forget what was seen no more than floor times, floor rising, until half of both bounds is free.
 */
static void forget_rare(struct tally *t) {
    while (t->n > TALLY_STRINGS / 2 || t->pool_used > TALLY_BYTES / 2) {
        uint32_t kept = 0;
        size_t used = 0;

        t->floor++;
        for (uint32_t i = 0; i < t->n; i++) {
            struct entry e = t->entries[i];

            if (e.count <= t->floor)
                continue;
            memmove(t->pool + used, t->pool + e.start, e.len);
            e.start = (uint32_t)used;
            used += e.len;
            t->entries[kept++] = e;
        }
        t->n = kept;
        t->pool_used = used;
    }
    index_all(t);
}

static diffuse_err make_room(struct tally *t, size_t len) {
    diffuse_err e;

    if (t->n == TALLY_STRINGS || t->pool_used + len > TALLY_BYTES)
        forget_rare(t);
    if (t->n == t->cap && (e = grow_entries(t)))
        return e;
    while (t->pool_used + len > t->pool_cap)
        if ((e = grow_pool(t)))
            return e;
    return DIFFUSE_OK;
}

static uint32_t find(const struct tally *t, uint64_t hash, const uint8_t *bytes, size_t len) {
    uint32_t at = (uint32_t)(hash >> 20) & t->mask;

    for (; t->slots[at] != FREE_SLOT; at = (at + 1) & t->mask) {
        const struct entry *e = &t->entries[t->slots[at]];

        if (e->hash == hash && e->len == len && memcmp(t->pool + e->start, bytes, len) == 0)
            return t->slots[at];
    }
    return TALLY_NONE;
}

diffuse_err tally_add(struct tally *t, const uint8_t *bytes, size_t len, uint64_t weight,
                      uint32_t *ret_index) {
    uint64_t hash = hash_of(bytes, len);
    uint32_t index = find(t, hash, bytes, len);
    diffuse_err e;

    if (len > LIMIT_PIECE_BYTES)
        return DIFFUSE_TOOBIG;
    if (index != TALLY_NONE) {
        t->entries[index].count += weight;
        if (ret_index)
            *ret_index = index;
        return DIFFUSE_OK;
    }
    if ((e = make_room(t, len)))
        return e;
    memcpy(t->pool + t->pool_used, bytes, len);
    t->entries[t->n] = (struct entry){weight, hash, (uint32_t)t->pool_used, (uint32_t)len};
    t->pool_used += len;
    t->slots[free_slot(t, hash)] = t->n;
    if (ret_index)
        *ret_index = t->n;
    t->n++;
    return DIFFUSE_OK;
}

uint32_t tally_find(const struct tally *t, const uint8_t *bytes, size_t len) {
    return find(t, hash_of(bytes, len), bytes, len);
}

bool tally_is_full(const struct tally *t) {
    return t->n == TALLY_STRINGS || t->pool_used + LIMIT_PIECE_BYTES > TALLY_BYTES;
}

uint32_t tally_size(const struct tally *t) {
    return t->n;
}

struct tally_item tally_item(const struct tally *t, uint32_t index) {
    const struct entry *e = &t->entries[index];

    assert(index < t->n);
    return (struct tally_item){t->pool + e->start, e->len, e->count};
}

static int by_count_then_bytes(const void *a, const void *b, void *tally) {
    struct tally_item x = tally_item(tally, *(const uint32_t *)a);
    struct tally_item y = tally_item(tally, *(const uint32_t *)b);
    int order;

    if (x.count != y.count)
        return x.count > y.count ? -1 : 1;
    order = memcmp(x.bytes, y.bytes, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

diffuse_err tally_order(const struct tally *t, uint32_t **ret_indexes) {
    uint32_t *indexes = malloc(((size_t)t->n + 1) * sizeof *indexes);

    if (!indexes)
        return DIFFUSE_NOMEM;
    for (uint32_t i = 0; i < t->n; i++)
        indexes[i] = i;
    qsort_r(indexes, t->n, sizeof *indexes, by_count_then_bytes, (void *)(uintptr_t)t);
    *ret_indexes = indexes;
    return DIFFUSE_OK;
}
