#include "model/tune/reservoir.h"

#include <string.h>

static size_t id_bytes(uint32_t vocab) {
    return vocab > UINT16_MAX ? sizeof(uint32_t) : sizeof(uint16_t);
}

size_t reservoir_bytes(size_t cap, uint32_t max_length, uint32_t vocab, uint32_t labels) {
    return arena_block(cap * max_length * id_bytes(vocab)) +
           2 * arena_block(cap * sizeof(uint32_t)) + arena_block(cap * sizeof(uint64_t)) +
           arena_block(labels * sizeof(uint64_t)) + arena_block(labels * sizeof(uint32_t)) +
           arena_block(labels * sizeof(bool));
}

diffuse_err reservoir_init(struct reservoir *r, struct arena *arena, size_t cap,
                           uint32_t max_length, uint32_t vocab, uint32_t labels, uint64_t seed) {
    *r = (struct reservoir){.cap = cap,
                            .max_length = max_length,
                            .labels = labels,
                            .wide = id_bytes(vocab) == sizeof(uint32_t)};
    r->ids = arena_alloc(arena, cap * max_length * id_bytes(vocab));
    r->length = arena_alloc(arena, cap * sizeof *r->length);
    r->label = arena_alloc(arena, cap * sizeof *r->label);
    r->owner = arena_alloc(arena, cap * sizeof *r->owner);
    r->came = arena_alloc(arena, labels * sizeof *r->came);
    r->held = arena_alloc(arena, labels * sizeof *r->held);
    r->full = arena_alloc(arena, labels * sizeof *r->full);
    rng_init(&r->rng, seed, 0);
    return r->ids && r->length && r->label && r->owner && r->came && r->held && r->full
               ? DIFFUSE_OK
               : DIFFUSE_NOMEM;
}

/* --- where a row goes ---------------------------------------------------- */

static uint32_t largest(const struct reservoir *r) {
    uint32_t best = 0;

    for (uint32_t l = 1; l < r->labels; l++)
        if (r->held[l] > r->held[best])
            best = l;
    return best;
}

/* One of the rows of a label that has some, at random. */
static size_t any_of(struct reservoir *r, uint32_t label) {
    uint32_t nth = rng_below(&r->rng, r->held[label]);
    size_t i = 0;

    for (; r->label[i] != label || nth-- > 0; i++)
        ;
    return i;
}

/* Rows from 2^32 on count as that many: the chance is then below one in two thousand million. */
static uint32_t below(struct reservoir *r, uint64_t n) {
    return rng_below(&r->rng, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
}

static size_t place(struct reservoir *r, uint32_t label) {
    uint32_t from;
    size_t i;

    if (r->n < r->cap)
        return r->n++;
    if (r->cap == 0)
        return RESERVOIR_NONE;
    from = largest(r);
    r->full[from] = true;
    if (r->full[label]) {
        /* Its rows may all have been forgotten since it was the largest. */
        if (r->held[label] == 0 || below(r, r->came[label]) >= r->held[label])
            return RESERVOIR_NONE;
        from = label;
    }
    i = any_of(r, from);
    r->held[from]--;
    return i;
}

static void put(struct reservoir *r, size_t i, const uint32_t *ids, uint32_t n) {
    size_t at = i * r->max_length;

    r->length[i] = n > r->max_length ? r->max_length : n;
    for (uint32_t k = 0; k < r->length[i]; k++)
        if (r->wide)
            ((uint32_t *)r->ids)[at + k] = ids[k];
        else
            ((uint16_t *)r->ids)[at + k] = (uint16_t)ids[k];
}

size_t reservoir_offer(struct reservoir *r, const uint32_t *ids, uint32_t n, uint32_t label,
                       uint64_t owner) {
    size_t i;

    r->came[label]++;
    if ((i = place(r, label)) == RESERVOIR_NONE)
        return i;
    put(r, i, ids, n);
    r->label[i] = label;
    r->owner[i] = owner;
    r->held[label]++;
    return i;
}

/* --- the rest ------------------------------------------------------------ */

static void move(struct reservoir *r, size_t from, size_t to) {
    size_t row = r->max_length * (r->wide ? sizeof(uint32_t) : sizeof(uint16_t));

    memmove((char *)r->ids + to * row, (char *)r->ids + from * row, row);
    r->length[to] = r->length[from];
    r->label[to] = r->label[from];
    r->owner[to] = r->owner[from];
}

size_t reservoir_drop(struct reservoir *r, uint64_t owner) {
    size_t kept = 0, dropped;

    for (size_t i = 0; i < r->n; i++)
        if (r->owner[i] == owner)
            r->held[r->label[i]]--;
        else
            move(r, i, kept++);
    dropped = r->n - kept;
    r->n = kept;
    return dropped;
}

void reservoir_clear(struct reservoir *r) {
    r->n = 0;
    memset(r->came, 0, r->labels * sizeof *r->came);
    memset(r->held, 0, r->labels * sizeof *r->held);
    memset(r->full, 0, r->labels * sizeof *r->full);
}

uint32_t reservoir_read(const struct reservoir *r, size_t i, uint32_t *ids) {
    size_t at = i * r->max_length;

    for (uint32_t k = 0; k < r->length[i]; k++)
        ids[k] = r->wide ? ((const uint32_t *)r->ids)[at + k] : ((const uint16_t *)r->ids)[at + k];
    return r->length[i];
}
