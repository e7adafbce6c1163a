#include "model/train/rows/rows.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/train/rows/spool.h"
#include "proto/limits.h"

/* Where a row lies; what the index spool holds. */
struct head {
    uint64_t offset; /* byte of the ids spool */
    uint32_t length; /* tokens */
    uint32_t label;
};
_Static_assert(sizeof(struct head) == 16, "an index record has no holes");
_Static_assert(SPOOL_BUFFER % sizeof(struct head) == 0, "a record is appended whole or not at all");

struct rows_store {
    struct spool ids, index;
    uint64_t memory; /* bytes above which both go to files */
    uint32_t vocab;
    size_t width; /* bytes of an id: 2 or 4 */
    bool in_files;
    unsigned views; /* struct rows that use this */
    uint8_t *row;   /* (row_cap ids) of the row that is being appended */
    size_t row_cap;
    uint64_t *count; /* (labels) rows of each label */
    uint32_t labels;
};

/* --- making -------------------------------------------------------------- */

diffuse_err rows_init(struct rows *r, uint32_t vocab, uint64_t memory) {
    struct rows_store *s = calloc(1, sizeof *s);

    *r = (struct rows){.store = s};
    if (!s)
        return DIFFUSE_NOMEM;
    spool_init(&s->ids);
    spool_init(&s->index);
    s->memory = memory;
    s->vocab = vocab;
    s->width = vocab <= UINT16_MAX + 1u ? sizeof(uint16_t) : sizeof(uint32_t);
    s->views = 1;
    return DIFFUSE_OK;
}

void rows_done(struct rows *r) {
    struct rows_store *s = r->store;

    if (s && --s->views == 0) {
        spool_done(&s->ids);
        spool_done(&s->index);
        free(s->row);
        free(s->count);
        free(s);
    }
    *r = (struct rows){0};
}

/* --- adding -------------------------------------------------------------- */

static diffuse_err need_row(struct rows_store *s, size_t length) {
    uint8_t *row;

    if (length <= s->row_cap)
        return DIFFUSE_OK;
    row = reallocarray(s->row, length, sizeof(uint32_t));
    if (!row)
        return DIFFUSE_NOMEM;
    s->row = row;
    s->row_cap = length;
    return DIFFUSE_OK;
}

static diffuse_err need_label(struct rows_store *s, uint32_t label) {
    uint64_t *count;

    if (label < s->labels)
        return DIFFUSE_OK;
    count = reallocarray(s->count, (size_t)label + 1, sizeof *count);
    if (!count)
        return DIFFUSE_NOMEM;
    memset(count + s->labels, 0, (label + 1 - s->labels) * sizeof *count);
    s->count = count;
    s->labels = label + 1;
    return DIFFUSE_OK;
}

/* The ids as they are kept; s->row may be where they come from. */
static diffuse_err pack(struct rows_store *s, const uint32_t *ids, size_t length) {
    for (size_t i = 0; i < length; i++) {
        uint32_t id = ids[i];
        uint16_t narrow = (uint16_t)id;

        if (id >= s->vocab)
            return DIFFUSE_INVAL;
        if (s->width == sizeof narrow)
            memcpy(s->row + i * sizeof narrow, &narrow, sizeof narrow);
        else
            memcpy(s->row + i * sizeof id, &id, sizeof id);
    }
    return DIFFUSE_OK;
}

static diffuse_err make_room(struct rows_store *s, size_t bytes, struct reason *why) {
    diffuse_err e;

    if (s->in_files || spool_size(&s->ids) + spool_size(&s->index) + bytes <= s->memory)
        return DIFFUSE_OK;
    if ((e = spool_to_file(&s->ids, why)) || (e = spool_to_file(&s->index, why)))
        return e;
    s->in_files = true;
    return DIFFUSE_OK;
}

diffuse_err rows_append(struct rows *r, const uint32_t *ids, size_t length, uint32_t label,
                        struct reason *why) {
    struct rows_store *s = r->store;
    struct head head = {.length = (uint32_t)length, .label = label};
    diffuse_err e;

    if (length == 0 || length > UINT32_MAX || label >= LIMIT_LABELS)
        return DIFFUSE_INVAL;
    if ((e = need_row(s, length)) || (e = need_label(s, label)) || (e = pack(s, ids, length)) ||
        (e = make_room(s, length * s->width + sizeof head, why)))
        return e;
    head.offset = spool_size(&s->ids);
    if ((e = spool_append(&s->ids, s->row, length * s->width, why)) ||
        (e = spool_append(&s->index, &head, sizeof head, why)))
        return e;
    s->count[label]++;
    r->n++;
    r->longest = length > r->longest ? length : r->longest;
    return DIFFUSE_OK;
}

diffuse_err rows_add(struct rows *r, const struct tokenizer *t, const char *text, size_t len,
                     uint32_t label, size_t max_length, struct reason *why) {
    diffuse_err e = need_row(r->store, max_length);
    uint32_t *ids;
    size_t n = 0;
    bool cut = false;

    if (e)
        return e;
    ids = (uint32_t *)(void *)r->store->row;
    e = tokenizer_encode(t, text, len, ids, max_length, &n, &cut);
    if (e == DIFFUSE_EMPTY) {
        r->skipped++;
        return DIFFUSE_OK;
    }
    if (e || (e = rows_append(r, ids, n, label, why)))
        return e;
    r->truncated += cut;
    return DIFFUSE_OK;
}

/* --- reading ------------------------------------------------------------- */

/* Heads of rows i .. i+n-1. */
static diffuse_err read_heads(const struct rows *r, size_t i, size_t n, struct head *heads,
                              struct reason *why) {
    uint64_t at = r->first + i;

    if (r->order.n == 0)
        return spool_read(&r->store->index, at * sizeof *heads, n * sizeof *heads, heads, why);
    for (size_t k = 0; k < n; k++) {
        uint64_t row = permute_at(&r->order, at + k);
        diffuse_err e =
            spool_read(&r->store->index, row * sizeof *heads, sizeof *heads, heads + k, why);

        if (e)
            return e;
    }
    return DIFFUSE_OK;
}

/* n ids that lie one after the other. */
static diffuse_err read_ids(const struct rows_store *s, uint64_t offset, size_t n, uint32_t *ids,
                            struct reason *why) {
    const uint8_t *packed = (const uint8_t *)ids + n * sizeof(uint16_t);
    diffuse_err e;

    if (s->width == sizeof *ids)
        return spool_read(&s->ids, offset, n * sizeof *ids, ids, why);
    /* Into the rear half, from where each moves forward; none is overwritten before its turn. */
    e = spool_read(&s->ids, offset, n * sizeof(uint16_t), (uint8_t *)ids + n * sizeof(uint16_t),
                   why);
    for (size_t i = 0; !e && i < n; i++) {
        uint16_t id;

        memcpy(&id, packed + i * sizeof id, sizeof id);
        ids[i] = id;
    }
    return e;
}

diffuse_err rows_get(const struct rows *r, size_t i, uint32_t *ret_length, uint32_t *ret_label,
                     struct reason *why) {
    struct head head;
    diffuse_err e = read_heads(r, i, 1, &head, why);

    if (e)
        return e;
    *ret_length = head.length;
    *ret_label = head.label;
    return DIFFUSE_OK;
}

size_t rows_place(const struct rows *r, size_t i) {
    return r->order.n ? (size_t)permute_at(&r->order, r->first + i) : r->first + i;
}

diffuse_err rows_read(const struct rows *r, size_t i, uint32_t *ids, uint32_t *ret_length,
                      uint32_t *ret_label, struct reason *why) {
    struct head head;
    diffuse_err e = read_heads(r, i, 1, &head, why);

    if (e || (e = read_ids(r->store, head.offset, head.length, ids, why)))
        return e;
    *ret_length = head.length;
    *ret_label = head.label;
    return DIFFUSE_OK;
}

/* Ids of a window's rows: those that lie one after the other in one go. */
static diffuse_err fill_ids(const struct rows_store *s, const struct head *heads,
                            struct rows_window *w, struct reason *why) {
    for (uint32_t from = 0, to; from < w->n; from = to) {
        uint64_t end = heads[from].offset;
        diffuse_err e;

        for (to = from; to < w->n && heads[to].offset == end; to++)
            end += heads[to].length * s->width;
        e = read_ids(s, heads[from].offset, w->start[to] - w->start[from], w->ids + w->start[from],
                     why);
        if (e)
            return e;
    }
    return DIFFUSE_OK;
}

diffuse_err rows_fill(const struct rows *r, size_t from, size_t to, struct rows_window *w,
                      struct reason *why) {
    size_t n = to - from < ROWS_WINDOW ? to - from : ROWS_WINDOW;
    struct head heads[ROWS_WINDOW];
    diffuse_err e = read_heads(r, from, n, heads, why);

    if (e)
        return e;
    w->start[0] = 0;
    for (w->n = 0; w->n < n; w->n++) {
        uint64_t end = (uint64_t)w->start[w->n] + heads[w->n].length;

        if (end > w->tokens)
            break;
        w->start[w->n + 1] = (uint32_t)end;
        w->label[w->n] = heads[w->n].label;
    }
    if (w->n == 0)
        return DIFFUSE_INVAL;
    return fill_ids(r->store, heads, w, why);
}

/* --- views --------------------------------------------------------------- */

void rows_slice(const struct rows *r, size_t from, size_t n, struct rows *ret_slice) {
    *ret_slice = *r;
    ret_slice->first += from;
    ret_slice->n = n;
    if (r->store)
        r->store->views++;
}

/* How many labels have no row outside the first n of the order. */
static diffuse_err count_lost(const struct rows *r, const struct permute *order, size_t n,
                              uint64_t *left, size_t *ret_lost, struct reason *why) {
    struct rows drawn = *r;
    size_t lost = 0;

    drawn.order = *order;
    memcpy(left, r->store->count, r->store->labels * sizeof *left);
    for (size_t i = 0; i < n; i++) {
        uint32_t length, label;
        diffuse_err e = rows_get(&drawn, i, &length, &label, why);

        if (e)
            return e;
        lost += --left[label] == 0;
    }
    *ret_lost = lost;
    return DIFFUSE_OK;
}

/* Whether a label is at all likely to lose all its rows; where none is, there is no need to look.
 */
static bool may_lose(const struct rows *r, double share) {
    double expected = 0;

    for (uint32_t k = 0; k < r->store->labels; k++)
        if (r->store->count[k])
            expected += pow(share, (double)r->store->count[k]);
    return expected > 1e-9;
}

static diffuse_err draw(const struct rows *r, size_t n, double share, uint64_t seed,
                        struct permute *order, struct reason *why) {
    uint64_t *left;
    size_t lost, least = SIZE_MAX;
    diffuse_err e = DIFFUSE_OK;

    permute_init(order, r->n, seed, 0x5b11);
    if (!may_lose(r, share))
        return DIFFUSE_OK;
    left = calloc(r->store->labels, sizeof *left);
    if (!left)
        return DIFFUSE_NOMEM;
    for (uint64_t i = 0; !e && least > 0 && i < ROWS_DRAWS; i++) {
        struct permute other;

        permute_init(&other, r->n, seed, 0x5b11 + i);
        e = count_lost(r, &other, n, left, &lost, why);
        if (!e && lost < least) {
            least = lost;
            *order = other;
        }
    }
    free(left);
    return e;
}

diffuse_err rows_split(const struct rows *r, double share, uint64_t seed, struct rows *ret_rest,
                       struct rows *ret_aside, struct reason *why) {
    size_t n = (size_t)llround(share * (double)r->n);
    struct rows all = *r;
    diffuse_err e = DIFFUSE_OK;

    if (!(share >= 0 && share <= 1) || r->order.n || r->first)
        return DIFFUSE_INVAL;
    if (r->n && (e = draw(r, n, share, seed, &all.order, why)))
        return e;
    rows_slice(&all, 0, n, ret_aside);
    rows_slice(&all, n, r->n - n, ret_rest);
    return DIFFUSE_OK;
}
