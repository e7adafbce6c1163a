/* test_tune_narrow.c - tuning from a model that was loaded to serve: the same lessons, and a
 * promotion whose tables take no more memory than their parent's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/ckpt/ckpt.h"
#include "model/net/net.h"
#include "model/tune/tune.h"
#include "tests/lib/ckpt_sample.h"

#define LABELS 4u
#define FILE   "/tmp/test_tune_narrow.safetensors"

struct loaded {
    struct arena arena;
    struct model *m;
};

static struct loaded load(enum ckpt_form form) {
    struct loaded l = {0};
    struct reason why = {""};
    struct ckpt *k = NULL;

    if (ckpt_open(FILE, NULL, &k, &why) || arena_init(&l.arena, ckpt_model_bytes(k, form)) ||
        ckpt_load(k, form, &l.arena, &l.m, &why))
        fail_msg("%s", why.text);
    ckpt_close(k);
    return l;
}

static void write_sample(enum ckpt_type type) {
    struct net_config c;
    struct ckpt_sample s;
    struct reason why = {""};

    ckpt_sample_config(&c);
    c.vocab = 30;
    c.width = c.head_width = 16;
    c.labels = LABELS;
    c.ngram_order = 2;
    c.ngram_rows = 50;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    if (ckpt_write(FILE, s.model, type, &why))
        fail_msg("%s", why.text);
    ckpt_sample_done(&s);
}

/* The label is that of the first token. */
static void draw(struct rng *rng, uint32_t ids[3], uint32_t *label) {
    *label = rng_below(rng, LABELS);
    ids[0] = 5 * *label + rng_below(rng, 5);
    ids[1] = 25 + rng_below(rng, 5);
    ids[2] = 25 + rng_below(rng, 5);
}

static struct tune *taught(const struct model *m) {
    struct reason why = {""};
    struct tune_options o;
    struct tune *t;
    struct rng rng;

    tune_options_init(&o);
    o.rows = 400;
    o.held = 100;
    o.rehearsal = 300;
    o.max_length = 8;
    o.lr = o.table_lr = 0.01;
    o.pull = 1;
    o.every = 64;
    if (tune_new(m, &o, &t, &why))
        fail_msg("%s", why.text);
    rng_init(&rng, 7, 0);
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t ids[3];
        struct feedback_row row = {.stream = "s", .stream_len = 1, .seq = i, .ids = ids, .n = 3};

        draw(&rng, ids, &row.label_id);
        (void)tune_hear(t, &row);
    }
    while (tune_step(t))
        ;
    return t;
}

static double accuracy(const struct model *m) {
    struct arena arena;
    struct net_scratch *scratch;
    struct rng rng;
    unsigned right = 0;

    assert_int_equal(arena_init(&arena, net_scratch_bytes(&m->config, 3, 1)), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&arena, &m->config, 3, 1, &scratch), DIFFUSE_OK);
    rng_init(&rng, 99, 9);
    for (unsigned i = 0; i < 200; i++) {
        uint32_t ids[3], label, best = 0;
        const uint32_t start[2] = {0, 3};
        real logits[LABELS];

        draw(&rng, ids, &label);
        net_forward(&m->config, m->weights, scratch, &(struct net_batch){ids, start, 1}, logits);
        for (uint32_t l = 1; l < LABELS; l++)
            best = logits[l] > logits[best] ? l : best;
        right += best == label;
    }
    arena_done(&arena);
    return right / 200.0;
}

/* From a float file, what serves teaches to the bit what the whole model does, the pull included.
 */
static void test_same_lessons(void **state) {
    struct loaded full, serve;
    struct tune *t[2];
    struct model *m[2];
    struct weights_list l;

    (void)state;
    write_sample(CKPT_F32);
    full = load(CKPT_FULL);
    serve = load(CKPT_SERVE);
    t[0] = taught(full.m);
    t[1] = taught(serve.m);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tune_candidate(t[i], &m[i], NULL), DIFFUSE_OK);
    weights_list_make(&full.m->config, &l);
    assert_memory_equal(m[0]->weights->block, m[1]->weights->block, l.entries * sizeof(real));
    assert_memory_not_equal(m[0]->weights->block, full.m->weights->block, l.entries * sizeof(real));
    tune_free(t[0]);
    tune_free(t[1]);
    arena_done(&full.arena);
    arena_done(&serve.arena);
}

/* Judged is what is promoted: the file has the parent's types, and the very numbers of the
 * candidate. */
static void test_promoted_in_the_parents_types(void **state) {
    (void)state;
    for (enum ckpt_type type = CKPT_F16; type <= CKPT_I4; type++) {
        struct reason why = {""};
        struct loaded parent, child;
        struct ckpt_types types;
        struct model *m;
        struct tune *t;
        struct tune_judgement j;
        real row[16];
        size_t rows;

        write_sample(type);
        parent = load(CKPT_SERVE);
        types = ckpt_types_like(parent.m->weights);
        assert_true(types.embed == type && types.ngram == type && types.rest == CKPT_F32);
        t = taught(parent.m);
        tune_judge(t, &j);
        assert_true(j.passes && j.candidate > j.serving);
        assert_int_equal(tune_candidate(t, &m, NULL), DIFFUSE_OK);
        if (ckpt_write_mixed(FILE, m, &types, &why))
            fail_msg("%s", why.text);
        child = load(CKPT_SERVE);
        assert_int_equal(child.m->weights->embed_table.type, parent.m->weights->embed_table.type);
        assert_true(child.arena.used <= parent.arena.used + 1024); /* a word on its provenance */
        rows = m->config.vocab + m->config.ngram_rows;
        for (size_t r = 0; r < rows; r++) {
            weights_table_row(child.m->weights, r, row);
            assert_memory_equal(row, m->weights->block + r * 16, sizeof row);
        }
        assert_true(accuracy(child.m) > (type == CKPT_I4 ? 0.85 : 0.95));
        assert_true(accuracy(parent.m) < 0.7);
        tune_free(t);
        arena_done(&parent.arena);
        arena_done(&child.arena);
    }
    (void)unlink(FILE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_lessons),
        cmocka_unit_test(test_promoted_in_the_parents_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
