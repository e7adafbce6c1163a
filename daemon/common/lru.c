#include "daemon/common/lru.h"

#include <assert.h>
#include <string.h>

#include "daemon/common/index.h"

struct entry {
    uint32_t newer, older; /* neighbours in order of last use; newer also: next that is free */
    uint8_t len;
    char name[LIMIT_STREAM_BYTES];
};

struct lru {
    struct entry *entry; /* (cap) */
    struct index names;
    uint32_t cap, n;
    uint32_t touched; /* entries that were ever used: those from here on are free as well */
    uint32_t free;    /* first of those that were dropped */
    uint32_t newest, oldest;
};

size_t lru_bytes(size_t cap) {
    return arena_block(sizeof(struct lru)) + arena_block(cap * sizeof(struct entry)) +
           index_bytes(cap);
}

diffuse_err lru_new(struct arena *arena, size_t cap, struct lru **ret_lru) {
    struct lru *t = arena_alloc(arena, sizeof *t);
    struct entry *entry = arena_alloc(arena, cap * sizeof *entry);
    if (!t || !entry)
        return DIFFUSE_NOMEM;
    *t = (struct lru){.entry = entry, .cap = (uint32_t)cap};
    diffuse_err e = index_init(&t->names, arena, cap);
    if (e)
        return e;
    lru_clear(t);
    *ret_lru = t;
    return DIFFUSE_OK;
}

void lru_clear(struct lru *t) {
    t->n = t->touched = 0;
    t->free = t->newest = t->oldest = LRU_NONE;
    index_clear(&t->names);
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

uint32_t lru_find(const struct lru *t, struct stream_name name) {
    uint32_t i = index_first(&t->names, name.hash);
    while (i != INDEX_NONE &&
           (t->entry[i].len != name.len || memcmp(t->entry[i].name, name.text, name.len) != 0))
        i = index_next(&t->names, i);
    return i;
}

void lru_use(struct lru *t, uint32_t row) {
    unlink_use(t, row);
    link_newest(t, row);
}

uint32_t lru_add(struct lru *t, struct stream_name name) {
    assert(name.len <= LIMIT_STREAM_BYTES && t->n < t->cap);
    uint32_t i = t->free;
    if (i == LRU_NONE)
        i = t->touched++;
    else
        t->free = t->entry[i].newer;
    t->n++;
    struct entry *e = &t->entry[i];
    memcpy(e->name, name.text, name.len);
    e->len = (uint8_t)name.len;
    index_add(&t->names, i, name.hash);
    link_newest(t, i);
    return i;
}

void lru_drop(struct lru *t, uint32_t row) {
    index_drop(&t->names, row);
    unlink_use(t, row);
    t->entry[row].newer = t->free;
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
