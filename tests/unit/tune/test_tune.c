/* test_tune.c - a model learns from feedback: what is kept where, the candidate, the gate,
 * promotion, rollback, new labels, liars. */
#include <malloc.h>
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
#include "model/net/net.h"
#include "model/train/wide/wide_fit.h"
#include "model/tune/tune.h"
#include "tests/lib/ckpt_sample.h"

#define VOCAB  30u
#define LABELS 4u

/* A row's label is that of its first token: tokens below 20, five for each label. */
struct example {
    uint32_t ids[3], label;
};

static struct example example(struct rng *rng, uint32_t labels) {
    struct example x = {.label = rng_below(rng, labels)};

    x.ids[0] = 5 * x.label + rng_below(rng, 5);
    x.ids[1] = 25 + rng_below(rng, 5);
    x.ids[2] = 25 + rng_below(rng, 5);
    return x;
}

static struct net_config shape(void) {
    struct net_config c;

    ckpt_sample_config(&c);
    c.vocab = VOCAB;
    c.width = c.head_width = 16;
    c.labels = LABELS;
    c.steps = 0;
    return c;
}

static struct tune_options small(void) {
    struct tune_options o;

    tune_options_init(&o);
    o.rows = 400;
    o.held = 100;
    o.rehearsal = 300;
    o.max_length = 8;
    o.streams = 16;
    o.lr = o.table_lr = 0.01;
    o.pull = 0;
    o.every = 64;
    o.embed_dropout = o.word_dropout = o.dropout = 0;
    return o;
}

static struct tune *make(const struct model *m, const struct tune_options *o) {
    struct tune *t;
    struct reason why = {""};

    if (tune_new(m, o, &t, &why))
        fail_msg("%s", why.text);
    return t;
}

static struct tune_note hear(struct tune *t, const char *stream, uint64_t seq,
                             const struct example *x, uint32_t label) {
    const struct feedback_row row = {.stream = stream,
                                     .stream_len = strlen(stream),
                                     .seq = seq,
                                     .ids = x->ids,
                                     .n = 3,
                                     .label_id = label};

    return tune_hear(t, &row);
}

/* n rows of honest feedback from four streams, labels below that. */
static void teach(struct tune *t, uint64_t seed, unsigned n, uint32_t labels) {
    struct rng rng;
    char name[8];

    rng_init(&rng, seed, 2);
    for (unsigned i = 0; i < n; i++) {
        struct example x = example(&rng, labels);

        (void)snprintf(name, sizeof name, "s%u", i % 4);
        (void)hear(t, name, seed << 32 | i, &x, x.label);
    }
}

static void learn(struct tune *t) {
    while (tune_step(t))
        ;
}

static double accuracy(const struct model *m, uint32_t labels) {
    struct arena arena;
    struct net_scratch *scratch;
    struct rng rng;
    real logits[LABELS + 4];
    unsigned right = 0;

    assert_int_equal(arena_init(&arena, net_scratch_bytes(&m->config, 3, 1)), DIFFUSE_OK);
    assert_int_equal(net_scratch_new(&arena, &m->config, 3, 1, &scratch), DIFFUSE_OK);
    rng_init(&rng, 99, 9);
    for (unsigned i = 0; i < 200; i++) {
        struct example x = example(&rng, labels);
        const uint32_t start[2] = {0, 3};
        const struct net_batch b = {x.ids, start, 1};
        uint32_t best = 0;

        net_forward(&m->config, m->weights, scratch, &b, logits);
        for (uint32_t l = 1; l < m->config.labels; l++)
            best = logits[l] > logits[best] ? l : best;
        right += best == x.label;
    }
    arena_done(&arena);
    return right / 200.0;
}

/* A copy of the candidate, as a promotion loads it. */
struct loaded_model {
    struct arena arena;
    struct model m;
    char names[LABELS + 4][LIMIT_LABEL_BYTES + 1];
    const char *labels[LABELS + 4];
};

static void promote(struct tune *t, struct loaded_model *s, const char *id) {
    struct model *m;
    struct weights_list l;

    assert_int_equal(tune_candidate(t, &m, NULL), DIFFUSE_OK);
    assert_int_equal(arena_init(&s->arena, weights_bytes(&m->config)), DIFFUSE_OK);
    s->m = *m;
    assert_int_equal(weights_new(&s->arena, &m->config, &s->m.weights), DIFFUSE_OK);
    weights_list_make(&m->config, &l);
    memcpy(s->m.weights->block, m->weights->block, l.entries * sizeof(real));
    for (uint32_t i = 0; i < m->config.labels; i++) {
        (void)snprintf(s->names[i], sizeof s->names[i], "%s", m->labels[i]);
        s->labels[i] = s->names[i];
    }
    s->m.labels = s->labels;
    (void)snprintf(s->m.id, sizeof s->m.id, "%s", id);
}

static void spoil(struct model *m) {
    for (uint32_t i = 0; i < m->config.labels * m->config.head_width; i++)
        m->weights->head_out[i] = -m->weights->head_out[i];
}

/* A model that knows its task, and a tuner that serves it, with rehearsal. */
struct known {
    struct ckpt_sample start;
    struct loaded_model slot;
    struct tune *t;
};

static void known_init(struct known *k, const struct tune_options *o) {
    const struct net_config c = shape();
    struct tune_judgement j;
    struct rng rng;
    struct tune *t;

    ckpt_sample_make(&k->start, &c, TOKENIZER_SYMBOL, 1);
    t = make(k->start.model, o);
    teach(t, 1, 400, LABELS);
    learn(t);
    assert_true(tune_ripe(t));
    tune_judge(t, &j);
    if (!j.passes)
        fail_msg("%s", j.verdict);
    promote(t, &k->slot, "first");
    k->slot.m.parent[0] = '\0';
    tune_free(t);
    assert_true(accuracy(&k->slot.m, LABELS) > 0.97);
    k->t = make(&k->slot.m, o);
    rng_init(&rng, 5, 5);
    for (unsigned i = 0; i < 500; i++) {
        struct example x = example(&rng, LABELS);

        tune_rehearse(k->t, x.ids, 3, x.label);
    }
}

static void known_done(struct known *k) {
    tune_free(k->t);
    arena_done(&k->slot.arena);
    ckpt_sample_done(&k->start);
}

/* --- learning ------------------------------------------------------------ */

static void test_nothing_to_learn_from(void **state) {
    const struct net_config c = shape();
    const struct tune_options o = small();
    struct ckpt_sample s;
    struct tune_judgement j;
    struct model *m;
    struct tune *t;

    (void)state;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    t = make(s.model, &o);
    assert_false(tune_step(t));
    assert_false(tune_ripe(t));
    tune_judge(t, &j);
    assert_false(j.passes);
    assert_int_equal(tune_candidate(t, &m, NULL), DIFFUSE_NOTFOUND);
    teach(t, 1, o.every / 2, LABELS);
    assert_false(tune_step(t));
    tune_free(t);
    ckpt_sample_done(&s);
}

static void test_it_learns_and_says_from_what(void **state) {
    const struct net_config c = shape();
    const struct tune_options o = small();
    struct ckpt_sample s;
    struct tune_judgement j;
    struct tune_report r;
    struct model *m;
    struct tune *t;
    double before;

    (void)state;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    before = accuracy(s.model, LABELS);
    t = make(s.model, &o);
    teach(t, 1, 400, LABELS);
    learn(t);
    tune_judge(t, &j);
    assert_true(j.passes && j.candidate > j.serving && j.p_better < 1e-3 && j.p_worse > 0.9);
    assert_false(tune_ripe(t));
    assert_int_equal(tune_candidate(t, &m, NULL), DIFFUSE_OK);
    assert_true(accuracy(m, LABELS) > 0.97 && before < 0.7);
    assert_true(accuracy(s.model, LABELS) == before); /* what serves is left alone */
    assert_string_equal(m->parent, s.model->id);
    assert_non_null(strstr(m->provenance, "\"rows_feedback\""));
    tune_report(t, &r);
    assert_int_equal(r.rows_train + r.rows_held, 400);
    assert_in_range(r.rows_held, 30, 75);
    assert_int_equal(r.rows_new, r.rows_train);
    assert_true(r.steps > 0);
    tune_free(t);
    ckpt_sample_done(&s);
}

/* The candidate's bits after the same calls. */
static void test_same_seed_same_bits(void **state) {
    const struct net_config c = shape();
    struct tune_options o = small();
    struct ckpt_sample s;
    struct model *m[2];
    struct tune *t[3];
    struct weights_list l;

    (void)state;
    o.dropout = o.embed_dropout = o.word_dropout = 0.3;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    weights_list_make(&c, &l);
    for (unsigned i = 0; i < 3; i++) {
        o.seed = i == 2 ? 8 : 7;
        t[i] = make(s.model, &o);
        teach(t[i], 1, 200, LABELS);
        learn(t[i]);
    }
    assert_int_equal(tune_candidate(t[0], &m[0], NULL), DIFFUSE_OK);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(tune_candidate(t[i], &m[1], NULL), DIFFUSE_OK);
        assert_int_equal(
            memcmp(m[0]->weights->block, m[1]->weights->block, l.entries * sizeof(real)) != 0,
            i == 2);
    }
    for (unsigned i = 0; i < 3; i++)
        tune_free(t[i]);
    ckpt_sample_done(&s);
}

/* What rests keeps its bits, what is trained does not. */
static void test_parts(void **state) {
    const struct net_config c = shape();
    struct ckpt_sample s;
    struct weights_list l;

    (void)state;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    weights_list_make(&c, &l);
    for (int parts = TUNE_HEAD; parts <= TUNE_ALL; parts++) {
        struct tune_options o = small();
        struct model *m;
        struct tune *t;

        o.parts = (enum tune_parts)parts;
        t = make(s.model, &o);
        teach(t, 1, 200, LABELS);
        learn(t);
        assert_int_equal(tune_candidate(t, &m, NULL), DIFFUSE_OK);
        for (size_t i = 0; i < l.n; i++) {
            const struct weights_tensor *w = &l.tensor[i];
            bool moved = memcmp(m->weights->block + w->offset, s.model->weights->block + w->offset,
                                w->count * sizeof(real)) != 0;

            assert_int_equal(moved, w->part == WEIGHTS_PART_HEAD || parts == TUNE_ALL);
        }
        tune_free(t);
    }
    ckpt_sample_done(&s);
}

/* With a pull little moves far. */
static void test_pull_holds_back(void **state) {
    const struct net_config c = shape();
    struct ckpt_sample s;
    double moved[2] = {0};

    (void)state;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    for (unsigned k = 0; k < 2; k++) {
        struct tune_options o = small();
        struct model *m;
        struct tune *t;

        o.pull = k ? 40 : 0;
        t = make(s.model, &o);
        teach(t, 1, 200, LABELS);
        learn(t);
        assert_int_equal(tune_candidate(t, &m, NULL), DIFFUSE_OK);
        for (size_t i = 0; i < (size_t)VOCAB * c.width; i++) {
            double d = (double)(m->weights->block[i] - s.model->weights->block[i]);

            moved[k] += d * d;
        }
        tune_free(t);
    }
    assert_true(moved[1] < moved[0] / 4);
    ckpt_sample_done(&s);
}

/* --- memory -------------------------------------------------------------- */

static size_t allocated(void) {
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* After every kind of call, growth too. Under a sanitizer the allocator counts nothing. */
static void test_bytes_are_a_bound(void **state) {
    struct net_config c = shape();

    (void)state;
    c.vocab = 2000;
    c.width = c.head_width = 32;
    for (int parts = TUNE_HEAD; parts <= TUNE_ALL; parts++) {
        struct tune_options o = small();
        struct ckpt_sample s;
        struct tune *t;
        size_t before, most;
        uint32_t label;

        o.parts = (enum tune_parts)parts;
        o.new_labels = 3;
        ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
        before = allocated();
        t = make(s.model, &o);
        most = allocated() - before;
        assert_int_equal(tune_label(t, "more", &label), DIFFUSE_OK);
        teach(t, 1, 300, LABELS);
        learn(t);
        most = allocated() - before > most ? allocated() - before : most;
        print_message("parts %d: %zu bytes of %zu\n", parts, most, tune_bytes(&c, &o));
        assert_true(most <= tune_bytes(&c, &o));
        assert_true(most == 0 || most > tune_bytes(&c, &o) / 2);
        tune_free(t);
        assert_true(allocated() <= before + 4096);
        ckpt_sample_done(&s);
    }
}

/* Without the tables their moments and gradients take no room. */
static void test_tables_at_rest_take_one_copy(void **state) {
    struct net_config c = shape();
    struct tune_options o = small();
    size_t tables = (size_t)100000 * c.width * sizeof(real), all, body;

    (void)state;
    c.vocab = 100000;
    all = tune_bytes(&c, &o);
    o.parts = TUNE_BODY;
    body = tune_bytes(&c, &o);
    assert_true(all - body >= 2 * tables);
    assert_true(body >= tables && body < tables + tables / 2);
}

/* --- where a row goes ---------------------------------------------------- */

static void test_a_row_lands_where_it_did_before(void **state) {
    struct known k;
    struct tune_options o = small();
    enum tune_place place[300];
    struct example x[300];
    struct rng rng;
    struct tune *again;
    unsigned held = 0;

    (void)state;
    known_init(&k, &o);
    rng_init(&rng, 3, 3);
    for (unsigned i = 0; i < 300; i++) {
        x[i] = example(&rng, LABELS);
        place[i] = hear(k.t, "s", i, &x[i], x[i].label).place;
        held += place[i] == TUNE_HELD;
    }
    assert_in_range(held, 20, 60);
    o.seed = 77;
    again = make(&k.slot.m, &o);
    for (unsigned i = 300; i-- > 0;)
        assert_int_equal(hear(again, "s", i, &x[i], x[i].label).place, place[i]);
    tune_free(again);
    known_done(&k);
}

/* Every label wrong: distrusted after a few rows, said once, and nothing of it stays. */
static void test_a_liar_is_shut_out(void **state) {
    struct known k;
    const struct tune_options o = small();
    struct tune_report r;
    struct tune_stream streams[4];
    struct rng rng;
    unsigned said = 0, taken = 0;

    (void)state;
    known_init(&k, &o);
    teach(k.t, 2, 100, LABELS);
    rng_init(&rng, 4, 4);
    for (unsigned i = 0; i < 50; i++) {
        struct example x = example(&rng, LABELS);
        struct tune_note note = hear(k.t, "liar", i, &x, (x.label + 1) % LABELS);

        said += note.distrusted_now;
        taken += note.place != TUNE_DISTRUSTED;
    }
    assert_int_equal(said, 1);
    assert_true(taken < 15);
    tune_report(k.t, &r);
    assert_int_equal(r.rows_train + r.rows_held, 100);
    assert_int_equal(tune_streams(k.t, streams, 4), 5);
    assert_string_equal(streams[0].name, "liar");
    assert_true(streams[0].distrusted && streams[0].contested > 30 && streams[0].feedback == 50);
    for (unsigned i = 1; i < 4; i++)
        assert_true(!streams[i].distrusted && streams[i].trust >= streams[i - 1].trust);
    known_done(&k);
}

/* --- the gate and after -------------------------------------------------- */

static void test_a_sabotaged_candidate_is_refused(void **state) {
    struct known k;
    const struct tune_options o = small();
    struct tune_judgement j;
    struct model *m;

    (void)state;
    known_init(&k, &o);
    teach(k.t, 2, 300, LABELS);
    learn(k.t);
    assert_int_equal(tune_candidate(k.t, &m, NULL), DIFFUSE_OK);
    spoil(m);
    tune_judge(k.t, &j);
    assert_false(j.passes);
    assert_true(j.p_worse < 1e-6 && j.candidate < j.serving);
    assert_non_null(strstr(j.verdict, "worse on rehearsal"));
    assert_int_equal(tune_candidate(k.t, &m, NULL), DIFFUSE_NOTFOUND); /* given up */
    known_done(&k);
}

static void test_a_harmful_promotion_is_noticed(void **state) {
    struct known k;
    const struct tune_options o = small();
    struct loaded_model bad;
    struct rng rng;
    unsigned hurt = 0;

    (void)state;
    known_init(&k, &o);
    teach(k.t, 2, 100, LABELS);
    learn(k.t);
    promote(k.t, &bad, "bad");
    (void)snprintf(bad.m.parent, sizeof bad.m.parent, "first");
    spoil(&bad.m);
    assert_int_equal(tune_rebase(k.t, &bad.m, &k.slot.m, NULL), DIFFUSE_OK);
    rng_init(&rng, 8, 8);
    for (unsigned i = 0; i < 60; i++) {
        struct example x = example(&rng, LABELS);
        const struct feedback_row row = {.stream = "s",
                                         .stream_len = 1,
                                         .seq = i,
                                         .ids = x.ids,
                                         .n = 3,
                                         .label_id = x.label,
                                         .predicted = (x.label + 1) % LABELS,
                                         .confidence =
                                             0.5f, /* not sure: the stream keeps its trust */
                                         .judged = true};

        hurt += tune_hear(k.t, &row).hurt;
    }
    assert_int_equal(hurt, 1);
    assert_int_equal(tune_rebase(k.t, &k.slot.m, NULL, NULL), DIFFUSE_OK);
    assert_false(tune_step(k.t)); /* after a rollback it waits for new rows */
    arena_done(&bad.arena);
    known_done(&k);
}

static void test_reset_forgets(void **state) {
    struct known k;
    const struct tune_options o = small();
    struct tune_report r;

    (void)state;
    known_init(&k, &o);
    teach(k.t, 2, 300, LABELS);
    (void)tune_step(k.t);
    tune_reset(k.t);
    tune_report(k.t, &r);
    assert_int_equal(r.rows_train + r.rows_held + r.rows_new + r.streams + r.recent_rows, 0);
    assert_int_equal(r.rows_rehearsal, 300);
    assert_false(tune_step(k.t));
    teach(k.t, 3, 300, LABELS);
    assert_true(tune_step(k.t));
    known_done(&k);
}

/* --- labels -------------------------------------------------------------- */

static void test_a_new_label_is_learned(void **state) {
    struct known k;
    struct tune_options o = small();
    struct tune_judgement j;
    struct loaded_model grown;
    struct reason why = {""};
    uint32_t label;

    (void)state;
    o.new_labels = 2;
    known_init(&k, &o);
    assert_int_equal(tune_label(k.t, "label 2", &label), DIFFUSE_OK);
    assert_int_equal(label, 2);
    assert_int_equal(tune_label(k.t, "door", &label), DIFFUSE_OK);
    assert_int_equal(label, LABELS);
    assert_int_equal(tune_label(k.t, "door", &label), DIFFUSE_OK);
    assert_int_equal(label, LABELS);
    assert_int_equal(tune_label(k.t, "a\nb", &label), DIFFUSE_NOTFOUND);
    assert_int_equal(tune_label(k.t, "window", &label), DIFFUSE_OK);
    assert_int_equal(tune_label(k.t, "roof", &label), DIFFUSE_NOTFOUND);
    teach(k.t, 2, 400, LABELS + 1);
    learn(k.t);
    tune_judge(k.t, &j);
    if (!j.passes)
        fail_msg("%s", j.verdict);
    promote(k.t, &grown, "grown");
    assert_int_equal(grown.m.config.labels, LABELS + 2);
    assert_string_equal(grown.m.labels[LABELS], "door");
    assert_string_equal(grown.m.labels[LABELS + 1], "window");
    assert_true(accuracy(&grown.m, LABELS + 1) > 0.95);
    if (tune_rebase(k.t, &grown.m, &k.slot.m, &why))
        fail_msg("%s", why.text);
    teach(k.t, 3, 300, LABELS + 1); /* learns on from the wider model */
    learn(k.t);
    tune_judge(k.t, &j);
    assert_true(j.rows > 0);
    if (tune_rebase(k.t, &k.slot.m, NULL, &why)) /* and back */
        fail_msg("%s", why.text);
    assert_int_equal(tune_label(k.t, "door", &label), DIFFUSE_OK);
    assert_int_equal(label, LABELS);
    arena_done(&grown.arena);
    known_done(&k);
}

/* Rows of the head that nobody taught do not fire. */
static void test_an_untaught_label_is_not_said(void **state) {
    struct known k;
    struct tune_options o = small();
    struct model *m;
    uint32_t label;

    (void)state;
    o.new_labels = 1;
    known_init(&k, &o);
    assert_int_equal(tune_label(k.t, "never", &label), DIFFUSE_OK);
    teach(k.t, 2, 100, LABELS);
    learn(k.t);
    assert_int_equal(tune_candidate(k.t, &m, NULL), DIFFUSE_OK);
    assert_int_equal(m->config.labels, LABELS + 1);
    assert_true(accuracy(m, LABELS) > 0.97);
    known_done(&k);
}

/* --- a wide part --------------------------------------------------------- */

/* A wide part that knows `labels` labels, and a deep one that knows nothing. */
struct wide_known {
    struct ckpt_sample start;
    struct wide_fit fit;
};

static void wide_known_init(struct wide_known *w, uint32_t labels) {
    const struct wide_fit_options o = {.seed = 3};
    struct net_config c = shape();
    struct team *team;
    struct rows rows;
    struct rng rng;

    c.labels = labels;
    ckpt_sample_make(&w->start, &c, TOKENIZER_WORDPIECE, 1);
    assert_int_equal(team_new(1, &team, NULL), DIFFUSE_OK);
    assert_int_equal(rows_init(&rows, VOCAB, ROWS_MEMORY), DIFFUSE_OK);
    rng_init(&rng, 7, 7);
    for (unsigned i = 0; i < 300; i++) {
        struct example x = example(&rng, labels);

        assert_int_equal(rows_append(&rows, x.ids, 3, x.label, NULL), DIFFUSE_OK);
    }
    assert_int_equal(wide_fit(&rows, w->start.model->tokenizer, labels, &o, team, &w->fit, NULL),
                     DIFFUSE_OK);
    rows_done(&rows);
    team_free(team);
    w->start.model->wide = w->fit.wide;
    w->start.model->weights->wide = w->fit.wide;
    w->start.model->config.wide = w->fit.wide->shape;
    w->start.model->config.deep_scale = 0.5f;
    assert_true(accuracy(w->start.model, labels) > 0.9);
}

static void wide_known_done(struct wide_known *w) {
    wide_fit_done(&w->fit);
    ckpt_sample_done(&w->start);
}

/* The candidate as it comes from its file. */
static struct model *through_a_file(struct tune *t, const struct model *serving,
                                    struct arena *arena) {
    const struct ckpt_types types = ckpt_types_like(serving->weights);
    char path[] = "/tmp/test_tune_XXXXXX";
    struct model *candidate, *m = NULL;
    struct reason why = {""};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(tune_candidate(t, &candidate, NULL), DIFFUSE_OK);
    if (ckpt_write_mixed(path, candidate, &types, &why) ||
        ckpt_read(path, NULL, CKPT_SERVE, arena, &m, &why))
        fail_msg("%s", why.text);
    (void)close(fd);
    (void)unlink(path);
    return m;
}

static void grow_beside_a_wide_part(uint32_t labels) {
    struct tune_options o = small();
    struct arena arena = {0};
    struct tune_judgement j;
    struct wide_known w;
    struct reason why = {""};
    struct model *grown;
    struct tune *t;
    struct rng rng;
    uint32_t label;
    double before;

    o.new_labels = 2;
    wide_known_init(&w, labels);
    before = accuracy(w.start.model, labels + 1);
    t = make(w.start.model, &o);
    rng_init(&rng, 5, 5);
    for (unsigned i = 0; i < 500; i++) {
        struct example x = example(&rng, labels);

        tune_rehearse(t, x.ids, 3, x.label);
    }
    assert_int_equal(tune_label(t, "door", &label), DIFFUSE_OK);
    assert_int_equal(label, labels);
    assert_int_equal(tune_label(t, "never", &label), DIFFUSE_OK);
    teach(t, 2, 400, labels + 1);
    learn(t);
    tune_judge(t, &j);
    if (!j.passes)
        fail_msg("%s", j.verdict);
    grown = through_a_file(t, w.start.model, &arena);
    assert_int_equal(grown->config.labels, labels + 2);
    assert_int_equal(grown->config.wide.labels, labels + 2);
    assert_true(accuracy(grown, labels + 1) > 0.95 && before < 0.9);
    assert_true(accuracy(grown, labels) > 0.95);
    if (tune_rebase(t, grown, w.start.model, &why))
        fail_msg("%s", why.text);
    teach(t, 3, 300, labels + 1); /* learns on from the wider model */
    learn(t);
    tune_judge(t, &j);
    assert_true(j.rows > 0 && j.candidate * 100 > j.rows * 95);
    if (tune_rebase(t, w.start.model, NULL, &why)) /* and back */
        fail_msg("%s", why.text);
    teach(t, 4, 300, labels + 1);
    learn(t);
    tune_judge(t, &j);
    assert_true(j.passes);
    tune_free(t);
    arena_done(&arena);
    wide_known_done(&w);
}

/* A label that the wide part lacks comes to be said, through the sum, and the others stay. */
static void test_a_new_label_beside_a_wide_part(void **state) {
    (void)state;
    grow_beside_a_wide_part(LABELS);
    grow_beside_a_wide_part(2); /* which share a column */
}

/* Another wide part is another shape; without a deep part nothing learns. */
static void test_wide_strangers_are_refused(void **state) {
    const struct tune_options o = small();
    struct reason why = {""};
    struct wide_known w;
    struct model other;
    struct tune *t;

    (void)state;
    wide_known_init(&w, LABELS);
    t = make(w.start.model, &o);
    other = *w.start.model;
    other.config.deep_scale = 1;
    assert_int_equal(tune_rebase(t, &other, NULL, &why), DIFFUSE_INVAL);
    other = *w.start.model;
    other.config.wide = (struct wide_shape){0};
    assert_int_equal(tune_rebase(t, &other, NULL, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "shape"));
    tune_free(t);
    w.start.model->config.deep_scale = 0;
    assert_int_equal(tune_new(w.start.model, &o, &t, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "wide part alone"));
    wide_known_done(&w);
}

/* --- what is refused ----------------------------------------------------- */

static void refuses(struct tune *t, const struct model *m, const char *words) {
    struct reason why = {""};

    assert_int_equal(tune_rebase(t, m, NULL, &why), DIFFUSE_INVAL);
    if (!strstr(why.text, words))
        fail_msg("%s", why.text);
}

static void test_strangers_are_refused(void **state) {
    struct known k;
    const struct tune_options o = small();
    struct net_config c = shape();
    struct ckpt_sample other;
    struct reason why = {""};

    (void)state;
    known_init(&k, &o);
    c.width = 8;
    ckpt_sample_make(&other, &c, TOKENIZER_SYMBOL, 1);
    refuses(k.t, other.model, "shape");
    ckpt_sample_done(&other);
    c = shape();
    ckpt_sample_make(&other, &c, TOKENIZER_WORDPIECE, 1);
    refuses(k.t, other.model, "vocabulary");
    ckpt_sample_done(&other);
    ckpt_sample_make(&other, &c, TOKENIZER_SYMBOL, 1);
    other.model->labels[1] = "other";
    refuses(k.t, other.model, "label 1");
    ckpt_sample_done(&other);
    c.labels = LABELS + 1;
    ckpt_sample_make(&other, &c, TOKENIZER_SYMBOL, 1);
    refuses(k.t, other.model, "5 labels");
    ckpt_sample_done(&other);
    c = shape();
    ckpt_sample_make(&other, &c, TOKENIZER_SYMBOL, 2);
    if (tune_rebase(k.t, other.model, NULL, &why))
        fail_msg("%s", why.text);
    ckpt_sample_done(&other);
    known_done(&k);
}

static void test_options_are_checked(void **state) {
    const struct net_config c = shape();
    struct ckpt_sample s;
    struct tune_options o[6];
    struct tune *t;

    (void)state;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    for (unsigned i = 0; i < 6; i++)
        o[i] = small();
    o[0].rows = 0;
    o[1].max_length = 0;
    o[2].new_labels = LIMIT_LABELS;
    o[3].lr = -1;
    o[4].replay = 1.5;
    o[5].streams = 0;
    for (unsigned i = 0; i < 6; i++) {
        struct reason why = {""};

        assert_int_equal(tune_new(s.model, &o[i], &t, &why), DIFFUSE_INVAL);
        assert_true(why.text[0] != '\0');
    }
    ckpt_sample_done(&s);
}

/* Rows that came with the checkpoint are taken up; long ones are cut. */
static void test_own_rehearsal(void **state) {
    const struct net_config c = shape();
    const struct tune_options o = small();
    uint32_t start[41], label[40];
    uint16_t ids[40 * 20];
    const struct rehearsal h = {
        .rows = 40, .longest = 20, .start = start, .label = label, .ids = ids};
    struct ckpt_sample s;
    struct tune_report r;
    struct tune *t;

    (void)state;
    for (uint32_t i = 0; i < 40 * 20; i++)
        ids[i] = (uint16_t)((i * 7 + i / 20) % VOCAB);
    for (uint32_t i = 0; i < 40; i++) {
        start[i] = 20 * i;
        label[i] = i % LABELS;
    }
    start[40] = 40 * 20;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, 1);
    s.model->rehearsal = &h;
    t = make(s.model, &o);
    tune_report(t, &r);
    assert_int_equal(r.rows_rehearsal, 40);
    tune_free(t);
    ckpt_sample_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_learn_from),
        cmocka_unit_test(test_it_learns_and_says_from_what),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_pull_holds_back),
        cmocka_unit_test(test_bytes_are_a_bound),
        cmocka_unit_test(test_tables_at_rest_take_one_copy),
        cmocka_unit_test(test_a_row_lands_where_it_did_before),
        cmocka_unit_test(test_a_liar_is_shut_out),
        cmocka_unit_test(test_a_sabotaged_candidate_is_refused),
        cmocka_unit_test(test_a_harmful_promotion_is_noticed),
        cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_a_new_label_is_learned),
        cmocka_unit_test(test_an_untaught_label_is_not_said),
        cmocka_unit_test(test_a_new_label_beside_a_wide_part),
        cmocka_unit_test(test_wide_strangers_are_refused),
        cmocka_unit_test(test_strangers_are_refused),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_own_rehearsal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
