#include "client/ctl/recording/match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 1024 };

struct verdict {
    bool there;
    diffuse_err error;
    int truncated;
    float confidence;
    char *label, *model; /* owned */
};

struct match_entry {
    struct match_entry *next; /* of its bucket, later ones behind */
    uint64_t seq, hash;
    struct verdict then, now;
    size_t len;
    char stream[];
};

/* FNV-1a, 64 bits, over name and seq. */
static uint64_t hash_of(const char *stream, size_t len, uint64_t seq) {
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)stream[i]) * 0x100000001b3u;
    for (unsigned i = 0; i < 64; i += 8)
        h = (h ^ (seq >> i & 0xff)) * 0x100000001b3u;
    return h;
}

static void free_entry(struct match_entry *e) {
    free(e->then.label);
    free(e->then.model);
    free(e->now.label);
    free(e->now.model);
    free(e);
}

void match_done(struct match *m) {
    for (uint64_t i = 0; i < m->n_buckets; i++)
        for (struct match_entry *e = m->buckets[i], *next; e; e = next) {
            next = e->next;
            free_entry(e);
        }
    free(m->buckets);
    m->buckets = NULL;
    m->n_buckets = m->n_entries = 0;
}

static void append(struct match *m, struct match_entry *e) {
    struct match_entry **at = &m->buckets[e->hash & (m->n_buckets - 1)];

    while (*at)
        at = &(*at)->next;
    e->next = NULL;
    *at = e;
}

/* Twice the buckets; entries of one name keep their order. */
static bool grow(struct match *m) {
    struct match old = *m;
    uint64_t n = old.n_buckets ? 2 * old.n_buckets : FIRST_BUCKETS;
    struct match_entry **buckets = calloc(n, sizeof(struct match_entry *));

    if (!buckets)
        return false;
    m->buckets = buckets;
    m->n_buckets = n;
    for (uint64_t i = 0; i < old.n_buckets; i++)
        for (struct match_entry *e = old.buckets[i], *next; e; e = next) {
            next = e->next;
            append(m, e);
        }
    free(old.buckets);
    return true;
}

diffuse_err match_sent(struct match *m, const void *stream, size_t len, uint64_t seq) {
    struct match_entry *e = calloc(1, sizeof *e + len + 1);

    if (!e || (m->n_entries >= m->n_buckets && !grow(m))) {
        free(e);
        return DIFFUSE_NOMEM;
    }
    memcpy(e->stream, stream, len);
    e->len = len;
    e->seq = seq;
    e->hash = hash_of(e->stream, len, seq);
    append(m, e);
    m->n_entries++;
    m->sent++;
    m->waiting++;
    return DIFFUSE_OK;
}

static bool fill(struct verdict *v, const diffuse_result *label) {
    *v = (struct verdict){.there = true,
                          .error = diffuse_result_error(label),
                          .truncated = diffuse_result_truncated(label),
                          .confidence = diffuse_result_confidence(label),
                          .label = strdup(diffuse_result_label(label)),
                          .model = strdup(diffuse_result_model(label))};
    return v->label && v->model;
}

/* The oldest entry of the label's name that lacks it, by the link that leads to it; NULL. */
static struct match_entry **find(struct match *m, const diffuse_result *label, bool now) {
    const char *stream = diffuse_result_stream(label);
    uint64_t seq = diffuse_result_seq(label);
    size_t len = strlen(stream);
    uint64_t hash = hash_of(stream, len, seq);
    struct match_entry **at;

    if (m->n_buckets == 0)
        return NULL;
    for (at = &m->buckets[hash & (m->n_buckets - 1)]; *at; at = &(*at)->next) {
        const struct match_entry *e = *at;

        if (e->hash == hash && e->seq == seq && e->len == len &&
            memcmp(e->stream, stream, len) == 0 && !(now ? e->now.there : e->then.there))
            return at;
    }
    return NULL;
}

/* --- judging ------------------------------------------------------------- */

static bool same(const struct verdict *a, const struct verdict *b) {
    if (a->error || b->error)
        return a->error == b->error;
    return strcmp(a->label, b->label) == 0 && a->truncated == b->truncated &&
           fabs((double)a->confidence - (double)b->confidence) <= MATCH_CONFIDENCE;
}

static void words(const struct verdict *v, char *ret, size_t size) {
    if (!v->there)
        (void)snprintf(ret, size, "no label");
    else if (v->error)
        (void)snprintf(ret, size, "!%s", diffuse_errname(v->error));
    else
        (void)snprintf(ret, size, "%.120s %.7f%s", v->label, (double)v->confidence,
                       v->truncated ? " (cut)" : "");
}

static void show(struct match *m, const struct match_entry *e) {
    char then[MATCH_WORDS / 2 - 8], now[MATCH_WORDS / 2 - 8];
    struct match_difference *d;

    if (m->n_shown >= MATCH_SHOWN)
        return;
    d = &m->shown[m->n_shown++];
    (void)snprintf(d->stream, sizeof d->stream, "%s", e->stream);
    d->seq = e->seq;
    words(&e->then, then, sizeof then);
    words(&e->now, now, sizeof now);
    (void)snprintf(d->words, sizeof d->words, "%s then, %s now", then, now);
}

static void judge(struct match *m, struct match_entry **at) {
    struct match_entry *e = *at;

    m->models += strcmp(e->then.model, e->now.model) != 0;
    if (same(&e->then, &e->now))
        m->identical++;
    else {
        m->different++;
        show(m, e);
    }
    *at = e->next;
    free_entry(e);
    m->n_entries--;
}

diffuse_err match_then(struct match *m, const diffuse_result *label) {
    struct match_entry **at = find(m, label, false);

    if (!at) {
        m->foreign++;
        return DIFFUSE_OK;
    }
    if (!fill(&(*at)->then, label))
        return DIFFUSE_NOMEM;
    if ((*at)->now.there)
        judge(m, at);
    else
        m->due++;
    return DIFFUSE_OK;
}

diffuse_err match_now(struct match *m, const diffuse_result *label) {
    struct match_entry **at = find(m, label, true);

    if (!at)
        return DIFFUSE_OK;
    if (!fill(&(*at)->now, label))
        return DIFFUSE_NOMEM;
    m->answered++;
    m->waiting--;
    if ((*at)->then.there) {
        m->due--;
        judge(m, at);
    }
    return DIFFUSE_OK;
}

void match_finish(struct match *m) {
    for (uint64_t i = 0; i < m->n_buckets; i++)
        for (const struct match_entry *e = m->buckets[i]; e; e = e->next) {
            m->unrecorded += e->now.there;
            m->missing += e->then.there;
            if (e->then.there)
                show(m, e);
        }
}
