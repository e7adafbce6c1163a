#include "daemon/path/stream.h"

#include <string.h>

#include "daemon/common/lru.h"

struct row {
    uint64_t last_seq;
    struct stream_books books;
    uint32_t era; /* counts the streams that had this row */
    bool heard;   /* last_seq is one */
    bool used;
};

struct stream_table {
    struct lru *names;
    struct row *row; /* (cap) */
    size_t cap;
    struct stream_books others;
};

size_t stream_bytes(size_t cap) {
    return arena_block(sizeof(struct stream_table)) + lru_bytes(cap) +
           arena_block(cap * sizeof(struct row));
}

diffuse_err stream_new(struct arena *arena, size_t cap, struct stream_table **ret_table) {
    struct stream_table *t = arena_alloc(arena, sizeof *t);
    struct lru *names = NULL;
    diffuse_err e = lru_new(arena, cap, &names);
    struct row *row = arena_alloc(arena, cap * sizeof *row);
    if (e || !t || !row)
        return DIFFUSE_NOMEM;
    memset(row, 0, cap * sizeof *row);
    *t = (struct stream_table){.names = names, .row = row, .cap = cap};
    *ret_table = t;
    return DIFFUSE_OK;
}

static void add(struct stream_books *to, const struct stream_books *from) {
    to->accepted += from->accepted;
    to->gaps += from->gaps;
    for (int i = 0; i < (int)STREAM_FATES; i++)
        to->fate[i] += from->fate[i];
}

static void forget(struct stream_table *t, uint32_t row) {
    add(&t->others, &t->row[row].books);
    t->row[row] = (struct row){.era = t->row[row].era + 1};
    lru_drop(t->names, row);
}

static uint32_t open_row(struct stream_table *t, struct stream_name name,
                         struct stream_note *note) {
    note->forgot = lru_count(t->names) == t->cap;
    if (note->forgot)
        forget(t, lru_oldest(t->names));
    uint32_t row = lru_add(t->names, name);
    t->row[row].used = true;
    return row;
}

struct stream_note stream_hear(struct stream_table *t, struct stream_name name,
                               const uint64_t *seq) {
    struct stream_note note = {0};
    uint32_t i = lru_find(t->names, name);
    if (i == LRU_NONE)
        i = open_row(t, name, &note);
    else
        lru_use(t->names, i);
    struct row *row = &t->row[i];
    if (seq && row->heard && *seq > row->last_seq)
        note.missing = *seq - row->last_seq - 1;
    note.jumped = note.missing > LIMIT_GAP;
    if (note.jumped)
        note.missing = 0;
    if (seq) {
        row->last_seq = *seq;
        row->heard = true;
    }
    row->books.accepted++;
    row->books.gaps += note.missing;
    note.books = (struct stream_ref){i, row->era};
    return note;
}

void stream_settle(struct stream_table *t, struct stream_ref books, enum stream_fate fate) {
    struct row *row = &t->row[books.row];
    struct stream_books *b = row->era == books.era ? &row->books : &t->others;
    b->fate[fate]++;
}

bool stream_last(struct stream_table *t, struct stream_name name, uint64_t *ret_seq) {
    uint32_t row = lru_find(t->names, name);
    if (row == LRU_NONE || !t->row[row].heard)
        return false;
    *ret_seq = t->row[row].last_seq;
    return true;
}

size_t stream_count(const struct stream_table *t) {
    return lru_count(t->names);
}

uint32_t stream_rows(const struct stream_table *t) {
    return (uint32_t)t->cap;
}

bool stream_row(const struct stream_table *t, uint32_t i, struct stream_row *ret) {
    const struct row *row = &t->row[i];
    if (!row->used)
        return false;
    ret->name = lru_name(t->names, i, &ret->len);
    ret->last_seq = row->last_seq;
    ret->books = row->books;
    return true;
}

struct stream_books stream_others(const struct stream_table *t) {
    return t->others;
}

struct stream_books stream_total(const struct stream_table *t) {
    struct stream_books sum = t->others;
    for (size_t i = 0; i < t->cap; i++)
        add(&sum, &t->row[i].books);
    return sum;
}

uint64_t stream_in_flight(const struct stream_books *b) {
    uint64_t n = b->accepted;
    for (int i = 0; i < (int)STREAM_FATES; i++)
        n -= b->fate[i];
    return n;
}
