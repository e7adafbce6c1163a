#include "model/train/update/lookups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/vec.h"
#include "model/net/embed.h"
#include "proto/limits.h"

#define DIGIT_BITS 11
#define DIGITS     (1u << DIGIT_BITS)

diffuse_err lookups_init(struct lookups *l, const struct net_config *c, size_t max_tokens,
                         enum store_type kept) {
    size_t cap = max_tokens * (c->ngram_order ? c->ngram_order : 1);

    *l = (struct lookups){.cap = cap, .width = c->width};
    l->key = calloc(cap, sizeof *l->key);
    l->other = calloc(cap, sizeof *l->other);
    l->from = calloc(cap + 1, sizeof *l->from);
    l->grad = (struct store){kept, calloc(cap, c->width * store_each(kept))};
    if (l->key && l->other && l->from && l->grad.at)
        return DIFFUSE_OK;
    lookups_done(l);
    return DIFFUSE_NOMEM;
}

void lookups_done(struct lookups *l) {
    free(l->key);
    free(l->other);
    free(l->from);
    free(l->grad.at);
    *l = (struct lookups){0};
}

/* One pass of a stable radix sort by the row number in the high half. */
static void sort_digit(size_t n, unsigned shift, const uint64_t *in, uint64_t *out) {
    size_t count[DIGITS] = {0}, at = 0;

    for (size_t i = 0; i < n; i++)
        count[(in[i] >> shift) & (DIGITS - 1)]++;
    for (size_t d = 0; d < DIGITS; d++) {
        size_t these = count[d];

        count[d] = at;
        at += these;
    }
    for (size_t i = 0; i < n; i++)
        out[count[(in[i] >> shift) & (DIGITS - 1)]++] = in[i];
}

static void sort(struct lookups *l, size_t n, uint64_t rows) {
    for (unsigned shift = 32; shift < 64 && (rows >> (shift - 32)) > 0; shift += DIGIT_BITS) {
        uint64_t *swap = l->key;

        sort_digit(n, shift, l->key, l->other);
        l->key = l->other;
        l->other = swap;
    }
}

void lookups_begin(struct lookups *l) {
    l->keys = 0;
}

void lookups_add(struct lookups *l, size_t row, size_t vector) {
    assert(l->keys < l->cap);
    l->key[l->keys++] = (uint64_t)row << 32 | vector;
}

void lookups_add_batch(struct lookups *l, const struct net_config *c,
                       const struct net_batch *batch) {
    size_t token = 0;

    for (uint32_t b = 0; b < batch->n; b++)
        for (uint32_t i = batch->start[b]; i < batch->start[b + 1]; i++, token++) {
            lookups_add(l, batch->ids[i], token);
            for (uint32_t k = 2; k <= c->ngram_order && k <= i - batch->start[b] + 1; k++)
                lookups_add(l, c->vocab + (size_t)embed_ngram_row(c, batch->ids + i, k), token);
        }
}

void lookups_end(struct lookups *l, const struct net_config *c) {
    size_t n = l->keys;

    sort(l, n, (uint64_t)c->vocab + c->ngram_rows);
    l->rows = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || l->key[i] >> 32 != l->key[i - 1] >> 32)
            l->from[l->rows++] = i;
    l->from[l->rows] = n;
}

void lookups_find(struct lookups *l, const struct net_config *c, const struct net_batch *batch) {
    lookups_begin(l);
    lookups_add_batch(l, c, batch);
    lookups_end(l, c);
}

double lookups_sum(struct lookups *l, size_t from, size_t to, const struct store *vectors) {
    size_t C = l->width;
    real sum_room[LIMIT_WIDTH], vector_room[LIMIT_WIDTH];
    double squares = 0;

    for (size_t r = from; r < to; r++) {
        real *g = store_place(&l->grad, r * C, sum_room);

        vec_zero(C, g);
        for (size_t i = l->from[r]; i < l->from[r + 1]; i++)
            vec_add(C, store_get(vectors, (size_t)(l->key[i] & UINT32_MAX) * C, C, vector_room), g);
        store_put(&l->grad, r * C, C, g);
        squares += (double)vec_sum_squares(C, lookups_grad(l, r, sum_room));
    }
    return squares;
}
