#include "model/wide/wide.h"

#include <math.h>
#include <string.h>

#include "model/base/layout.h"
#include "proto/limits.h"

#define BUCKET 4u /* features of a bucket, about */

#define STEP_BITS   24 /* of the largest weight of a column */
#define CACHE_BYTES ((size_t)1 << 20)
#define CACHE_MOST  4096u /* words */
#define CACHE_LEAST 512u  /* fewer would hardly ever be found again */

/* Of some features; the sums of their weights lie elsewhere. */
struct total {
    uint64_t square;          /* Q, in units of idf_unit squared */
    uint64_t features, known; /* occurrences */
};

struct wide_state {
    struct walk_place place;
    struct total total;
    /* sums (columns) of double, at a multiple of ARENA_ALIGN */
};

struct word {
    uint32_t ids[WALK_PIECES];
    uint32_t n; /* of them; 0: no word */
    bool used;  /* since another word wanted its place */
    struct total total;
    double sum[]; /* (columns) */
};

struct wide_cache {
    uint64_t id; /* of the wide part that the words are of */
    /* words, at a multiple of ARENA_ALIGN */
};

/* --- shape --------------------------------------------------------------- */

static const char *const norm_names[] = {"length", "none"};

const char *wide_norm_name(enum wide_norm n) {
    return norm_names[n];
}

diffuse_err wide_norm_parse(const char *name, enum wide_norm *ret_norm) {
    for (size_t i = 0; i < sizeof norm_names / sizeof *norm_names; i++)
        if (strcmp(norm_names[i], name) == 0) {
            *ret_norm = (enum wide_norm)i;
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}

uint32_t wide_columns(const struct wide_shape *s) {
    return s->labels == 2 ? 1 : s->labels;
}

static unsigned bucket_bits(const struct wide_shape *s) {
    unsigned bits = 0;

    while (((uint64_t)BUCKET << bits) < s->features)
        bits++;
    return bits;
}

uint32_t wide_buckets(const struct wide_shape *s) {
    return (uint32_t)1 << bucket_bits(s);
}

diffuse_err wide_shape_check(const struct wide_shape *s, struct reason *why) {
    uint64_t most = (uint64_t)s->features * wide_columns(s);
    diffuse_err e;

    if ((e = walk_form_check(&s->form, why)))
        return e;
    if (s->labels < 2 || s->labels > LIMIT_LABELS)
        return reason_set(why, DIFFUSE_INVAL, "wide part of %u labels, expected 2 to %u", s->labels,
                          LIMIT_LABELS);
    if (s->features == 0 || s->features > WIDE_FEATURES)
        return reason_set(why, DIFFUSE_INVAL, "wide part of %u features, expected 1 to %u",
                          s->features, WIDE_FEATURES);
    if (s->entries == 0 || s->entries > most || s->entries > WIDE_ENTRIES ||
        (s->dense && s->entries != most))
        return reason_set(why, DIFFUSE_INVAL,
                          "wide part of %u weights, expected %s %llu, and at most %u", s->entries,
                          s->dense ? "exactly" : "1 to", (unsigned long long)most, WIDE_ENTRIES);
    if (s->norm != WIDE_NORM_LENGTH && s->norm != WIDE_NORM_NONE)
        return reason_set(why, DIFFUSE_INVAL, "wide part's norm is not one of the known ones");
    return DIFFUSE_OK;
}

/* Two labels share a column until a third comes. */
struct wide_shape wide_shape_grown(const struct wide_shape *s, uint32_t labels) {
    struct wide_shape grown = *s;
    uint64_t entries = s->entries;

    if (s->features == 0)
        return grown;
    grown.labels = labels;
    if (s->dense)
        entries = (uint64_t)s->features * wide_columns(&grown);
    else if (wide_columns(s) == 1 && wide_columns(&grown) > 1)
        entries *= 2;
    grown.entries = entries < UINT32_MAX ? (uint32_t)entries : UINT32_MAX;
    return grown;
}

bool wide_shape_same(const struct wide_shape *a, const struct wide_shape *b) {
    return a->form.words == b->form.words && a->form.letters_from == b->form.letters_from &&
           a->form.letters_to == b->form.letters_to && a->norm == b->norm &&
           a->labels == b->labels && a->features == b->features && a->entries == b->entries &&
           a->dense == b->dense;
}

static void lay(struct layout *l, const struct wide_shape *s, struct wide *w) {
    w->start = layout_room(l, (size_t)wide_buckets(s) + 1, sizeof *w->start);
    w->tag = layout_room(l, s->features, sizeof *w->tag);
    w->code = layout_room(l, s->features, sizeof *w->code);
    if (!s->dense) {
        w->first = layout_room(l, (size_t)s->features + 1, sizeof *w->first);
        w->column = layout_room(l, (size_t)s->entries + 1, sizeof *w->column);
    }
    w->weight = layout_room(l, (size_t)s->entries + 1, sizeof *w->weight);
    w->bias = layout_room(l, wide_columns(s), sizeof *w->bias);
    w->step = layout_room(l, wide_columns(s), sizeof *w->step);
}

size_t wide_bytes(const struct wide_shape *s) {
    struct layout l = {0};
    struct wide w = {0};

    lay(&l, s, &w);
    return l.bytes + arena_block(sizeof w);
}

diffuse_err wide_new(struct arena *arena, const struct wide_shape *s,
                     const struct tokenizer *tokenizer, struct wide **ret_wide) {
    size_t mark = arena_mark(arena);
    struct layout l = {.arena = arena};
    struct wide *w = arena_alloc(arena, sizeof *w);

    if (!w)
        return DIFFUSE_NOMEM;
    *w = (struct wide){
        .shape = *s, .walk = {s->form, tokenizer}, .shift = 64 - bucket_bits(s), .idf_unit = 1};
    lay(&l, s, w);
    if (l.failed) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_wide = w;
    return DIFFUSE_OK;
}

/* --- looking up ---------------------------------------------------------- */

static inline uint32_t bucket_of(const struct wide *w, uint64_t key) {
    return w->shift < 64 ? (uint32_t)(key >> w->shift) : 0;
}

static inline uint32_t find(const struct wide *w, uint64_t key) {
    uint32_t b = bucket_of(w, key), tag = (uint32_t)key, end = w->start[b + 1];

    for (uint32_t f = w->start[b]; f < end; f++)
        if (w->tag[f] == tag)
            return f;
    return WIDE_NONE;
}

uint32_t wide_bucket(const struct wide *w, uint64_t key) {
    return bucket_of(w, key);
}

uint32_t wide_find(const struct wide *w, uint64_t key) {
    return find(w, key);
}

struct taker {
    const struct wide *w;
    struct total *total;
    double *sum; /* (columns) */
};

static void add_feature(const struct wide *w, uint32_t f, double *sum) {
    uint32_t columns = wide_columns(&w->shape);

    if (w->shape.dense) {
        const float *row = w->weight + (size_t)f * columns;

        for (uint32_t k = 0; k < columns; k++)
            sum[k] += (double)row[k];
        return;
    }
    for (uint32_t e = w->first[f]; e < w->first[f + 1]; e++)
        sum[w->column[e]] += (double)w->weight[e];
}

/* The memory is asked for all keys' lines before the first is used. */
static void take(void *user, const uint64_t *key, size_t n) {
    const struct taker *t = user;
    const struct wide *w = t->w;
    uint32_t found[WALK_KEYS];
    size_t known = 0;

    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&w->start[bucket_of(w, key[i])]);
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&w->tag[w->start[bucket_of(w, key[i])]]);
    for (size_t i = 0; i < n; i++) {
        uint32_t f = find(w, key[i]);

        if (f == WIDE_NONE)
            continue;
        found[known++] = f;
        __builtin_prefetch(&w->code[f]);
        __builtin_prefetch(w->shape.dense
                               ? (const void *)&w->weight[f * (size_t)wide_columns(&w->shape)]
                               : &w->first[f]);
    }
    for (size_t i = 0; i < known; i++) {
        t->total->square += (uint64_t)w->code[found[i]] * w->code[found[i]];
        add_feature(w, found[i], t->sum);
    }
    t->total->features += n;
    t->total->known += known;
}

/* Their room is not zeroed: that would take longer than a short text. */
static void keys_begin(struct walk_keys *keys, struct taker *t) {
    keys->take = take;
    keys->user = t;
    keys->n = 0;
}

/* --- words that were there before ---------------------------------------- */

static size_t word_bytes(const struct wide_shape *s) {
    return arena_block(sizeof(struct word) + wide_columns(s) * sizeof(double));
}

/* A power of two, or 0. */
static size_t cache_words(const struct wide_shape *s) {
    size_t n = CACHE_MOST;

    while (n * word_bytes(s) > CACHE_BYTES)
        n /= 2;
    return s->features > 0 && s->form.words + s->form.letters_to > 0 && n >= CACHE_LEAST ? n : 0;
}

size_t wide_cache_bytes(const struct wide_shape *s) {
    size_t n = cache_words(s);

    return n ? arena_block(sizeof(struct wide_cache)) + n * word_bytes(s) : 0;
}

static bool is_word(const struct word *d, const uint32_t *ids, size_t n) {
    return d->n == n && memcmp(d->ids, ids, n * sizeof *ids) == 0;
}

/* The only place that a word can have. */
static struct word *place_of(const struct wide *w, struct wide_cache *cache, const uint32_t *ids,
                             size_t n) {
    uint64_t h = n;

    for (size_t i = 0; i < n; i++)
        h = (h ^ ids[i]) * 0x9fb21c651e98df25u;
    h = (h >> 40) & (cache_words(&w->shape) - 1);
    return (struct word *)(void *)((char *)cache + arena_block(sizeof *cache) +
                                   (size_t)h * word_bytes(&w->shape));
}

static void learn(const struct wide *w, struct word *d, const uint32_t *ids, size_t n) {
    struct taker t = {w, &d->total, d->sum};
    struct walk_place place = {0};
    struct walk_keys keys;

    memset(d, 0, word_bytes(&w->shape));
    memcpy(d->ids, ids, n * sizeof *ids);
    d->n = (uint32_t)n;
    keys_begin(&keys, &t);
    walk_tokens(&w->walk, &place, ids, n, &keys);
    walk_end(&w->walk, &place, &keys);
}

/* The word, looked up if need be; NULL: its place is another's, which was of use lately. */
static const struct word *remember(const struct wide *w, struct wide_cache *cache,
                                   const uint32_t *ids, size_t n) {
    struct word *d = place_of(w, cache, ids, n);

    if (is_word(d, ids, n)) {
        d->used = true;
        return d;
    }
    if (d->used) {
        d->used = false;
        return NULL;
    }
    learn(w, d, ids, n);
    return d;
}

static void cache_check(const struct wide *w, struct wide_cache *cache) {
    if (cache->id == w->id)
        return;
    if (cache->id)
        memset(cache, 0, wide_cache_bytes(&w->shape));
    cache->id = w->id;
}

/* --- a text -------------------------------------------------------------- */

static double *sums(struct wide_state *s) {
    return (double *)(void *)((char *)s + arena_block(sizeof *s));
}

size_t wide_state_bytes(const struct wide_shape *s) {
    if (s->features == 0)
        return 0;
    return arena_block(sizeof(struct wide_state)) + arena_block(wide_columns(s) * sizeof(double));
}

struct wide_state *wide_begin(const struct wide_shape *s, void *memory) {
    return memset(memory, 0, wide_state_bytes(s));
}

static void add_word(const struct wide *w, struct wide_state *s, const struct word *d) {
    double *sum = sums(s);
    uint32_t columns = wide_columns(&w->shape);

    for (uint32_t k = 0; k < columns; k++)
        sum[k] += d->sum[k];
    s->total.square += d->total.square;
    s->total.features += d->total.features;
    s->total.known += d->total.known;
}

/* As many tokens as make a word that is remembered; or others. Returns how many. */
static size_t walk_some(const struct wide *w, struct wide_state *s, struct wide_cache *cache,
                        const uint32_t *ids, size_t n, bool end, struct walk_keys *keys) {
    size_t m = walk_word(&w->walk, &s->place, ids, n, end);
    const struct word *d = m ? remember(w, cache, ids, m) : NULL;

    if (!d) {
        m = m ? m : 1;
        walk_tokens(&w->walk, &s->place, ids, m, keys);
        return m;
    }
    add_word(w, s, d);
    walk_pass(&w->walk, &s->place, ids, m, keys);
    return m;
}

static void walk_on(const struct wide *w, struct wide_state *s, struct wide_cache *cache,
                    const uint32_t *ids, size_t n, bool end) {
    struct taker t = {w, &s->total, sums(s)};
    struct walk_keys keys;

    keys_begin(&keys, &t);
    if (cache && w->id) {
        cache_check(w, cache);
        for (size_t i = 0; i < n;)
            i += walk_some(w, s, cache, ids + i, n - i, end, &keys);
    } else {
        walk_tokens(&w->walk, &s->place, ids, n, &keys);
    }
    if (end)
        walk_end(&w->walk, &s->place, &keys);
    walk_flush(&keys);
}

void wide_advance(const struct wide *w, struct wide_state *s, const uint32_t *ids, size_t n,
                  struct wide_cache *cache) {
    walk_on(w, s, cache, ids, n, false);
}

static void put(double score, real others, real *logit) {
    *logit = (real)(others > 0 ? score + (double)others * (double)*logit : score);
}

static void score(const struct wide *w, struct wide_state *s, real others, real *logits) {
    uint32_t columns = wide_columns(&w->shape);
    double root = sqrt((double)s->total.square) * (double)w->idf_unit;
    double scale = w->shape.norm == WIDE_NORM_NONE ? 1 : root > 0 ? 1 / root : 0;
    const double *sum = sums(s);

    for (uint32_t k = 0; k < columns; k++) {
        double x = sum[k] * scale + (double)w->bias[k];

        if (columns == 1)
            put(-x, others, logits);
        put(x, others, logits + (columns == 1 ? 1 : k));
    }
}

void wide_scores(const struct wide *w, const struct wide_state *s, void *room, real others,
                 real *logits) {
    struct wide_state *copy = room;

    if (copy != s)
        memcpy(copy, s, wide_state_bytes(&w->shape));
    walk_on(w, copy, NULL, NULL, 0, true);
    score(w, copy, others, logits);
}

void wide_known(const struct wide_state *s, uint64_t *ret_features, uint64_t *ret_known) {
    *ret_features = s->total.features;
    *ret_known = s->total.known;
}

void wide_text(const struct wide *w, const uint32_t *ids, size_t n, void *room,
               struct wide_cache *cache, real others, real *logits) {
    struct wide_state *s = wide_begin(&w->shape, room);

    walk_on(w, s, cache, ids, n, true);
    score(w, s, others, logits);
}

/* --- settling ------------------------------------------------------------ */

static uint32_t column_of(const struct wide *w, uint32_t feature, uint32_t entry) {
    return w->shape.dense ? entry - feature * wide_columns(&w->shape) : w->column[entry];
}

static uint32_t first_of(const struct wide *w, uint32_t feature) {
    return w->shape.dense ? feature * wide_columns(&w->shape) : w->first[feature];
}

static void find_steps(struct wide *w) {
    uint32_t columns = wide_columns(&w->shape);

    for (uint32_t k = 0; k < columns; k++)
        w->step[k] = 0;
    for (uint32_t f = 0; f < w->shape.features; f++)
        for (uint32_t e = first_of(w, f); e < first_of(w, f + 1); e++) {
            uint32_t k = column_of(w, f, e);

            w->step[k] = fmax(w->step[k], fabs((double)w->weight[e]));
        }
    for (uint32_t k = 0; k < columns; k++) {
        int exponent = 0;

        (void)frexp(w->step[k], &exponent);
        w->step[k] = ldexp(1, exponent - STEP_BITS);
    }
}

static uint64_t mix(uint64_t h, const void *bytes, size_t n) {
    for (size_t at = 0; at < n; at += sizeof h) {
        uint64_t x = 0;

        memcpy(&x, (const char *)bytes + at, n - at < sizeof x ? n - at : sizeof x);
        h = (h ^ x) * 0x9fb21c651e98df25u;
        h ^= h >> 29;
    }
    return (h ^ n) * 0x9fb21c651e98df25u;
}

/* Of all that a word's total comes from. */
static uint64_t id_of(const struct wide *w) {
    const struct wide_shape *s = &w->shape;
    const struct tokenizer *t = w->walk.tokenizer;
    uint64_t h = mix(s->labels, &s->form, sizeof s->form);

    h = mix(h, w->start, ((size_t)wide_buckets(s) + 1) * sizeof *w->start);
    h = mix(h, w->tag, s->features * sizeof *w->tag);
    h = mix(h, w->code, s->features * sizeof *w->code);
    if (!s->dense) {
        h = mix(h, w->first, ((size_t)s->features + 1) * sizeof *w->first);
        h = mix(h, w->column, s->entries * sizeof *w->column);
    }
    h = mix(h, w->weight, s->entries * sizeof *w->weight);
    for (uint32_t i = 0; t && i < tokenizer_vocab_size(t); i++) {
        size_t len = 0;
        const uint8_t *text = tokenizer_piece(t, i, &len);

        h = mix(h, text, len);
    }
    return h | 1;
}

void wide_settle(struct wide *w) {
    find_steps(w);
    for (uint32_t f = 0; f < w->shape.features; f++)
        for (uint32_t e = first_of(w, f); e < first_of(w, f + 1); e++) {
            double step = w->step[column_of(w, f, e)];

            w->weight[e] = (float)(rint((double)w->weight[e] / step) * step);
        }
    w->id = id_of(w);
}

void wide_scale(struct wide *w, float factor) {
    for (size_t i = 0; i < w->shape.entries; i++)
        w->weight[i] *= factor;
    for (uint32_t k = 0; k < wide_columns(&w->shape); k++)
        w->bias[k] *= factor;
    wide_settle(w);
}

/* --- more labels --------------------------------------------------------- */

static void grow_weights(const struct wide *from, struct wide *to) {
    uint32_t had = wide_columns(&from->shape), has = wide_columns(&to->shape);
    bool split = had == 1 && has > 1;

    for (uint32_t f = 0; from->shape.dense && f < from->shape.features; f++) {
        float *row = to->weight + (size_t)f * has;

        memset(row, 0, has * sizeof *row);
        memcpy(row + split, from->weight + (size_t)f * had, had * sizeof *row);
        if (split)
            row[0] = -row[1];
    }
    if (from->shape.dense)
        return;
    for (uint32_t f = 0; f <= from->shape.features; f++)
        to->first[f] = from->first[f] * (split ? 2 : 1);
    for (uint32_t e = 0; split && e < from->shape.entries; e++) {
        to->column[2 * e] = 0;
        to->weight[2 * e] = -from->weight[e];
        to->column[2 * e + 1] = 1;
        to->weight[2 * e + 1] = from->weight[e];
    }
    if (!split) {
        memcpy(to->column, from->column, from->shape.entries * sizeof *to->column);
        memcpy(to->weight, from->weight, from->shape.entries * sizeof *to->weight);
    }
}

static void grow_bias(const struct wide *from, struct wide *to) {
    uint32_t had = wide_columns(&from->shape), has = wide_columns(&to->shape);
    bool split = had == 1 && has > 1;
    float low = 0;

    memcpy(to->bias + split, from->bias, had * sizeof *to->bias);
    if (split)
        to->bias[0] = -from->bias[0];
    for (uint32_t k = 0; k < had + split; k++)
        low = k == 0 || to->bias[k] < low ? to->bias[k] : low;
    for (uint32_t k = had + split; k < has; k++)
        to->bias[k] = low;
}

void wide_grow(const struct wide *from, uint32_t labels, struct wide *to) {
    to->shape = wide_shape_grown(&from->shape, labels);
    to->walk = from->walk;
    to->shift = from->shift;
    to->idf_unit = from->idf_unit;
    memcpy(to->start, from->start, ((size_t)wide_buckets(&from->shape) + 1) * sizeof *to->start);
    memcpy(to->tag, from->tag, from->shape.features * sizeof *to->tag);
    memcpy(to->code, from->code, from->shape.features * sizeof *to->code);
    grow_weights(from, to);
    grow_bias(from, to);
    wide_settle(to);
}
