/* test_wide.c - the wide part: its features, that a growing text is worth what the whole one is,
 * the solver against what is known, and files that lie about it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/ckpt/ckpt.h"
#include "model/ckpt/file/st_header.h"
#include "model/engine/segment.h"
#include "model/train/eval/eval.h"
#include "model/train/wide/wide_fit.h"
#include "model/train/wide/wide_solve.h"
#include "tests/lib/ckpt_sample.h"

/* "b" is a word, "##b" the end of one. */
static const char vocab[] = "[UNK]\na\nb\n##b\nab\n##\xc3\xa9\ncold\nhot\nvery\n.\n";

enum { UNK, A, B, AND_B, AB, AND_E, COLD, HOT, VERY, DOT, PIECES };

struct world {
    struct arena arena;
    struct tokenizer *tokenizer;
    struct rows rows;
    struct team *team;
};

static void make(struct world *w, enum tokenizer_kind kind, unsigned threads) {
    const uint8_t *text = (const uint8_t *)vocab;

    *w = (struct world){0};
    assert_int_equal(arena_init(&w->arena, 1 << 20), DIFFUSE_OK);
    assert_int_equal(tokenizer_new(&w->arena, kind, text, sizeof vocab - 1, &w->tokenizer, NULL),
                     DIFFUSE_OK);
    assert_int_equal(rows_init(&w->rows, kind == TOKENIZER_BYTE ? 256 : PIECES, ROWS_MEMORY),
                     DIFFUSE_OK);
    assert_int_equal(team_new(threads, &w->team, NULL), DIFFUSE_OK);
}

static void done(struct world *w) {
    team_free(w->team);
    rows_done(&w->rows);
    arena_done(&w->arena);
}

static void add(struct world *w, uint32_t label, const uint32_t *ids, size_t n) {
    assert_int_equal(rows_append(&w->rows, ids, n, label, NULL), DIFFUSE_OK);
}

#define ADD(w, label, ...)                                                                         \
    add(w, label, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Cold is 0, hot 1, and with three labels a dot 2; with words that say nothing around them. */
static void add_rows(struct world *w, uint32_t labels, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t label = (uint32_t)i % labels, other = i % 5 ? AB : VERY;
        uint32_t said = label == 0 ? COLD : label == 1 ? HOT : DOT;

        if (i % 2)
            ADD(w, label, A, said, other);
        else
            ADD(w, label, other, A, AND_B, said, AND_E);
    }
}

static struct wide_fit fit(struct world *w, uint32_t labels) {
    const struct wide_fit_options o = {.seed = 3};
    struct wide_fit f;
    struct reason why = {""};

    if (wide_fit(&w->rows, w->tokenizer, labels, &o, w->team, &f, &why))
        fail_msg("%s", why.text);
    return f;
}

/* --- features ------------------------------------------------------------ */

struct keys {
    size_t n, letters;
    uint64_t key[4096];
};

static void collect(void *user, const uint64_t *key, size_t n) {
    struct keys *k = user;

    for (size_t i = 0; i < n; i++) {
        assert_true(k->n < 4096);
        k->letters += walk_of_letters(key[i]);
        k->key[k->n++] = key[i];
    }
}

static struct keys *walk(const struct world *w, struct walk_form form, const uint32_t *ids,
                         size_t n) {
    const struct walk walk = {form, w->tokenizer};
    struct walk_place place = {0};
    struct keys *k = calloc(1, sizeof *k);
    struct walk_keys to = {.take = collect, .user = k};

    assert_non_null(k);
    walk_tokens(&walk, &place, ids, n, &to);
    walk_end(&walk, &place, &to);
    return k;
}

static size_t times(const struct keys *k, uint64_t key) {
    size_t n = 0;

    for (size_t i = 0; i < k->n; i++)
        n += k->key[i] == key;
    return n;
}

static void assert_counts(struct walk_form form, const uint32_t *ids, size_t n, size_t words,
                          size_t letters) {
    struct world w;
    struct keys *k;

    make(&w, TOKENIZER_WORDPIECE, 1);
    k = walk(&w, form, ids, n);
    assert_int_equal(k->letters, letters);
    assert_int_equal(k->n - k->letters, words);
    free(k);
    done(&w);
}

static void test_counts(void **state) {
    const uint32_t text[] = {A, AND_B, UNK, B}; /* "ab", unknown, "b" */

    (void)state;
    assert_counts((struct walk_form){1, 0, 0}, text, 4, 3, 0);
    assert_counts((struct walk_form){2, 0, 0}, text, 4, 3 + 2, 0);
    assert_counts((struct walk_form){3, 0, 0}, text, 4, 3 + 2 + 1, 0);
    /* "<ab>" has 3 pairs, 2 of three, 1 of four; "<b>" 2 and 1; what is unknown has none */
    assert_counts((struct walk_form){1, 2, 5}, text, 4, 3, 6 + 3);
    assert_counts((struct walk_form){0, 1, 1}, text, 4, 0, 2 + 1);
    assert_counts((struct walk_form){1, 2, 2}, (uint32_t[]){AB, AND_E}, 2, 1, 4); /* one letter */
    assert_counts((struct walk_form){1, 0, 0}, (uint32_t[]){AND_B, A}, 2, 2, 0);
}

/* Letters come from the word's text, words from its pieces. */
static void test_same_and_other(void **state) {
    const struct walk_form letters = {0, 2, 5}, words = {2, 0, 0};
    struct world w;
    struct keys *split, *whole, *turned;

    (void)state;
    make(&w, TOKENIZER_WORDPIECE, 1);
    split = walk(&w, letters, (uint32_t[]){A, AND_B}, 2);
    whole = walk(&w, letters, (uint32_t[]){AB}, 1);
    assert_int_equal(split->n, whole->n);
    for (size_t i = 0; i < whole->n; i++)
        assert_int_equal(times(split, whole->key[i]), 1);
    free(split);
    free(whole);
    whole = walk(&w, words, (uint32_t[]){HOT, COLD}, 2);
    turned = walk(&w, words, (uint32_t[]){COLD, HOT}, 2);
    assert_int_equal(times(turned, whole->key[0]), 1); /* hot */
    assert_int_equal(times(turned, whole->key[1]), 1); /* cold */
    assert_int_equal(times(turned, whole->key[2]), 0); /* hot cold */
    free(whole);
    free(turned);
    done(&w);
}

static void test_bytes(void **state) {
    struct world w;
    struct keys *k;

    (void)state;
    make(&w, TOKENIZER_BYTE, 1);
    k = walk(&w, (struct walk_form){0, 1, 3}, (uint32_t[]){'x', 0, 'x', 255}, 4);
    assert_int_equal(k->n, 4 + 3 + 2);
    assert_int_equal(times(k, k->key[0]), 2); /* x */
    free(k);
    done(&w);
}

static void test_forms(void **state) {
    static const struct walk_form bad[] = {{0, 0, 0}, {4, 0, 0}, {1, 3, 2},
                                           {1, 0, 4}, {1, 2, 9}, {1, 2, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(walk_form_check(&bad[i], NULL), DIFFUSE_INVAL);
}

/* --- the solver ---------------------------------------------------------- */

/* One row with the one feature: v = b = 2C / (1 + 4C). */
static void test_one_row(void **state) {
    uint32_t entry = 1, label = 1, use = 0;
    size_t start[] = {0, 1};
    float scale = 1;
    const struct wide_rows data = {
        .n = 1, .label = &label, .start = start, .entry = &entry, .features = 1};
    struct wide_solve s;

    (void)state;
    assert_int_equal(wide_solve_init(&s, &data, &scale), DIFFUSE_OK);
    for (double cost = 0.1; cost < 50; cost *= 4) {
        s.g[0] = 1;
        wide_solve_begin(&s, &use, 1, 1);
        (void)wide_solve_run(&s, cost, 1e-9, 50, 1);
        assert_true(fabs((double)s.v[0] - 2 * cost / (1 + 4 * cost)) < 1e-6);
        assert_true(fabs(s.b - 2 * cost / (1 + 4 * cost)) < 1e-6);
    }
    wide_solve_done(&s);
}

#define N 300u
#define F 40u

/* Rows without order: primal and dual meet, also when it went on from another cost. */
static void test_gap(void **state) {
    static uint32_t entry[N * 6], label[N], use[N];
    static size_t start[N + 1];
    static float scale[N];
    const struct wide_rows data = {
        .n = N, .label = label, .start = start, .entry = entry, .features = F};
    struct wide_solve s;
    struct rng rng;

    (void)state;
    rng_init(&rng, 5, 0);
    for (uint32_t i = 0; i < N; i++) {
        use[i] = i;
        label[i] = rng_below(&rng, 3);
        scale[i] = 0.5f + (float)rng_unit(&rng);
        for (uint32_t j = 0; j < 6; j++)
            entry[6 * i + j] =
                (6 * j + rng_below(&rng, 6)) << WIDE_ROWS_COUNT_BITS | (1 + rng_below(&rng, 3));
        start[i + 1] = start[i] + 6;
    }
    assert_int_equal(wide_solve_init(&s, &data, scale), DIFFUSE_OK);
    for (uint32_t f = 0; f < F; f++)
        s.g[f] = 0.1f + (float)rng_unit(&rng);
    wide_solve_begin(&s, use, N, 1);
    for (double cost = 0.03; cost < 10; cost *= 10) {
        double primal, dual;

        assert_true(wide_solve_run(&s, cost, 1e-4, 5000, 9) < 5000);
        wide_solve_gap(&s, cost, &primal, &dual);
        assert_true(primal >= dual * (1 - 1e-4));
        assert_true(primal - dual < 1e-3 * primal);
    }
    wide_solve_done(&s);
}

/* --- the fit ------------------------------------------------------------- */

static void assert_learned(uint32_t labels, size_t n) {
    struct world w;
    struct wide_fit f;

    make(&w, TOKENIZER_WORDPIECE, 1);
    add_rows(&w, labels, n);
    f = fit(&w, labels);
    assert_true(f.accuracy > 0.99);
    assert_int_equal(f.judged, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(f.row[i], i);
        assert_true(f.fold[i] < f.folds);
        for (uint32_t k = 0; k < labels; k++)
            assert_true(k == i % labels ||
                        f.scores[i * labels + k] < f.scores[i * labels + i % labels]);
    }
    wide_fit_done(&f);
    done(&w);
}

static void test_learns(void **state) {
    (void)state;
    assert_learned(2, 16);
    assert_learned(3, 60);
}

/* Of every number of threads the same bits; and so few rows that none can be judged. */
static void test_threads(void **state) {
    struct wide_fit one, three;
    struct world w;

    (void)state;
    make(&w, TOKENIZER_WORDPIECE, 1);
    add_rows(&w, 3, 50);
    one = fit(&w, 3);
    team_free(w.team);
    assert_int_equal(team_new(3, &w.team, NULL), DIFFUSE_OK);
    three = fit(&w, 3);
    assert_memory_equal(one.wide->weight, three.wide->weight,
                        one.wide->shape.entries * sizeof(float));
    assert_memory_equal(one.scores, three.scores, one.judged * 3 * sizeof(float));
    assert_true(one.cost == three.cost);
    wide_fit_done(&one);
    wide_fit_done(&three);
    rows_done(&w.rows);
    assert_int_equal(rows_init(&w.rows, PIECES, ROWS_MEMORY), DIFFUSE_OK);
    ADD(&w, 1, HOT);
    one = fit(&w, 2);
    assert_int_equal(one.judged, 0);
    wide_fit_done(&one);
    done(&w);
}

/* Up to a budget, features that few rows have are left out; the rest keeps its place. */
static void test_budget(void **state) {
    const struct wide_fit_options o = {.seed = 3, .features = 5};
    struct wide_fit f;
    struct world w;

    (void)state;
    make(&w, TOKENIZER_WORDPIECE, 1);
    add_rows(&w, 2, 40);
    assert_int_equal(wide_fit(&w.rows, w.tokenizer, 2, &o, w.team, &f, NULL), DIFFUSE_OK);
    assert_int_equal(f.wide->shape.features, 5);
    wide_fit_done(&f);
    done(&w);
}

/* --- scores -------------------------------------------------------------- */

static void test_by_hand(void **state) {
    const uint32_t text[] = {VERY, HOT, A, AND_B, UNK, HOT};
    struct wide_fit f;
    struct world w;
    struct keys *k;
    double sum[3] = {0}, square = 0;
    real logits[3] = {1, 2, 3};
    void *room;

    (void)state;
    make(&w, TOKENIZER_WORDPIECE, 1);
    add_rows(&w, 3, 60);
    f = fit(&w, 3);
    k = walk(&w, f.wide->shape.form, text, 6);
    for (size_t i = 0; i < k->n; i++) {
        uint32_t at = wide_find(f.wide, k->key[i]);

        if (at == WIDE_NONE)
            continue;
        square += pow((double)f.wide->code[at] * (double)f.wide->idf_unit, 2);
        for (uint32_t j = 0; j < 3; j++)
            sum[j] += (double)f.wide->weight[3 * at + j];
    }
    assert_true(square > 0);
    room = arena_alloc(&w.arena, wide_state_bytes(&f.wide->shape));
    wide_text(f.wide, text, 6, room, NULL, 0.5f, logits);
    for (uint32_t j = 0; j < 3; j++) {
        double norm = f.wide->shape.norm == WIDE_NORM_NONE ? 1 : sqrt(square);

        assert_true(fabs((double)logits[j] - (sum[j] / norm + (double)f.wide->bias[j]) -
                         0.5 * (1 + j)) < 1e-5);
    }
    free(k);
    wide_fit_done(&f);
    done(&w);
}

/* In any pieces, and asked at any time, every bit is that of the whole. */
static void test_growing(void **state) {
    uint32_t ids[200];
    real whole[3], grown[3], asked[3];
    struct wide_fit f;
    struct world w;
    struct rng rng;
    struct wide_state *s;
    void *room, *other;

    (void)state;
    make(&w, TOKENIZER_WORDPIECE, 1);
    add_rows(&w, 3, 60);
    f = fit(&w, 3);
    room = arena_alloc(&w.arena, wide_state_bytes(&f.wide->shape));
    other = arena_alloc(&w.arena, wide_state_bytes(&f.wide->shape));
    rng_init(&rng, 8, 0);
    for (int round = 0; round < 50; round++) {
        uint32_t n = 1 + rng_below(&rng, 200);

        for (uint32_t i = 0; i < n; i++)
            ids[i] = rng_below(&rng, PIECES);
        s = wide_begin(&f.wide->shape, room);
        for (uint32_t at = 0, m; at < n; at += m) {
            m = 1 + rng_below(&rng, n - at);
            wide_advance(f.wide, s, ids + at, m, NULL);
            wide_scores(f.wide, s, other, 0, grown);
            wide_text(f.wide, ids, at + m, other, NULL, 0, asked);
            assert_memory_equal(grown, asked, sizeof grown);
        }
        wide_text(f.wide, ids, n, other, NULL, 0, whole);
        assert_memory_equal(grown, whole, sizeof whole);
    }
    wide_fit_done(&f);
    done(&w);
}

/* The same in lists, from a dense one. */
static struct wide *as_lists(struct arena *a, const struct wide *w) {
    struct wide_shape s = w->shape;
    uint32_t columns = wide_columns(&s);
    struct wide *lists;

    s.dense = false;
    assert_int_equal(wide_new(a, &s, w->walk.tokenizer, &lists), DIFFUSE_OK);
    memcpy(lists->start, w->start, (wide_buckets(&s) + 1) * sizeof *w->start);
    memcpy(lists->tag, w->tag, s.features * sizeof *w->tag);
    memcpy(lists->code, w->code, s.features * sizeof *w->code);
    memcpy(lists->weight, w->weight, s.entries * sizeof *w->weight);
    memcpy(lists->bias, w->bias, columns * sizeof *w->bias);
    lists->idf_unit = w->idf_unit;
    for (uint32_t f = 0; f <= s.features; f++)
        lists->first[f] = f * columns;
    for (uint32_t e = 0; e < s.entries; e++)
        lists->column[e] = (uint16_t)(e % columns);
    return lists;
}

/* Known labels keep their scores to the bit; others have the lowest of an empty text. */
static void assert_grows(struct world *w, const struct wide *from, uint32_t labels) {
    const struct wide_shape room_for = wide_shape_grown(&from->shape, labels + 1);
    const struct wide_shape shape = wide_shape_grown(&from->shape, labels);
    const uint32_t text[] = {VERY, HOT, A, AND_B, UNK, COLD, HOT};
    real before[3], none[3], after[5];
    void *room = arena_alloc(&w->arena, wide_state_bytes(&room_for));
    struct wide *to;

    assert_int_equal(wide_shape_check(&shape, NULL), DIFFUSE_OK);
    assert_int_equal(wide_new(&w->arena, &room_for, NULL, &to), DIFFUSE_OK);
    memset(to->weight, 0xff, to->shape.entries * sizeof *to->weight); /* what was there before */
    wide_grow(from, labels, to);
    assert_true(wide_shape_same(&to->shape, &shape));
    wide_text(from, text, 7, room, NULL, 0, before);
    wide_text(from, text, 0, room, NULL, 0, none);
    wide_text(to, text, 7, room, NULL, 0, after);
    assert_memory_equal(after, before, from->shape.labels * sizeof *after);
    for (uint32_t k = from->shape.labels; k < labels; k++) {
        assert_true(after[k] == after[from->shape.labels]);
        for (uint32_t i = 0; i < from->shape.labels; i++)
            assert_true(after[k] <= none[i]);
    }
}

static void test_grows(void **state) {
    (void)state;
    for (uint32_t labels = 2; labels <= 3; labels++) {
        struct wide_fit f;
        struct world w;

        make(&w, TOKENIZER_WORDPIECE, 1);
        add_rows(&w, labels, 60);
        f = fit(&w, labels);
        assert_true(f.wide->shape.dense);
        for (uint32_t more = 0; more <= 2; more++) {
            assert_grows(&w, f.wide, labels + more);
            assert_grows(&w, as_lists(&w.arena, f.wide), labels + more);
        }
        wide_fit_done(&f);
        done(&w);
    }
}

/* Words of up to twelve pieces, most of them often: of a cache, which another wide part had before,
 * every bit is that without one, whole or in pieces. */
static void test_cache(void **state) {
    uint32_t ids[300];
    real plain[3], cached[3], grown[3];
    struct wide_fit one, other;
    struct wide_cache *cache;
    struct world w;
    struct rng rng;
    void *room, *scores;

    (void)state;
    make(&w, TOKENIZER_WORDPIECE, 1);
    add_rows(&w, 3, 60);
    one = fit(&w, 3);
    other = fit(&w, 3);
    wide_scale(other.wide, 0.7f);
    assert_true(one.wide->id != 0 && one.wide->id != other.wide->id);
    room = arena_alloc(&w.arena, wide_state_bytes(&one.wide->shape));
    scores = arena_alloc(&w.arena, wide_state_bytes(&one.wide->shape));
    cache = calloc(1, wide_cache_bytes(&one.wide->shape) + ARENA_ALIGN);
    assert_non_null(cache);
    rng_init(&rng, 4, 0);
    for (int round = 0; round < 300; round++) {
        const struct wide *wide = round % 20 < 10 ? one.wide : other.wide;
        uint64_t features[2], known[2];
        uint32_t n = 0;
        struct wide_state *s;

        while (n < 280) {
            ids[n++] = rng_below(&rng, PIECES);
            for (uint32_t more = rng_below(&rng, 4) ? 0 : rng_below(&rng, 12); more > 0; more--)
                ids[n++] = rng_below(&rng, 2) ? AND_B : AND_E;
        }
        wide_text(wide, ids, n, room, NULL, 0, plain);
        wide_known(room, &features[0], &known[0]);
        wide_text(wide, ids, n, room, cache, 0, cached);
        wide_known(room, &features[1], &known[1]);
        assert_memory_equal(plain, cached, sizeof plain);
        assert_int_equal(features[0], features[1]);
        assert_int_equal(known[0], known[1]);
        s = wide_begin(&wide->shape, room);
        for (uint32_t at = 0, m; at < n; at += m) {
            m = 1 + rng_below(&rng, n - at);
            wide_advance(wide, s, ids + at, m, cache);
        }
        wide_scores(wide, s, scores, 0, grown);
        assert_memory_equal(plain, grown, sizeof plain);
    }
    free(cache);
    wide_fit_done(&one);
    wide_fit_done(&other);
    done(&w);
}

/* Whole multiples of a step, whatever they were; settling once more changes nothing. */
static void test_settle(void **state) {
    struct wide_fit f;
    struct world w;
    uint64_t id;

    (void)state;
    make(&w, TOKENIZER_WORDPIECE, 1);
    add_rows(&w, 3, 60);
    f = fit(&w, 3);
    f.wide->weight[0] = 1000.1f;
    f.wide->weight[3] = 1e-4f / 3; /* of the same column */
    wide_settle(f.wide);
    id = f.wide->id;
    assert_true(f.wide->weight[0] == 1000.1f);
    assert_true(fabs((double)f.wide->weight[3] - 1e-4 / 3) < 1.0 / (1 << 15));
    assert_true(fmod((double)f.wide->weight[3], ldexp(1, 10 - 24)) == 0);
    wide_settle(f.wide);
    assert_true(f.wide->id == id);
    wide_fit_done(&f);
    done(&w);
}

/* --- the model ----------------------------------------------------------- */

struct both {
    struct world w;
    struct wide_fit fit;
    struct ckpt_sample sample;
};

static void make_both(struct both *b, uint32_t labels, float deep_scale) {
    struct net_config c;

    make(&b->w, TOKENIZER_WORDPIECE, 1);
    add_rows(&b->w, labels, 60);
    b->fit = fit(&b->w, labels);
    ckpt_sample_config(&c);
    c.vocab = PIECES;
    c.labels = labels;
    c.boundary = NET_BOUNDARY_ZERO;
    c.wide = b->fit.wide->shape;
    c.deep_scale = deep_scale;
    ckpt_sample_make(&b->sample, &c, -1, 4);
    b->sample.model->tokenizer = b->w.tokenizer;
    b->sample.model->wide = b->fit.wide;
    b->sample.model->weights->wide = b->fit.wide;
}

static void done_both(struct both *b) {
    ckpt_sample_done(&b->sample);
    wide_fit_done(&b->fit);
    done(&b->w);
}

static const uint32_t said[] = {VERY, HOT, A, AND_B, DOT, COLD, AND_E, HOT};

/* logits(labels) of the engine and of net_forward, which agree, and of a segment of two pieces. */
static void logits_of(const struct net_config *c, const struct net_weights *w, real *logits) {
    const uint32_t start[] = {0, 8};
    const struct net_batch batch = {said, start, 1};
    struct engine_kind kind;
    struct arena a = {0};
    struct engine *e;
    struct engine_scratch *s;
    struct segment_scratch *ss;
    struct segment *g;
    struct net_scratch *n;
    real other[4];

    assert_int_equal(engine_kind_make("auto", ENGINE_F32, &kind, NULL), DIFFUSE_OK);
    assert_int_equal(arena_init(&a, engine_bytes(c, &kind) + engine_scratch_bytes(c, &kind, 8, 1) +
                                        segment_scratch_bytes(c, &kind, 8, 1) + segment_bytes(c) +
                                        net_scratch_bytes(c, 8, 1)),
                     DIFFUSE_OK);
    assert_int_equal(engine_new(&a, c, w, &kind, &e), DIFFUSE_OK);
    assert_int_equal(engine_scratch_new(&a, c, &kind, 8, 1, &s), DIFFUSE_OK);
    assert_int_equal(segment_scratch_new(&a, c, &kind, 8, 1, &ss), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&a, c, 8, 1, &n), DIFFUSE_OK);
    engine_forward(e, s, &batch, logits);
    net_forward(c, w, n, &batch, other);
    for (uint32_t k = 0; k < c->labels; k++)
        assert_true(fabsf(logits[k] - other[k]) < 1e-4f);
    g = segment_begin(c, arena_alloc(&a, segment_bytes(c)));
    segment_advance(e, ss, &(struct segment_feed){g, said, 3}, 1);
    segment_advance(e, ss, &(struct segment_feed){g, said + 3, 2}, 1);
    segment_logits(e, ss, &(struct segment_feed){g, said + 5, 3}, 1, other);
    assert_int_equal(segment_tokens(g), 5);
    for (uint32_t k = 0; k < c->labels; k++)
        assert_true(fabsf(logits[k] - other[k]) < 1e-4f);
    arena_done(&a);
}

/* The two parts add up; a scale of 0 leaves the wide part. */
static void test_sum(void **state) {
    real both[3], wide[3], deep[3];
    struct both b;
    struct net_config c;

    (void)state;
    make_both(&b, 3, 0.25f);
    logits_of(&b.sample.model->config, b.sample.model->weights, both);
    c = b.sample.model->config;
    c.deep_scale = 0;
    logits_of(&c, b.sample.model->weights, wide);
    c.wide = (struct wide_shape){0};
    logits_of(&c, b.sample.model->weights, deep);
    for (uint32_t k = 0; k < 3; k++)
        assert_true(fabsf(both[k] - wide[k] - 0.25f * deep[k]) < 1e-5f);
    done_both(&b);
}

static uint8_t *write_file(struct both *b, enum ckpt_type type, size_t *ret_n) {
    char path[] = "/tmp/test_wide_XXXXXX";
    struct reason why = {""};
    uint8_t *bytes;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    (void)close(fd);
    if (ckpt_write(path, b->sample.model, type, &why))
        fail_msg("%s", why.text);
    bytes = ckpt_sample_slurp(path, ret_n);
    (void)unlink(path);
    return bytes;
}

static diffuse_err load(const uint8_t *bytes, size_t n, struct arena *arena, struct model **ret,
                        struct reason *why) {
    char path[CKPT_SAMPLE_PATH];
    int fd = ckpt_sample_file(bytes, n, path);
    diffuse_err e = ckpt_read(path, NULL, CKPT_SERVE, arena, ret, why);

    (void)close(fd);
    return e;
}

static void assert_round_trip(uint32_t labels, enum ckpt_type type, float tolerance) {
    real before[4], after[4];
    struct arena arena = {0};
    struct model *m = NULL;
    struct reason why = {""};
    struct both b;
    size_t n;
    uint8_t *bytes;

    make_both(&b, labels, 0.25f);
    logits_of(&b.sample.model->config, b.sample.model->weights, before);
    bytes = write_file(&b, type, &n);
    if (load(bytes, n, &arena, &m, &why))
        fail_msg("%s", why.text);
    assert_memory_equal(&m->config.wide, &b.sample.model->config.wide, sizeof m->config.wide);
    logits_of(&m->config, m->weights, after);
    for (uint32_t k = 0; k < labels; k++)
        assert_true(fabsf(before[k] - after[k]) <= tolerance);
    free(bytes);
    arena_done(&arena);
    done_both(&b);
}

static void test_files(void **state) {
    (void)state;
    assert_round_trip(2, CKPT_F32, 0);
    assert_round_trip(3, CKPT_F32, 0);
    assert_round_trip(2, CKPT_I8, 0.1f);
    assert_round_trip(3, CKPT_F16, 0.1f);
}

/* Every byte of the wide part changed, under an id that fits: refused, or another model. */
static void test_hostile(void **state) {
    struct both b;
    size_t n, header, loaded = 0, refused = 0;
    uint8_t *bytes;

    (void)state;
    make_both(&b, 3, 0);
    bytes = write_file(&b, CKPT_F32, &n);
    header = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16;
    for (size_t at = 8 + header; at < n; at += 7) {
        struct arena arena = {0};
        struct model *m = NULL;
        struct reason why = {""};
        size_t signed_n;
        uint8_t *lie;

        bytes[at] ^= 0xff;
        lie = ckpt_sample_sign(bytes, n, NULL, &signed_n);
        if (!load(lie, signed_n, &arena, &m, &why)) {
            real logits[4];

            logits_of(&m->config, m->weights, logits);
            loaded++;
        } else {
            assert_true(why.text[0] != '\0');
            refused++;
        }
        arena_done(&arena);
        free(lie);
        bytes[at] ^= 0xff;
    }
    assert_true(loaded > 0 && refused > 0);
    free(bytes);
    done_both(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),  cmocka_unit_test(test_same_and_other),
        cmocka_unit_test(test_bytes),   cmocka_unit_test(test_forms),
        cmocka_unit_test(test_one_row), cmocka_unit_test(test_gap),
        cmocka_unit_test(test_learns),  cmocka_unit_test(test_threads),
        cmocka_unit_test(test_budget),  cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_growing), cmocka_unit_test(test_grows),
        cmocka_unit_test(test_sum),     cmocka_unit_test(test_files),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_cache),
        cmocka_unit_test(test_settle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
