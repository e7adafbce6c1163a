/* rows.c - see rows.h. */
#include "model/train/rows.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"

void rows_done(struct rows *r) {
    free(r->ids);
    free(r->start);
    free(r->label);
    *r = (struct rows){0};
}

static diffuse_err grow(void **array, size_t count, size_t size) {
    void *p = reallocarray(*array, count, size);

    if (!p)
        return DIFFUSE_NOMEM;
    *array = p;
    return DIFFUSE_OK;
}

static diffuse_err make_room(struct rows *r, size_t max_length) {
    size_t used = r->n ? (size_t)r->start[r->n] : 0, cap;

    if (r->n + 1 >= r->rows_cap) {
        cap = r->rows_cap ? 2 * r->rows_cap : 1024;
        if (grow((void **)&r->start, cap + 1, sizeof *r->start) ||
            grow((void **)&r->label, cap, sizeof *r->label))
            return DIFFUSE_NOMEM;
        r->rows_cap = cap;
        r->start[r->n] = used;
    }
    if (used + max_length > r->ids_cap) {
        cap = used + used / 2 + max_length;
        if (grow((void **)&r->ids, cap, sizeof *r->ids))
            return DIFFUSE_NOMEM;
        r->ids_cap = cap;
    }
    return DIFFUSE_OK;
}

diffuse_err rows_add(struct rows *r, const struct tokenizer *t, const char *text, size_t len,
                     uint32_t label, size_t max_length) {
    diffuse_err e = make_room(r, max_length);
    size_t n = 0;
    bool cut = false;

    if (e)
        return e;
    e = tokenizer_encode(t, text, len, r->ids + r->start[r->n], max_length, &n, &cut);
    if (e == DIFFUSE_EMPTY) {
        r->skipped++;
        return DIFFUSE_OK;
    }
    if (e)
        return e;
    r->start[r->n + 1] = r->start[r->n] + n;
    r->label[r->n] = label;
    r->n++;
    r->longest = n > r->longest ? n : r->longest;
    r->truncated += cut;
    return DIFFUSE_OK;
}

static diffuse_err copy_row(const struct rows *from, size_t i, struct rows *to) {
    size_t n = rows_length(from, i);
    diffuse_err e = make_room(to, n);

    if (e)
        return e;
    memcpy(to->ids + to->start[to->n], from->ids + from->start[i], n * sizeof *to->ids);
    to->start[to->n + 1] = to->start[to->n] + n;
    to->label[to->n++] = from->label[i];
    to->longest = n > to->longest ? n : to->longest;
    return DIFFUSE_OK;
}

diffuse_err rows_split(const struct rows *r, double share, uint64_t seed, struct rows *ret_rest,
                       struct rows *ret_aside) {
    struct rows rest = {0}, aside = {0};
    struct rng rng;
    diffuse_err e = DIFFUSE_OK;

    rng_init(&rng, seed, 0x5b11);
    for (size_t i = 0; !e && i < r->n; i++)
        e = copy_row(r, i, rng_unit(&rng) < share ? &aside : &rest);
    if (e) {
        rows_done(&rest);
        rows_done(&aside);
        return e;
    }
    *ret_rest = rest;
    *ret_aside = aside;
    return DIFFUSE_OK;
}
