/* ckpt_selftest.c - see ckpt_selftest.h; FORMAT.md says how the text looks. */
#include "model/ckpt/ckpt_selftest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model/ckpt/ckpt_file.h"
#include "model/ckpt/ckpt_round.h"
#include "model/ckpt/ckpt_wide.h"
#include "model/ckpt/file/json_guard.h"
#include "model/net/embed.h"

#define SEED 0x5e1f7e57u

/* Sequences, and what they give. */
struct set {
    uint32_t n;
    uint32_t start[CKPT_SELFTEST_SEQS + 1];
    uint32_t ids[CKPT_SELFTEST_TOKENS];
    real *logits; /* (n, labels) owned */
};

/* --- making it ----------------------------------------------------------- */

/* One token alone, fewer tokens than most offsets reach, and more. */
static void draw(const struct net_config *c, struct set *s) {
    static const uint32_t length[CKPT_SELFTEST_SEQS] = {1, 7, 24, 32};
    struct rng rng;

    rng_init(&rng, SEED, 0);
    for (s->n = 0; s->n < CKPT_SELFTEST_SEQS; s->n++) {
        s->start[s->n + 1] = s->start[s->n] + length[s->n];
        for (uint32_t i = s->start[s->n]; i < s->start[s->n + 1]; i++)
            s->ids[i] = rng_below(&rng, c->vocab);
    }
}

/* Of the tables, the rows that the sequences look up. */
static void round_rows(const struct net_config *c, const struct net_weights *w,
                       const struct ckpt_types *types, const struct set *s, struct net_weights *y) {
    size_t width = c->width;

    for (uint32_t b = 0; b < s->n; b++) {
        for (uint32_t i = s->start[b]; i < s->start[b + 1]; i++) {
            real *row = y->embed + s->ids[i] * width;

            table_copy_row(&w->embed_table, s->ids[i], row);
            ckpt_round(ckpt_round_type(types->embed, true, width), 1, width, row, row);
            for (uint32_t k = 2; k <= c->ngram_order && k <= i - s->start[b] + 1; k++) {
                uint32_t r = embed_ngram_row(c, s->ids + i, k);

                row = y->ngram + r * width;
                table_copy_row(&w->ngram_table, r, row);
                ckpt_round(ckpt_round_type(types->ngram, true, width), 1, width, row, row);
            }
        }
    }
}

/* The weights as types store them. The block is mapped whole but touched only where it is needed:
 * the tables, most of a model, take no memory. Small pages, for a huge one would. */
static diffuse_err round_weights(const struct model *m, const struct ckpt_types *types,
                                 const struct set *s, struct net_weights *ret, size_t *ret_bytes) {
    const struct net_weights *w = m->weights;
    struct weights_list l;
    real *block;

    weights_list_make(&m->config, &l);
    *ret_bytes = l.entries * sizeof *block;
    block = mmap(NULL, *ret_bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED)
        return DIFFUSE_NOMEM;
    (void)madvise(block, *ret_bytes, MADV_NOHUGEPAGE);
    weights_point(ret, &m->config, block, false);
    round_rows(&m->config, w, types, s, ret);
    if (types->rest == CKPT_F32) { /* as it is: no copy */
        struct table embed = ret->embed_table, ngram = ret->ngram_table;

        *ret = *w;
        ret->block = block;
        ret->embed_table = embed;
        ret->ngram_table = ngram;
        return DIFFUSE_OK;
    }
    for (size_t i = 0; i < l.n; i++)
        if (!l.tensor[i].table)
            ckpt_round(ckpt_round_type(types->rest, false, l.tensor[i].cols), l.tensor[i].rows,
                       l.tensor[i].cols, w->body + l.tensor[i].offset - l.table_entries,
                       block + l.tensor[i].offset);
    return DIFFUSE_OK;
}

/* Fills s->logits, which it allocates. */
static diffuse_err run_alone(const struct net_config *c, const struct net_weights *w,
                             struct set *s) {
    const struct net_batch batch = {s->ids, s->start, s->n};
    struct arena arena = {0};
    struct net_scratch *scratch;
    size_t tokens = CKPT_SELFTEST_TOKENS, seqs = CKPT_SELFTEST_SEQS;
    diffuse_err e = arena_init(&arena, net_scratch_bytes(c, tokens, seqs));

    if (!e && !(e = net_scratch_new(&arena, c, tokens, seqs, &scratch))) {
        s->logits = malloc(s->n * (size_t)c->labels * sizeof *s->logits);
        if (s->logits)
            net_forward(c, w, scratch, &batch, s->logits);
        else
            e = DIFFUSE_NOMEM;
    }
    arena_done(&arena);
    return e;
}

static diffuse_err check_finite(const struct set *s, uint32_t labels, struct reason *why) {
    for (size_t i = 0; i < (size_t)s->n * labels; i++)
        if (!isfinite(s->logits[i]))
            return reason_set(why, DIFFUSE_INVAL,
                              "self-test: logit %zu of sequence %zu is not finite: the weights are "
                              "too large to compute with",
                              i % labels, i / labels);
    return DIFFUSE_OK;
}

/* {"ids":[[3],...],"logits":[[0.25,-1],...]}; nine digits give every float back exactly. */
static diffuse_err print(const struct set *s, uint32_t labels, char **ret_text) {
    json_t *ids = json_array(), *logits = json_array();
    json_t *all = json_pack("{s:o, s:o}", "ids", ids, "logits", logits);
    int failed = 0;

    for (uint32_t b = 0; b < s->n && all; b++) {
        json_t *sequence = json_array(), *row = json_array();

        failed |= json_array_append_new(ids, sequence) | json_array_append_new(logits, row);
        for (uint32_t i = s->start[b]; i < s->start[b + 1] && !failed; i++)
            failed |= json_array_append_new(sequence, json_integer(s->ids[i]));
        for (size_t i = 0; i < labels && !failed; i++)
            failed |= json_array_append_new(row, json_real((double)s->logits[b * labels + i]));
    }
    *ret_text = failed ? NULL : json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(all);
    return *ret_text ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

diffuse_err ckpt_selftest_make(const struct model *m, const struct ckpt_types *types,
                               char **ret_text, struct reason *why) {
    const struct net_config *c = &m->config;
    bool exact = types->embed == CKPT_F32 && types->ngram == CKPT_F32 && types->rest == CKPT_F32;
    struct net_weights rounded = {0};
    struct wide wide = {0};
    struct set s = {0};
    size_t bytes = 0;
    diffuse_err e = DIFFUSE_OK;

    draw(c, &s);
    if (!exact)
        e = round_weights(m, types, &s, &rounded, &bytes);
    if (!e && !exact && m->wide &&
        !(e = ckpt_wide_round(m->wide, ckpt_wide_i8(types->rest), &wide)))
        rounded.wide = &wide;
    if (!e && !(e = run_alone(c, exact ? m->weights : &rounded, &s)) &&
        !(e = check_finite(&s, c->labels, why)))
        e = print(&s, c->labels, ret_text);
    free(wide.weight);
    if (rounded.block)
        (void)munmap(rounded.block, bytes);
    free(s.logits);
    if (e == DIFFUSE_NOMEM)
        return reason_set(why, e, "out of memory for the self-test");
    return e;
}

/* --- running it ---------------------------------------------------------- */

static diffuse_err bad(struct reason *why, const char *what) {
    return reason_set(why, DIFFUSE_CORRUPT, "metadata key %s: %s", CKPT_SELFTEST_KEY, what);
}

static diffuse_err take_ids(const json_t *ids, const struct net_config *c, struct set *s,
                            struct reason *why) {
    size_t n = json_array_size(ids);

    if (n == 0 || n > CKPT_SELFTEST_SEQS)
        return bad(why, "expected ids of 1 to 4 sequences");
    for (s->n = 0; s->n < n; s->n++) {
        const json_t *sequence = json_array_get(ids, s->n);
        uint32_t at = s->start[s->n];

        if (json_array_size(sequence) == 0 || json_array_size(sequence) > CKPT_SELFTEST_TOKENS - at)
            return bad(why, "expected sequences of 1 to 64 ids, all together");
        for (size_t i = 0; i < json_array_size(sequence); i++, at++) {
            const json_t *id = json_array_get(sequence, i);

            if (!json_is_integer(id) || json_integer_value(id) < 0 ||
                json_integer_value(id) >= c->vocab)
                return bad(why, "an id is not one of the vocabulary");
            s->ids[at] = (uint32_t)json_integer_value(id);
        }
        s->start[s->n + 1] = at;
    }
    return DIFFUSE_OK;
}

static diffuse_err take_logits(const json_t *logits, const struct net_config *c,
                               const struct set *s, double *ret, struct reason *why) {
    if (json_array_size(logits) != s->n)
        return bad(why, "expected logits for every sequence");
    for (uint32_t b = 0; b < s->n; b++) {
        const json_t *row = json_array_get(logits, b);

        if (json_array_size(row) != c->labels)
            return bad(why, "expected a logit for every label");
        for (uint32_t i = 0; i < c->labels; i++) {
            const json_t *logit = json_array_get(row, i);

            if (!json_is_number(logit))
                return bad(why, "a logit is not a number");
            *ret++ = json_number_value(logit);
        }
    }
    return DIFFUSE_OK;
}

static diffuse_err compare(const struct set *s, uint32_t labels, const double *want,
                           enum engine_precision precision, struct reason *why) {
    static const double shares[] = {[ENGINE_F32] = CKPT_SELFTEST_TOLERANCE,
                                    [ENGINE_BF16] = CKPT_SELFTEST_TOLERANCE_BF16,
                                    [ENGINE_I8] = CKPT_SELFTEST_TOLERANCE_I8};
    double share = shares[precision];

    for (uint32_t b = 0; b < s->n; b++) {
        const real *got = s->logits + (size_t)b * labels;
        double largest = 0, tolerance;

        for (uint32_t i = 0; i < labels; i++)
            largest = fmax(largest, fabs(want[(size_t)b * labels + i]));
        tolerance = share * (1 + largest);
        for (uint32_t i = 0; i < labels; i++)
            /* Not finite is not within it. */
            if (!(fabs((double)got[i] - want[(size_t)b * labels + i]) <= tolerance))
                return reason_set(why, DIFFUSE_CORRUPT,
                                  "self-test: logit %u of sequence %u is %.6g, the file says %.6g "
                                  "(tolerance %.2g): weights that were changed, or a machine that "
                                  "computes otherwise",
                                  i, b, (double)got[i], want[(size_t)b * labels + i], tolerance);
    }
    return DIFFUSE_OK;
}

bool ckpt_has_selftest(const struct ckpt *k) {
    return json_object_get(k->strings, CKPT_SELFTEST_KEY) != NULL;
}

static diffuse_err run(const json_t *test, const struct engine *engine,
                       struct engine_scratch *scratch, struct set *s, double *want,
                       struct reason *why) {
    const struct net_config *c = engine_config(engine);
    struct net_batch batch = {s->ids, s->start, 0};
    diffuse_err e = take_ids(json_object_get(test, "ids"), c, s, why);

    if (e || (e = take_logits(json_object_get(test, "logits"), c, s, want, why)))
        return e;
    batch.n = s->n;
    engine_forward(engine, scratch, &batch, s->logits);
    return compare(s, c->labels, want, engine_kind(engine)->precision, why);
}

diffuse_err ckpt_selftest(const struct ckpt *k, const struct engine *engine,
                          struct engine_scratch *scratch, struct reason *why) {
    const struct json_guard limit = {3, CKPT_SELFTEST_SEQS * (LIMIT_LABELS + 2) +
                                            CKPT_SELFTEST_TOKENS + 16};
    const char *text = json_string_value(json_object_get(k->strings, CKPT_SELFTEST_KEY));
    size_t n = CKPT_SELFTEST_SEQS * (size_t)engine_config(engine)->labels;
    struct reason inner = {""};
    struct set s = {0};
    json_t *test = NULL;
    double *want;
    diffuse_err e;

    if (!text)
        return DIFFUSE_OK;
    s.logits = malloc(n * sizeof *s.logits);
    want = malloc(n * sizeof *want);
    if (!s.logits || !want)
        e = DIFFUSE_NOMEM;
    else if (!(e = json_guard_parse(text, strlen(text), limit, "metadata key " CKPT_SELFTEST_KEY,
                                    &test, &inner)))
        e = run(test, engine, scratch, &s, want, &inner);
    json_decref(test);
    free(want);
    free(s.logits);
    return e ? ckpt_file_fail(k->path, e, &inner, why) : DIFFUSE_OK;
}
