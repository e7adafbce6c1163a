#include "model/train/wide/wide_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_KEY        0u /* that of no feature: it is left out */
#define LETTERS_SHARE 0.5
#define SLOTS_MIN     1024u
#define BUCKET_MOST   255u /* features of a bucket: a byte in the file */

/* One key of the count, or one feature of the table that finds it again. */
struct loaded_model {
    uint64_t key;
    uint32_t n;   /* rows that have it; later its feature */
    uint32_t row; /* the last that had it, from 1 */
};

struct counting {
    const struct rows *rows;
    const struct walk *walk;
    struct wide_rows *out;
    struct loaded_model *slot; /* (slots) a power of two */
    size_t slots, taken;
    uint32_t *ids; /* (longest) */
    uint32_t row;  /* at hand, from 1 */
    uint64_t *key; /* (keys_cap) of the row at hand */
    size_t keys, keys_cap;
    bool failed; /* out of memory */
};

/* --- the table of keys --------------------------------------------------- */

static struct loaded_model *seek(const struct counting *c, uint64_t key) {
    size_t mask = c->slots - 1, at = (size_t)(key >> 20) & mask;

    while (c->slot[at].key != NO_KEY && c->slot[at].key != key)
        at = (at + 1) & mask;
    return &c->slot[at];
}

/* The same keys in a table of n slots; those of fewer than `least` rows are left behind. */
static bool move(struct counting *c, size_t n, uint32_t least) {
    struct loaded_model *old = c->slot;
    size_t slots = c->slots;

    c->slot = calloc(n, sizeof *c->slot);
    if (!c->slot) {
        c->slot = old;
        return false;
    }
    c->slots = n;
    c->taken = 0;
    for (size_t i = 0; i < slots; i++)
        if (old[i].key != NO_KEY && old[i].n >= least) {
            *seek(c, old[i].key) = old[i];
            c->taken++;
        }
    free(old);
    return true;
}

static void make_room(struct counting *c) {
    if (c->taken * 2 < c->slots)
        return;
    if (c->slots < 2 * (size_t)WIDE_ROWS_KEYS)
        c->failed = !move(c, c->slots * 2, 1);
    for (uint32_t least = 2; !c->failed && c->taken * 2 >= c->slots; least *= 2)
        c->failed = !move(c, c->slots, least);
}

static void count_keys(void *user, const uint64_t *key, size_t n) {
    struct counting *c = user;

    for (size_t i = 0; i < n && !c->failed; i++) {
        struct loaded_model *s = seek(c, key[i]);

        if (key[i] == NO_KEY)
            continue;
        if (s->key == NO_KEY) {
            s->key = key[i];
            c->taken++;
        }
        s->n += s->row != c->row;
        s->row = c->row;
        make_room(c);
    }
}

/* --- one row ------------------------------------------------------------- */

static diffuse_err walk_row(struct counting *c, size_t i,
                            void (*take)(void *, const uint64_t *, size_t), uint32_t *ret_label,
                            struct reason *why) {
    struct walk_place place = {0};
    struct walk_keys keys = {.take = take, .user = c};
    uint32_t n = 0;
    diffuse_err e = rows_read(c->rows, i, c->ids, &n, ret_label, why);

    if (e)
        return e;
    walk_tokens(c->walk, &place, c->ids, n, &keys);
    walk_end(c->walk, &place, &keys);
    return c->failed ? DIFFUSE_NOMEM : DIFFUSE_OK;
}

/* --- which features ------------------------------------------------------ */

/* Most rows first. */
static int by_count(const void *a, const void *b) {
    const struct loaded_model *x = a, *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* Leaves the features at the front of the table, most rows first. */
static size_t choose(struct counting *c, uint32_t budget) {
    size_t n = 0;

    for (size_t i = 0; i < c->slots; i++)
        if (c->slot[i].key != NO_KEY)
            c->slot[n++] = c->slot[i];
    qsort(c->slot, n, sizeof *c->slot, by_count);
    return n < budget ? n : budget;
}

/* Where a feature stands in struct wide: by bucket, then by tag. */
struct place {
    uint64_t at;
    struct loaded_model slot;
};

static int by_place(const void *a, const void *b) {
    const struct place *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

/* Of n chosen ones, those that have a place: two that share bucket and tag cannot be told apart. */
static void keep_places(struct wide_rows *out, struct place *place, size_t n) {
    uint32_t in_bucket = 0;

    for (size_t i = 0; i < n; i++) {
        bool same = i > 0 && place[i].at >> 32 == place[i - 1].at >> 32;

        in_bucket = same ? in_bucket + 1 : 1;
        if ((i > 0 && place[i].at == place[i - 1].at) || in_bucket > BUCKET_MOST)
            continue;
        out->key[out->features] = place[i].slot.key;
        out->count[out->features++] = place[i].slot.n;
    }
}

static diffuse_err lay_features(struct counting *c, size_t n) {
    const struct wide_shape shape = {.features = (uint32_t)n};
    struct wide_rows *out = c->out;
    struct place *place = calloc(n + 1, sizeof *place);
    unsigned shift = 64;

    out->key = calloc(n + 1, sizeof *out->key);
    out->count = calloc(n + 1, sizeof *out->count);
    out->code = calloc(n + 1, sizeof *out->code);
    out->idf2 = calloc(n + 1, sizeof *out->idf2);
    if (!place || !out->key || !out->count || !out->code || !out->idf2) {
        free(place);
        return DIFFUSE_NOMEM;
    }
    for (uint32_t buckets = wide_buckets(&shape); buckets > 1; buckets /= 2)
        shift--;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = c->slot[i].key;

        place[i].at = (shift < 64 ? key >> shift : 0) << 32 | (uint32_t)key;
        place[i].slot = c->slot[i];
    }
    qsort(place, n, sizeof *place, by_place);
    keep_places(out, place, n);
    free(place);
    return DIFFUSE_OK;
}

static double importance(const struct wide_rows *w, uint32_t f, size_t rows) {
    double idf = log((1 + (double)rows) / (1 + (double)w->count[f])) + 1;

    return walk_of_letters(w->key[f]) ? LETTERS_SHARE * idf : idf;
}

static void weigh(struct wide_rows *w, size_t rows) {
    double most = 0;

    for (uint32_t f = 0; f < w->features; f++)
        most = fmax(most, importance(w, f, rows));
    w->unit = (double)(float)(most / WIDE_IDF_MOST);
    for (uint32_t f = 0; f < w->features; f++) {
        double code = fmax(1, fmin(WIDE_IDF_MOST, round(importance(w, f, rows) / w->unit)));

        w->code[f] = (uint8_t)code;
        w->idf2[f] = (float)(code * w->unit * code * w->unit);
    }
}

/* --- the rows ------------------------------------------------------------ */

/* The table again, from key to feature. */
static diffuse_err index_features(struct counting *c) {
    size_t slots = SLOTS_MIN;

    while (slots < 2 * (size_t)c->out->features)
        slots *= 2;
    free(c->slot);
    c->slot = calloc(slots, sizeof *c->slot);
    if (!c->slot)
        return DIFFUSE_NOMEM;
    c->slots = slots;
    for (uint32_t f = 0; f < c->out->features; f++)
        *seek(c, c->out->key[f]) = (struct loaded_model){.key = c->out->key[f], .n = f};
    return DIFFUSE_OK;
}

/* Features of the row, in c->key, as often as they occur. */
static void list_features(void *user, const uint64_t *key, size_t n) {
    struct counting *c = user;

    if (c->keys + n > c->keys_cap) {
        size_t cap = 2 * (c->keys + n);
        uint64_t *room = realloc(c->key, cap * sizeof *room);

        if (!room) {
            c->failed = true;
            return;
        }
        c->key = room;
        c->keys_cap = cap;
    }
    for (size_t i = 0; i < n; i++) {
        const struct loaded_model *s = seek(c, key[i]);

        if (key[i] != NO_KEY && s->key == key[i])
            c->key[c->keys++] = s->n;
    }
}

static int by_number(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static diffuse_err reserve(struct wide_rows *w, size_t *cap, size_t need) {
    uint32_t *room;

    if (need <= *cap)
        return DIFFUSE_OK;
    *cap = need + need / 2;
    if (!(room = realloc(w->entry, *cap * sizeof *room)))
        return DIFFUSE_NOMEM;
    w->entry = room;
    return DIFFUSE_OK;
}

/* The row at hand as entries, from *ret_end on. */
static void pack(struct counting *c, size_t *ret_end) {
    uint32_t *entry = c->out->entry;
    size_t end = *ret_end, from = end;

    qsort(c->key, c->keys, sizeof *c->key, by_number);
    for (size_t i = 0; i < c->keys; i++) {
        uint32_t f = (uint32_t)c->key[i];

        if (end == from || wide_rows_feature(entry[end - 1]) != f)
            entry[end++] = f << WIDE_ROWS_COUNT_BITS | 1;
        else if (wide_rows_times(entry[end - 1]) < WIDE_ROWS_COUNT_MOST)
            entry[end - 1]++;
    }
    *ret_end = end;
}

static diffuse_err read_rows(struct counting *c, uint64_t seed, struct reason *why) {
    struct wide_rows *w = c->out;
    size_t n = c->rows->n, end = 0, cap = 0;
    struct permute order;
    diffuse_err e = DIFFUSE_OK;

    w->row = calloc(n, sizeof *w->row);
    w->label = calloc(n, sizeof *w->label);
    w->start = calloc(n + 1, sizeof *w->start);
    if (!w->row || !w->label || !w->start)
        return DIFFUSE_NOMEM;
    permute_init(&order, n, seed, 0);
    for (size_t i = 0; i < n && end < WIDE_ROWS_ENTRIES; i++) {
        w->row[i] = (uint32_t)permute_at(&order, i);
        c->keys = 0;
        if ((e = walk_row(c, w->row[i], list_features, &w->label[i], why)) ||
            (e = reserve(w, &cap, end + c->keys)))
            return e;
        pack(c, &end);
        w->start[++w->n] = end;
    }
    return DIFFUSE_OK;
}

static diffuse_err make(struct counting *c, uint32_t budget, uint64_t seed, struct reason *why) {
    diffuse_err e = DIFFUSE_OK;
    uint32_t label;

    c->slot = calloc(SLOTS_MIN, sizeof *c->slot);
    c->slots = SLOTS_MIN;
    c->ids = calloc(c->rows->longest + 1, sizeof *c->ids);
    if (!c->slot || !c->ids)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; !e && i < c->rows->n; i++) {
        c->row = (uint32_t)i + 1;
        e = walk_row(c, i, count_keys, &label, why);
    }
    if (e || (e = lay_features(c, choose(c, budget))))
        return e;
    if (c->out->features == 0)
        return reason_set(why, DIFFUSE_INVAL, "no row has a word");
    weigh(c->out, c->rows->n);
    if ((e = index_features(c)))
        return e;
    return read_rows(c, seed, why);
}

diffuse_err wide_rows_make(const struct rows *rows, const struct walk *walk, uint32_t budget,
                           uint64_t seed, struct wide_rows *ret, struct reason *why) {
    struct counting c = {.rows = rows, .walk = walk, .out = ret};
    diffuse_err e;

    *ret = (struct wide_rows){0};
    if (rows->n == 0 || rows->n >= UINT32_MAX)
        return reason_set(why, DIFFUSE_INVAL, "%zu rows, expected 1 or more", rows->n);
    e = make(&c, budget, seed, why);
    free(c.slot);
    free(c.ids);
    free(c.key);
    return e;
}

void wide_rows_done(struct wide_rows *w) {
    free(w->row);
    free(w->label);
    free(w->start);
    free(w->entry);
    free(w->key);
    free(w->count);
    free(w->code);
    free(w->idf2);
    *w = (struct wide_rows){0};
}
