#include "model/tool/model_grow.h"

#define RANDOM_MOST 24u /* of random sizes: some pieces within a word, some over several */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

diffuse_err model_grow_open(struct model_grow *g, struct model_one *one, uint32_t piece,
                            uint64_t seed, struct reason *why) {
    const struct net_config *c = &one->model->config;
    size_t most = (piece ? piece : RANDOM_MOST) + TOKENIZE_STREAM_TAIL;
    diffuse_err e = segment_check(c, why);

    *g = (struct model_grow){.one = one, .most = most, .piece = piece};
    if (e)
        return e;
    e = arena_init(&g->arena, segment_scratch_bytes(c, &one->kind, most, 1) + segment_bytes(c) +
                                  arena_block(most * sizeof *g->ids));
    if (!e)
        e = segment_scratch_new(&g->arena, c, &one->kind, most, 1, &g->scratch);
    if (e)
        return e;
    g->segment = arena_alloc(&g->arena, segment_bytes(c));
    g->ids = arena_alloc(&g->arena, most * sizeof *g->ids);
    rng_init(&g->rng, seed, 0);
    return DIFFUSE_OK;
}

void model_grow_close(struct model_grow *g) {
    arena_done(&g->arena);
}

static void begin(struct model_grow *g) {
    segment_begin(&g->one->model->config, g->segment);
}

static size_t next_piece(struct model_grow *g, size_t left) {
    return least(g->piece ? g->piece : 1 + rng_below(&g->rng, RANDOM_MOST), left);
}

static void advance(struct model_grow *g, const uint32_t *ids, size_t n) {
    segment_advance(g->one->engine, g->scratch, &(struct segment_feed){g->segment, ids, n}, 1);
}

/* The logits of what the segment holds and ids. */
static void finish(struct model_grow *g, const uint32_t *ids, size_t n) {
    segment_logits(g->one->engine, g->scratch, &(struct segment_feed){g->segment, ids, n}, 1,
                   g->one->logits);
}

diffuse_err model_grow_run(struct model_grow *g, size_t n, struct reason *why) {
    diffuse_err e = model_one_check(g->one, n, why);

    if (e)
        return e;
    begin(g);
    for (size_t done = 0, piece; done < n; done += piece) {
        piece = next_piece(g, n - done);
        advance(g, g->one->ids + done, piece);
    }
    finish(g, NULL, 0);
    return DIFFUSE_OK;
}

diffuse_err model_grow_text(struct model_grow *g, const char *text, size_t len,
                            struct reason *why) {
    const struct tokenizer *t = g->one->model->tokenizer;
    struct tokenize_stream s = {0};
    size_t max = model_one_max_length(g->one), n;

    if (!t)
        return model_one_text(g->one, text, len, why); /* refuses, and says why */
    begin(g);
    for (size_t done = 0, piece; done < len; done += piece) {
        diffuse_err e;

        piece = next_piece(g, len - done);
        e = tokenize_stream_feed(t, &s, text + done, piece, g->ids, g->most, &n);
        if (e)
            return reason_set(why, e, "%s", diffuse_strerror(e));
        advance(g, g->ids, least(n, max - segment_tokens(g->segment)));
    }
    if (tokenize_stream_torn(&s))
        return reason_set(why, DIFFUSE_BADTEXT, "%s", diffuse_strerror(DIFFUSE_BADTEXT));
    n = least(tokenize_stream_tail(t, &s, g->ids), max - segment_tokens(g->segment));
    if (segment_tokens(g->segment) + n == 0)
        return reason_set(why, DIFFUSE_EMPTY, "%s", diffuse_strerror(DIFFUSE_EMPTY));
    finish(g, g->ids, n);
    return DIFFUSE_OK;
}
