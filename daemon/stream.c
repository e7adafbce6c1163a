#include "daemon/stream.h"

#include "daemon/lru.h"

struct stream_table {
    struct lru *names;
    uint64_t *last_seq; /* (cap) */
    size_t cap;
};

size_t stream_bytes(size_t cap) {
    return arena_block(sizeof(struct stream_table)) + lru_bytes(cap) +
           arena_block(cap * sizeof(uint64_t));
}

diffuse_err stream_new(struct arena *arena, size_t cap, struct stream_table **ret_table) {
    struct stream_table *t = arena_alloc(arena, sizeof *t);
    struct lru *names = NULL;
    diffuse_err e = lru_new(arena, cap, &names);
    uint64_t *last_seq = arena_alloc(arena, cap * sizeof *last_seq);
    if (e || !t || !last_seq)
        return DIFFUSE_NOMEM;
    *t = (struct stream_table){.names = names, .last_seq = last_seq, .cap = cap};
    *ret_table = t;
    return DIFFUSE_OK;
}

struct stream_note stream_hear(struct stream_table *t, const char *name, size_t len, uint64_t seq) {
    struct stream_note note = {0};
    uint32_t row = lru_find(t->names, name, len);
    if (row != LRU_NONE) {
        lru_use(t->names, row);
        if (seq > t->last_seq[row])
            note.missing = seq - t->last_seq[row] - 1;
    } else {
        note.forgot = lru_count(t->names) == t->cap;
        if (note.forgot)
            lru_drop(t->names, lru_oldest(t->names));
        row = lru_add(t->names, name, len);
    }
    t->last_seq[row] = seq;
    return note;
}

bool stream_last(struct stream_table *t, const char *name, size_t len, uint64_t *ret_seq) {
    uint32_t row = lru_find(t->names, name, len);
    if (row == LRU_NONE)
        return false;
    *ret_seq = t->last_seq[row];
    return true;
}

size_t stream_count(const struct stream_table *t) {
    return lru_count(t->names);
}
