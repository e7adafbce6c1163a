#include "model/tool/bench/bench_texts.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/data/dataset.h"
#include "proto/limits.h"

#define MADE_TEXTS 1000u
#define MADE_WORDS 45u

struct growing {
    struct bench_texts texts;
    size_t used, cap_bytes, cap_texts;
};

static diffuse_err grow(void **at, size_t *cap, size_t needed, size_t each) {
    size_t more = *cap ? *cap : 4096;
    void *grown;

    while (more < needed)
        more *= 2;
    if (more == *cap)
        return DIFFUSE_OK;
    grown = realloc(*at, more * each);
    if (!grown)
        return DIFFUSE_NOMEM;
    *at = grown;
    *cap = more;
    return DIFFUSE_OK;
}

static diffuse_err append(struct growing *g, const char *text, size_t len) {
    struct bench_texts *t = &g->texts;
    void *bytes = t->bytes, *start = t->start;
    diffuse_err e = grow(&bytes, &g->cap_bytes, g->used + len, 1);

    t->bytes = bytes;
    if (!e)
        e = grow(&start, &g->cap_texts, t->n + 2, sizeof *t->start);
    t->start = start;
    if (e)
        return e;
    memcpy(t->bytes + g->used, text, len);
    t->start[t->n++] = g->used;
    g->used += len;
    t->start[t->n] = g->used;
    return DIFFUSE_OK;
}

diffuse_err bench_texts_read(const char *spec, struct bench_texts *ret_texts, struct reason *why) {
    struct growing g = {.used = 0};
    struct dataset *d = NULL;
    struct dataset_row row;
    bool more = true;
    diffuse_err e = dataset_open(spec, DATASET_TEST, &d, why);

    while (!e && g.used < BENCH_TEXTS_BYTES && !(e = dataset_next(d, &row, &more, why)) && more)
        e = append(&g, row.text, row.len);
    dataset_close(d);
    if (!e && g.texts.n == 0)
        e = reason_set(why, DIFFUSE_BADDATA, "%s: no rows", spec);
    if (e)
        bench_texts_done(&g.texts);
    else
        *ret_texts = g.texts;
    return e;
}

/* Some piece that begins a word and stands for text; of a vocabulary without any, its first. */
static const uint8_t *draw_piece(const struct tokenizer *t, struct rng *r, size_t *ret_len) {
    const uint8_t *piece = NULL;

    for (int tries = 0; tries < 100; tries++) {
        piece = tokenizer_piece(t, rng_below(r, tokenizer_vocab_size(t)), ret_len);
        if (piece && piece[0] != '[' && piece[0] != '#')
            return piece;
    }
    if (piece)
        return piece;
    *ret_len = 1; /* bytes are tokens */
    return (const uint8_t *)"a";
}

diffuse_err bench_texts_make(const struct tokenizer *t, struct bench_texts *ret_texts) {
    struct growing g = {.used = 0};
    struct rng r;
    diffuse_err e = DIFFUSE_OK;

    rng_init(&r, 1, 0);
    for (unsigned i = 0; !e && i < MADE_TEXTS; i++) {
        char text[MADE_WORDS * (LIMIT_PIECE_BYTES + 1)];
        size_t len = 0;

        for (unsigned k = 0; k < MADE_WORDS; k++) {
            size_t piece_len;
            const uint8_t *piece = draw_piece(t, &r, &piece_len);

            memcpy(text + len, piece, piece_len);
            len += piece_len;
            text[len++] = ' ';
        }
        e = append(&g, text, len - 1);
    }
    if (e)
        bench_texts_done(&g.texts);
    else
        *ret_texts = g.texts;
    return e;
}

void bench_texts_done(struct bench_texts *texts) {
    free(texts->bytes);
    free(texts->start);
    *texts = (struct bench_texts){.n = 0};
}
