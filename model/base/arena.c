#include "model/base/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

size_t arena_block(size_t n) {
    if (n > SIZE_MAX - (ARENA_ALIGN - 1))
        return SIZE_MAX;
    return (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

diffuse_err arena_init(struct arena *a, size_t cap) {
    size_t bytes = arena_block(cap ? cap : 1);
    uint8_t *base;

    if (bytes > PTRDIFF_MAX)
        return DIFFUSE_NOMEM;
    base = aligned_alloc(ARENA_ALIGN, bytes);
    if (!base)
        return DIFFUSE_NOMEM;
    memset(base, 0, bytes); /* touches every page: no surprise after READY */
    *a = (struct arena){.base = base, .cap = bytes};
    return DIFFUSE_OK;
}

void arena_done(struct arena *a) {
    free(a->base);
    *a = (struct arena){0};
}

void *arena_alloc(struct arena *a, size_t n) {
    size_t bytes = arena_block(n);
    void *p;

    if (bytes > a->cap - a->used)
        return NULL;
    p = a->base + a->used;
    a->used += bytes;
    if (a->used > a->peak)
        a->peak = a->used;
    memset(p, 0, bytes);
    return p;
}

size_t arena_mark(const struct arena *a) {
    return a->used;
}

void arena_rewind(struct arena *a, size_t mark) {
    assert(mark <= a->used);
    a->used = mark;
}
