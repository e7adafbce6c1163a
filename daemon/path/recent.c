#include "daemon/path/recent.h"

#include <assert.h>
#include <string.h>

#include "model/base/keyed.h"

#define NONE UINT32_MAX

struct entry {
    uint64_t seq;
    uint32_t chain; /* next entry of the same bucket */
    uint32_t bucket;
    uint32_t n, predicted, truth;
    float confidence;
    bool used;
    uint8_t len;
    char stream[LIMIT_STREAM_BYTES];
};

struct recent {
    struct entry *entry; /* (cap) a ring */
    uint32_t *ids;       /* (cap, max_length) */
    uint32_t *bucket;    /* (buckets) first entry of each chain */
    uint32_t cap, buckets, next, n;
    size_t max_length;
    struct keyed key; /* names and numbers come from outside: nobody is to aim at a chain */
};

static size_t bucket_count(size_t cap) {
    size_t n = 1;
    while (n < cap)
        n *= 2;
    return n;
}

size_t recent_bytes(size_t rows, size_t max_length) {
    return arena_block(sizeof(struct recent)) + arena_block(rows * sizeof(struct entry)) +
           arena_block(rows * max_length * sizeof(uint32_t)) +
           arena_block(bucket_count(rows) * sizeof(uint32_t));
}

diffuse_err recent_new(struct arena *arena, size_t rows, size_t max_length,
                       struct recent **ret_retain) {
    size_t buckets = bucket_count(rows);
    struct recent *r = arena_alloc(arena, sizeof *r);
    struct entry *entry = arena_alloc(arena, rows * sizeof *entry);
    uint32_t *ids = arena_alloc(arena, rows * max_length * sizeof *ids);
    uint32_t *bucket = arena_alloc(arena, buckets * sizeof *bucket);
    if (!r || !entry || !ids || !bucket)
        return DIFFUSE_NOMEM;
    *r = (struct recent){.entry = entry,
                         .ids = ids,
                         .bucket = bucket,
                         .cap = (uint32_t)rows,
                         .buckets = (uint32_t)buckets,
                         .max_length = max_length};
    keyed_init(&r->key);
    recent_clear(r);
    *ret_retain = r;
    return DIFFUSE_OK;
}

void recent_clear(struct recent *r) {
    memset(r->bucket, 0xff, r->buckets * sizeof *r->bucket);
    for (uint32_t i = 0; i < r->cap; i++)
        r->entry[i].used = false;
    r->next = 0;
    r->n = 0;
}

static uint32_t bucket_of(const struct recent *r, const char *stream, size_t len, uint64_t seq) {
    uint8_t name[sizeof seq + LIMIT_STREAM_BYTES];
    memcpy(name, &seq, sizeof seq);
    memcpy(name + sizeof seq, stream, len);
    return (uint32_t)keyed_hash(&r->key, name, sizeof seq + len) & (r->buckets - 1);
}

static uint32_t find(const struct recent *r, const char *stream, size_t len, uint64_t seq) {
    uint32_t i = r->bucket[bucket_of(r, stream, len, seq)];
    while (i != NONE && (r->entry[i].seq != seq || r->entry[i].len != len ||
                         memcmp(r->entry[i].stream, stream, len) != 0))
        i = r->entry[i].chain;
    return i;
}

static void drop(struct recent *r, uint32_t i) {
    uint32_t *link = &r->bucket[r->entry[i].bucket];
    while (*link != i)
        link = &r->entry[*link].chain;
    *link = r->entry[i].chain;
    r->entry[i].used = false;
    r->n--;
}

void recent_keep(struct recent *r, const struct inflight_sample *s) {
    assert(s->stream_len > 0);
    uint32_t old = find(r, s->stream, s->stream_len, s->seq);
    if (old != NONE)
        drop(r, old);
    uint32_t i = r->next;
    struct entry *e = &r->entry[i];
    r->next = (i + 1) % r->cap;
    if (e->used)
        drop(r, i);
    uint32_t bucket = bucket_of(r, s->stream, s->stream_len, s->seq);
    size_t n = s->n < r->max_length ? s->n : r->max_length;
    *e = (struct entry){.seq = s->seq,
                        .chain = r->bucket[bucket],
                        .bucket = bucket,
                        .n = (uint32_t)n,
                        .predicted = s->label,
                        .truth = RECENT_NO_LABEL,
                        .confidence = s->confidence,
                        .used = true,
                        .len = s->stream_len};
    memcpy(e->stream, s->stream, s->stream_len);
    memcpy(r->ids + i * r->max_length, s->ids, n * sizeof *r->ids);
    r->bucket[bucket] = i;
    r->n++;
}

bool recent_find(const struct recent *r, const char *stream, size_t len, uint64_t seq,
                 struct recent_row *ret) {
    uint32_t i = find(r, stream, len, seq);
    if (i == NONE)
        return false;
    const struct entry *e = &r->entry[i];
    *ret = (struct recent_row){.stream = e->stream,
                               .stream_len = e->len,
                               .seq = e->seq,
                               .ids = r->ids + i * r->max_length,
                               .n = e->n,
                               .predicted = e->predicted,
                               .confidence = e->confidence,
                               .truth = e->truth};
    return true;
}

void recent_judge(struct recent *r, const char *stream, size_t len, uint64_t seq, uint32_t truth) {
    uint32_t i = find(r, stream, len, seq);
    assert(i != NONE);
    r->entry[i].truth = truth;
}

size_t recent_count(const struct recent *r) {
    return r->n;
}
