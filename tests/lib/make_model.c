/* make_model.c - a small checkpoint with random weights, for tests that need a model and not its
 * sense.
 *
 *    make_model FILE [KIND [WIDTH [LABELS [LABEL_BYTES]]]] [KEY=NUMBER...]
 *
 * KIND is byte (default), wordpiece or none (no tokenizer; token ids only, vocabulary of 100).
 * KEY is seed (1), steps (4), max_length (0), ngram_rows (0), ring (1; 0: nothing lies beyond
 * either end, so that texts can grow) or wide (0; features of a wide part, which a ring forbids).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt.h"

static const char vocab[] = "[PAD]\n[UNK]\nthe\nmotor\n##s\nbattery\nis\nlow\nhot\nok\n.\n,\n";

static diffuse_err make_labels(struct arena *a, struct model *m, size_t label_bytes) {
    m->labels = arena_alloc(a, m->config.labels * sizeof *m->labels);
    for (uint32_t i = 0; m->labels && i < m->config.labels; i++) {
        char *name = arena_alloc(a, label_bytes + 16);
        if (!name)
            return DIFFUSE_NOMEM;
        memset(name, 'x', label_bytes);
        snprintf(name + label_bytes, 16, "label%u", (unsigned)i);
        m->labels[i] = name;
    }
    return m->labels ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static diffuse_err make_tokenizer(struct arena *a, struct model *m, const char *kind,
                                  struct reason *why) {
    enum tokenizer_kind k;
    if (strcmp(kind, "none") == 0) {
        m->config.vocab = 100;
        return DIFFUSE_OK;
    }
    diffuse_err e = tokenizer_kind_parse(kind, &k);
    bool byte = !e && k == TOKENIZER_BYTE;
    if (!e)
        e = tokenizer_new(a, k, byte ? NULL : (const uint8_t *)vocab, byte ? 0 : sizeof vocab - 1,
                          &m->tokenizer, why);
    if (!e)
        m->config.vocab = tokenizer_vocab_size(m->tokenizer);
    return e;
}

/* A wide part of so many features; up to 8 labels it has all weights, of more one a feature. */
static diffuse_err make_wide(struct arena *a, struct model *m, uint32_t features, struct rng *rng) {
    struct wide_shape s = {.form = walk_form_default(tokenizer_kind_of(m->tokenizer)),
                           .labels = m->config.labels,
                           .features = features,
                           .dense = m->config.labels <= 8};
    uint32_t columns = wide_columns(&s), buckets = wide_buckets(&s);
    s.entries = features * (s.dense ? columns : 1);
    diffuse_err e = wide_new(a, &s, m->tokenizer, &m->wide);
    if (e)
        return e;
    struct wide *w = m->wide;
    for (uint32_t b = 0; b <= buckets; b++)
        w->start[b] = (uint32_t)((uint64_t)b * features / buckets);
    for (uint32_t f = 0; f < features; f++) {
        w->tag[f] = f + 1;
        w->code[f] = (uint8_t)(1 + f % 255);
    }
    for (uint32_t f = 0; !s.dense && f < features; f++) {
        w->first[f + 1] = f + 1;
        w->column[f] = (uint16_t)rng_below(rng, columns);
    }
    for (uint32_t i = 0; i < s.entries; i++)
        w->weight[i] = (float)rng_unit(rng) - 0.5f;
    wide_settle(w);
    m->weights->wide = w;
    m->config.wide = s;
    m->config.deep_scale = 1;
    return DIFFUSE_OK;
}

/* The number of KEY=NUMBER among the arguments, which it is taken out of; or the preset. */
static uint32_t take_key(int *argc, char **argv, const char *key, uint32_t preset) {
    size_t n = strlen(key);
    for (int i = 2; i < *argc; i++) {
        if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=') {
            preset = (uint32_t)strtoul(argv[i] + n + 1, NULL, 10);
            memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
            --*argc;
        }
    }
    return preset;
}

int main(int argc, char **argv) {
    struct reason why = {"wrong arguments"};
    struct arena a = {0};
    struct model m = {.temperature = 1, .provenance = "{}"};
    struct rng rng;
    if (argc < 2) {
        fprintf(stderr,
                "usage: make_model FILE [KIND [WIDTH [LABELS [LABEL_BYTES]]]] [KEY=NUMBER...]\n");
        return 2;
    }
    net_config_paper(&m.config);
    uint32_t seed = take_key(&argc, argv, "seed", 1);
    m.config.steps = take_key(&argc, argv, "steps", m.config.steps);
    m.config.boundary = take_key(&argc, argv, "ring", 1) ? NET_BOUNDARY_RING : NET_BOUNDARY_ZERO;
    m.max_length = take_key(&argc, argv, "max_length", 0);
    m.config.ngram_rows = take_key(&argc, argv, "ngram_rows", 0);
    uint32_t wide = take_key(&argc, argv, "wide", 0);
    m.config.ngram_order = m.config.ngram_rows > 0 ? 2 : 0;
    m.config.width = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 32;
    m.config.mlp_width = 2 * m.config.width;
    m.config.head_width = m.config.width;
    m.config.labels = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 5;
    size_t label_bytes = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
    rng_init(&rng, seed, 0);
    diffuse_err e = arena_init(&a, (size_t)256 << 20);
    if (!e)
        e = make_tokenizer(&a, &m, argc > 2 ? argv[2] : "byte", &why);
    if (!e)
        e = make_labels(&a, &m, label_bytes);
    if (!e)
        e = weights_new(&a, &m.config, &m.weights);
    if (!e) {
        weights_init(m.weights, &m.config, 0.5, &rng);
        e = wide > 0 ? make_wide(&a, &m, wide, &rng) : DIFFUSE_OK;
    }
    if (!e)
        e = ckpt_write(argv[1], &m, CKPT_F32, &why);
    if (e)
        fprintf(stderr, "make_model: %s: %s\n", diffuse_errname(e), why.text);
    arena_done(&a);
    return e ? 1 : 0;
}
