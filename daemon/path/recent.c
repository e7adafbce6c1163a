#include "daemon/path/recent.h"

#include <assert.h>
#include <string.h>

#include "daemon/common/index.h"
#include "model/base/keyed.h"

struct entry {
    uint64_t seq;
    uint32_t n, predicted, truth;
    float confidence;
    bool used;
    uint8_t len;
    char stream[LIMIT_STREAM_BYTES];
};

struct recent {
    struct entry *entry; /* (cap) a ring */
    uint32_t *ids;       /* (cap, max_length) */
    struct index samples;
    uint32_t cap, next, n;
    size_t max_length;
    struct keyed key; /* of the hashes of a stream and a number */
};

size_t recent_bytes(size_t rows, size_t max_length) {
    return arena_block(sizeof(struct recent)) + arena_block(rows * sizeof(struct entry)) +
           arena_block(rows * max_length * sizeof(uint32_t)) + index_bytes(rows);
}

diffuse_err recent_new(struct arena *arena, size_t rows, size_t max_length,
                       struct recent **ret_retain) {
    struct recent *r = arena_alloc(arena, sizeof *r);
    struct entry *entry = arena_alloc(arena, rows * sizeof *entry);
    uint32_t *ids = arena_alloc(arena, rows * max_length * sizeof *ids);
    if (!r || !entry || !ids)
        return DIFFUSE_NOMEM;
    *r = (struct recent){
        .entry = entry, .ids = ids, .cap = (uint32_t)rows, .max_length = max_length};
    diffuse_err e = index_init(&r->samples, arena, rows);
    if (e)
        return e;
    keyed_init(&r->key);
    recent_clear(r);
    *ret_retain = r;
    return DIFFUSE_OK;
}

void recent_clear(struct recent *r) {
    index_clear(&r->samples);
    for (uint32_t i = 0; i < r->cap; i++)
        r->entry[i].used = false;
    r->next = 0;
    r->n = 0;
}

static uint64_t hash_of(const struct recent *r, struct stream_name stream, uint64_t seq) {
    uint64_t both[] = {stream.hash, seq};
    return keyed_hash(&r->key, both, sizeof both);
}

static uint32_t find(const struct recent *r, struct stream_name stream, uint64_t seq) {
    uint32_t i = index_first(&r->samples, hash_of(r, stream, seq));
    while (i != INDEX_NONE && (r->entry[i].seq != seq || r->entry[i].len != stream.len ||
                               memcmp(r->entry[i].stream, stream.text, stream.len) != 0))
        i = index_next(&r->samples, i);
    return i;
}

static void drop(struct recent *r, uint32_t i) {
    index_drop(&r->samples, i);
    r->entry[i].used = false;
    r->n--;
}

void recent_keep(struct recent *r, const struct inflight_sample *s) {
    assert(s->stream_len > 0);
    uint32_t old = find(r, inflight_stream(s), s->seq);
    if (old != INDEX_NONE)
        drop(r, old);
    uint32_t i = r->next;
    struct entry *e = &r->entry[i];
    r->next = (i + 1) % r->cap;
    if (e->used)
        drop(r, i);
    size_t n = s->n < r->max_length ? s->n : r->max_length;
    *e = (struct entry){.seq = s->seq,
                        .n = (uint32_t)n,
                        .predicted = s->label,
                        .truth = FEEDBACK_NO_LABEL,
                        .confidence = s->confidence,
                        .used = true,
                        .len = s->stream_len};
    memcpy(e->stream, s->stream, s->stream_len);
    memcpy(r->ids + i * r->max_length, s->ids, n * sizeof *r->ids);
    index_add(&r->samples, i, hash_of(r, inflight_stream(s), s->seq));
    r->n++;
}

bool recent_find(const struct recent *r, struct stream_name stream, uint64_t seq,
                 struct feedback_row *ret) {
    uint32_t i = find(r, stream, seq);
    if (i == INDEX_NONE)
        return false;
    const struct entry *e = &r->entry[i];
    *ret = (struct feedback_row){.stream = e->stream,
                                 .stream_len = e->len,
                                 .seq = e->seq,
                                 .ids = r->ids + i * r->max_length,
                                 .n = e->n,
                                 .label_id = e->truth,
                                 .predicted = e->predicted,
                                 .confidence = e->confidence,
                                 .judged = true};
    return true;
}

void recent_judge(struct recent *r, struct stream_name stream, uint64_t seq, uint32_t label_id) {
    uint32_t i = find(r, stream, seq);
    assert(i != INDEX_NONE);
    r->entry[i].truth = label_id;
}

size_t recent_count(const struct recent *r) {
    return r->n;
}
