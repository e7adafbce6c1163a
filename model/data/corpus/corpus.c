#include "model/data/corpus/corpus.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/data/corpus/corpus_grammar.h"
#include "model/data/corpus/corpus_noise.h"
#include "model/data/corpus/corpus_table.h"
#include "proto/limits.h"

#define ROBOTS     12u
#define NAME_BYTES 32u
#define SEED_NOISE 0x6e6f697365u /* damage has its own numbers: --clean shows the same rows */
#define SEED_FLEET 0x666c656574u

struct corpus {
    struct corpus_options options;
    uint64_t row;                    /* the next one */
    size_t first[CORPUS_LABELS + 1]; /* label l has bodies[first[l]] up to first[l + 1] */
    uint32_t weight_sum;
    uint32_t wrap_sum[CORPUS_KINDS];
    char robot[NAME_BYTES];
    char stream[LIMIT_STREAM_BYTES + 1];
    char text[CORPUS_TEXT_BYTES];
    uint32_t bodies[]; /* rows of corpus_table_bodies */
};

static bool split_has(const struct corpus *c, bool held) {
    return held == (c->options.split == CORPUS_TEST);
}

/* Line formats of train are also worn in test. */
static bool may_wear(const struct corpus *c, const struct corpus_wrap *w, enum corpus_kind kind) {
    return w->kind == kind && (!w->held || c->options.split == CORPUS_TEST);
}

static void index_tables(struct corpus *c) {
    size_t n = 0;

    for (uint32_t label = 0; label < CORPUS_LABELS; label++) {
        c->first[label] = n;
        c->weight_sum += corpus_table_labels[label].weight;
        for (size_t i = 0; i < corpus_table_n_bodies; i++) {
            const struct corpus_body *b = &corpus_table_bodies[i];

            if (b->label == label && split_has(c, b->held))
                c->bodies[n++] = (uint32_t)i;
        }
    }
    c->first[CORPUS_LABELS] = n;
    for (int kind = 0; kind < CORPUS_KINDS; kind++)
        for (size_t i = 0; i < corpus_table_n_wraps; i++)
            if (may_wear(c, &corpus_table_wraps[i], (enum corpus_kind)kind))
                c->wrap_sum[kind] += corpus_table_wraps[i].weight;
}

diffuse_err corpus_open(const struct corpus_options *options, struct corpus **ret_corpus,
                        struct reason *why) {
    struct corpus *c;

    if (options->robots > CORPUS_ROBOTS_MAX)
        return reason_set(why, DIFFUSE_INVAL, "a fleet of %u robots is too large; at most %u",
                          options->robots, CORPUS_ROBOTS_MAX);
    if (options->split != CORPUS_TRAIN && options->split != CORPUS_TEST)
        return reason_set(why, DIFFUSE_INVAL, "unknown split %d; train or test",
                          (int)options->split);
    c = calloc(1, sizeof *c + corpus_table_n_bodies * sizeof *c->bodies);
    if (c == NULL)
        return reason_set(why, DIFFUSE_NOMEM, "no memory for the corpus tables");
    c->options = *options;
    if (c->options.robots == 0)
        c->options.robots = ROBOTS;
    index_tables(c);
    *ret_corpus = c;
    return DIFFUSE_OK;
}

void corpus_close(struct corpus *c) {
    free(c);
}

void corpus_seek(struct corpus *c, uint64_t n) {
    c->row = n;
}

static uint32_t pick_label(const struct corpus *c, struct rng *rng) {
    uint32_t k = rng_below(rng, c->weight_sum), label = 0;

    while (k >= corpus_table_labels[label].weight)
        k -= corpus_table_labels[label++].weight;
    return label;
}

static const struct corpus_wrap *pick_wrap(const struct corpus *c, struct rng *rng,
                                           enum corpus_kind kind) {
    uint32_t k = rng_below(rng, c->wrap_sum[kind]);

    for (size_t i = 0; i < corpus_table_n_wraps; i++) {
        const struct corpus_wrap *w = &corpus_table_wraps[i];

        if (!may_wear(c, w, kind))
            continue;
        if (k < w->weight)
            return w;
        k -= w->weight;
    }
    assert(false); /* wrap_sum is the sum of these weights */
    return NULL;
}

/* A robot keeps its name for as long as seed and split stay the same. */
static void name_robot(struct corpus *c, struct rng *rng) {
    uint32_t k = rng_below(rng, c->options.robots);
    struct rng fleet;
    struct corpus_scope scope = {&fleet, c->options.split == CORPUS_TEST, NULL, 0};
    struct corpus_text name = {c->robot, sizeof c->robot - 8, 0};

    rng_init(&fleet, c->options.seed ^ SEED_FLEET, k);
    corpus_grammar_expand(&scope, "<family>", &name);
    (void)snprintf(c->robot + name.len, sizeof c->robot - name.len, "%u", k + 1);
}

static void write_line(struct corpus *c, struct rng *rng, const struct corpus_body *body,
                       const struct corpus_wrap *wrap, struct corpus_line *ret_line) {
    const struct corpus_domain_words *domain = &corpus_table_domains[body->domain];
    enum corpus_severity severity = corpus_table_labels[body->label].severity;
    const struct corpus_severity_words *words = &corpus_table_severities[severity];
    const struct corpus_pin pins[] = {
        {"robot", c->robot}, {"src", domain->src},    {"tag", domain->tag}, {"dev", domain->dev},
        {"lvl", words->lvl}, {"level", words->level}, {"lv", words->lv},
    };
    struct corpus_scope scope = {rng, c->options.split == CORPUS_TEST, pins,
                                 sizeof pins / sizeof *pins};
    struct corpus_text out = {c->text, sizeof c->text - 1, 0};

    corpus_grammar_expand(&scope, wrap->before, &out);
    ret_line->body_at = out.len;
    corpus_grammar_expand(&scope, body->pattern, &out);
    ret_line->body_end = out.len;
    corpus_grammar_expand(&scope, wrap->after, &out);
    ret_line->bytes = out.bytes;
    ret_line->cap = out.cap;
    ret_line->len = out.len;
    ret_line->body_whole = severity == CORPUS_INFO || wrap->noise == CORPUS_NOISE_RECORD;
}

void corpus_next(struct corpus *c, struct corpus_row *ret_row) {
    uint64_t stream = c->row++ * 2 + (c->options.split == CORPUS_TEST);
    const struct corpus_body *body;
    const struct corpus_wrap *wrap;
    struct corpus_line line;
    struct rng rng;
    uint32_t label, at;

    rng_init(&rng, c->options.seed, stream);
    label = pick_label(c, &rng);
    at = rng_below(&rng, (uint32_t)(c->first[label + 1] - c->first[label]));
    at = c->bodies[c->first[label] + at];
    body = &corpus_table_bodies[at];
    wrap = pick_wrap(c, &rng, body->kind);
    name_robot(c, &rng);
    write_line(c, &rng, body, wrap, &line);
    if (!c->options.clean) {
        rng_init(&rng, c->options.seed ^ SEED_NOISE, stream);
        corpus_noise_apply(&rng, wrap->noise, &line);
    }
    while (line.len > 0 && line.bytes[line.len - 1] == ' ')
        line.len--;
    line.bytes[line.len] = '\0';
    (void)snprintf(c->stream, sizeof c->stream, "%s/%s", c->robot, wrap->channel);
    *ret_row = (struct corpus_row){.label = corpus_table_labels[label].name,
                                   .label_id = label,
                                   .body = at,
                                   .wrap = (uint32_t)(wrap - corpus_table_wraps),
                                   .text = c->text,
                                   .len = line.len,
                                   .stream = c->stream};
}

uint32_t corpus_labels(void) {
    return CORPUS_LABELS;
}

struct corpus_label_info corpus_label(uint32_t id) {
    assert(id < CORPUS_LABELS);
    return (struct corpus_label_info){corpus_table_labels[id].name,
                                      corpus_table_labels[id].meaning};
}
