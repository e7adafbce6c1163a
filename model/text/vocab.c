/* vocab.c - see vocab.h. Open addressing, linear probing, never more than half full. */
#include "model/text/vocab.h"

#include <assert.h>
#include <string.h>

#include "model/text/utf8.h"
#include "model/text/word64.h"
#include "proto/limits.h"

/* Honest vocabularies need probes of a few dozen; a longer one is pieces made to collide. */
#define PROBES_MAX 4096u

#define BLOCKS_MAX ((LIMIT_PIECE_BYTES + WORD64_BYTES - 1) / WORD64_BYTES)

static inline uint32_t slot_of(const struct vocab *v, uint64_t h) {
    return (uint32_t)(h >> v->shift);
}

static uint64_t hash_of(const uint8_t *bytes, size_t len) {
    uint64_t h = WORD64_START;

    for (size_t at = 0; at < len; at += WORD64_BYTES)
        h = word64_hash(h, word64_load(bytes + at, len - at));
    return h;
}

static size_t count_lines(const uint8_t *text, size_t len) {
    size_t n = 0;

    for (size_t at = 0; at < len; n++) {
        const uint8_t *end = memchr(text + at, '\n', len - at);
        at = end ? (size_t)(end - text) + 1 : len;
    }
    return n;
}

static size_t slots_for(size_t n) {
    size_t slots = 16;

    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

size_t vocab_bytes(const uint8_t *text, size_t len) {
    size_t n = count_lines(text, len);

    if (n > LIMIT_VOCAB) /* vocab_new will refuse it before it reserves anything */
        n = LIMIT_VOCAB;
    return arena_block(sizeof(struct vocab)) + arena_block(len) +
           arena_block(n * sizeof(struct vocab_piece)) +
           arena_block(slots_for(n) * sizeof(struct vocab_slot));
}

/* A piece that is all in its first block. */
static inline uint32_t find_short(const struct vocab *v, uint64_t h, uint64_t head, size_t len) {
    for (uint32_t at = slot_of(v, h);; at = (at + 1) & v->mask) {
        const struct vocab_slot *slot = &v->slots[at];

        if (slot->head == head && slot->len == len)
            return slot->id;
        if (slot->id == VOCAB_NONE)
            return VOCAB_NONE;
    }
}

static inline uint32_t find(const struct vocab *v, uint64_t h, uint64_t head, const uint8_t *piece,
                            size_t len) {
    if (len <= WORD64_BYTES)
        return find_short(v, h, head, len);
    for (uint32_t at = slot_of(v, h);; at = (at + 1) & v->mask) {
        const struct vocab_slot *slot = &v->slots[at];

        if (slot->head == head && slot->len == len &&
            memcmp(v->text + v->pieces[slot->id].start, piece, len) == 0)
            return slot->id;
        if (slot->id == VOCAB_NONE)
            return VOCAB_NONE;
    }
}

static diffuse_err insert(const struct vocab *v, struct vocab_slot *slots, uint32_t id,
                          struct reason *why) {
    const struct vocab_piece *p = &v->pieces[id];
    const uint8_t *bytes = v->text + p->start;
    uint64_t h = hash_of(bytes, p->len);
    uint64_t head = word64_load(bytes, p->len);
    uint32_t twin = find(v, h, head, bytes, p->len);
    uint32_t at = slot_of(v, h);

    if (twin != VOCAB_NONE)
        return reason_set(why, DIFFUSE_CORRUPT, "vocabulary line %u: '%.*s' is already on line %u",
                          id + 1, (int)p->len, (const char *)bytes, twin + 1);
    for (uint32_t probes = 0; slots[at].id != VOCAB_NONE; at = (at + 1) & v->mask)
        if (++probes > PROBES_MAX)
            return reason_set(why, DIFFUSE_CORRUPT,
                              "vocabulary line %u: thousands of pieces share one hash", id + 1);
    slots[at] = (struct vocab_slot){head, id, p->len};
    return DIFFUSE_OK;
}

static diffuse_err check_piece(const uint8_t *piece, size_t len, uint32_t line,
                               struct reason *why) {
    if (len == 0)
        return reason_set(why, DIFFUSE_CORRUPT, "vocabulary line %u: empty; expected a piece",
                          line);
    if (len > LIMIT_PIECE_BYTES)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "vocabulary line %u: %zu bytes; a piece has at most %u", line, len,
                          LIMIT_PIECE_BYTES);
    if (!utf8_valid(piece, len))
        return reason_set(why, DIFFUSE_CORRUPT, "vocabulary line %u: not UTF-8", line);
    return DIFFUSE_OK;
}

static diffuse_err split_lines(struct vocab *v, struct vocab_piece *pieces, struct reason *why) {
    size_t at = 0;

    for (uint32_t i = 0; i < v->n; i++) {
        const uint8_t *start = v->text + at;
        const uint8_t *newline = memchr(start, '\n', v->text_len - at);
        size_t len = newline ? (size_t)(newline - start) : v->text_len - at;
        diffuse_err e;

        at += len + 1;
        if (len > 0 && start[len - 1] == '\r')
            len--;
        if ((e = check_piece(start, len, i + 1, why)))
            return e;
        pieces[i] = (struct vocab_piece){(uint32_t)(start - v->text), (uint32_t)len};
        if (len > v->max_len)
            v->max_len = (uint32_t)len;
    }
    return DIFFUSE_OK;
}

static diffuse_err check_size(size_t lines, size_t len, struct reason *why) {
    if (lines == 0)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "the vocabulary is empty; expected one piece a line");
    if (lines > LIMIT_VOCAB)
        return reason_set(why, DIFFUSE_CORRUPT, "vocabulary of %zu pieces; at most %u", lines,
                          LIMIT_VOCAB);
    if (len > (size_t)LIMIT_VOCAB * (LIMIT_PIECE_BYTES + 2))
        return reason_set(why, DIFFUSE_CORRUPT, "vocabulary of %zu bytes; a piece has at most %u",
                          len, LIMIT_PIECE_BYTES);
    return DIFFUSE_OK;
}

static diffuse_err fill(struct vocab *v, uint8_t *text, struct vocab_piece *pieces,
                        struct vocab_slot *slots, struct reason *why) {
    diffuse_err e;

    *v = (struct vocab){.text = text,
                        .text_len = v->text_len,
                        .pieces = pieces,
                        .slots = slots,
                        .n = v->n,
                        .mask = v->mask,
                        .shift = v->shift};
    if ((e = split_lines(v, pieces, why)))
        return e;
    for (uint32_t i = 0; i <= v->mask; i++)
        slots[i] = (struct vocab_slot){.id = VOCAB_NONE}; /* of no length: no piece */
    for (uint32_t i = 0; i < v->n; i++)
        if ((e = insert(v, slots, i, why)))
            return e;
    return DIFFUSE_OK;
}

diffuse_err vocab_new(struct arena *arena, const uint8_t *text, size_t len,
                      struct vocab **ret_vocab, struct reason *why) {
    size_t lines = count_lines(text, len);
    size_t mark = arena_mark(arena);
    size_t n_slots = slots_for(lines);
    struct vocab_piece *pieces;
    struct vocab_slot *slots;
    struct vocab *v;
    uint8_t *copy;
    diffuse_err e;

    if ((e = check_size(lines, len, why)))
        return e;
    v = arena_alloc(arena, sizeof *v);
    copy = arena_alloc(arena, len);
    pieces = arena_alloc(arena, lines * sizeof *pieces);
    slots = arena_alloc(arena, n_slots * sizeof *slots);
    if (!v || !copy || !pieces || !slots) {
        e = reason_set(why, DIFFUSE_NOMEM, "no room for a vocabulary of %zu pieces", lines);
        goto fail;
    }
    memcpy(copy, text, len);
    v->text_len = len;
    v->n = (uint32_t)lines;
    v->mask = (uint32_t)(n_slots - 1);
    v->shift = 32 + (uint32_t)__builtin_clz(v->mask);
    if ((e = fill(v, copy, pieces, slots, why)))
        goto fail;
    *ret_vocab = v;
    return DIFFUSE_OK;
fail:
    arena_rewind(arena, mark);
    return e;
}

uint32_t vocab_find(const struct vocab *v, const void *piece, size_t len) {
    if (len == 0 || len > v->max_len)
        return VOCAB_NONE;
    return find(v, hash_of(piece, len), word64_load(piece, len), piece, len);
}

uint32_t vocab_find_short(const struct vocab *v, uint64_t block, size_t len) {
    return find_short(v, word64_hash(WORD64_START, block), block, len);
}

uint32_t vocab_longest(const struct vocab *v, const uint8_t *bytes, size_t len, size_t min_len,
                       size_t *ret_len) {
    uint64_t block[BLOCKS_MAX], before[BLOCKS_MAX]; /* and the hash of all blocks before it */
    uint64_t h = WORD64_START;

    assert(len <= LIMIT_PIECE_BYTES);
    if (len > v->max_len)
        len = v->max_len;
    for (size_t i = 0; i * WORD64_BYTES < len; i++) {
        block[i] = word64_load(bytes + i * WORD64_BYTES, len - i * WORD64_BYTES);
        before[i] = h;
        h = word64_hash(h, block[i]);
    }
    for (; len >= min_len && len > 0; len--) {
        size_t i = (len - 1) / WORD64_BYTES;
        uint64_t last = word64_first(block[i], len - i * WORD64_BYTES);
        uint32_t id = find(v, word64_hash(before[i], last), i ? block[0] : last, bytes, len);

        if (id != VOCAB_NONE) {
            *ret_len = len;
            return id;
        }
    }
    return VOCAB_NONE;
}

const uint8_t *vocab_piece(const struct vocab *v, uint32_t id, size_t *ret_len) {
    assert(id < v->n);
    *ret_len = v->pieces[id].len;
    return v->text + v->pieces[id].start;
}
