/* tune_sim.c - tuning without a daemon: a labelled stream goes past a model, some of its rows come
 * back as feedback, and what is tuned is scored beside what is frozen.
 *
 *   tune_sim model=F base=KIND:PATH stream=KIND:PATH test=KIND:PATH [key=value ...]
 *
 * base: its training split is the rehearsal. stream: its training split, in its order, is heard;
 * test: its test split is scored every `report` rows. Other keys are the fields of struct
 * tune_options, and
 *   feedback=K     one row in K comes back (1)
 *   streams=S      that many streams, in turn (8)
 *   noise=P        share of feedback with a label at random
 *   liars=N        streams 0 .. N-1 give wrong labels only
 *   peek=1         say how good each candidate is on the test rows
 *   own=0|1        use the rehearsal in the checkpoint instead of base
 * Output: CSV, then a line that sums up. The tuner keeps up with the stream: after each row it
 * takes the steps that there are. Same arguments, same output, but for the time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/ckpt/ckpt.h"
#include "model/net/label.h"
#include "model/train/eval/eval.h"
#include "model/train/rows/load.h"
#include "model/tune/tune.h"

#define LENGTH 64

struct args {
    const char *model, *base, *stream, *test;
    double feedback, streams, noise, liars, report, own, peek;
    struct tune_options o;
};

struct sim {
    struct args a;
    struct arena arena;
    struct model *frozen;
    struct model slot[2];   /* that are promoted, in turn */
    struct arena memory[2]; /* of their weights */
    const struct model *serving, *previous;
    int next;                /* slot */
    struct label_set labels; /* of stream and test */
    uint32_t *id_of;         /* (labels) in the model, or UINT32_MAX */
    struct rows stream, test, base;
    struct team *team;
    struct tune *tune;
    struct arena room;
    struct net_scratch *scratch;
    real *logits;
    size_t promoted, refused, hurt, drifts, lost;
};

static void must(diffuse_err e, const struct reason *why) {
    if (!e)
        return;
    fprintf(stderr, "tune_sim: %s: %s\n", diffuse_strerror(e), why ? why->text : "");
    exit(1);
}

/* --- arguments ----------------------------------------------------------- */

static bool take_number(struct args *a, const char *key, double v) {
    struct tune_options *o = &a->o;
    const struct {
        const char *key;
        double *to;
    } real_keys[] = {{"lr", &o->lr},
                     {"table_lr", &o->table_lr},
                     {"pull", &o->pull},
                     {"visits", &o->visits},
                     {"replay", &o->replay},
                     {"dropout", &o->dropout},
                     {"embed_dropout", &o->embed_dropout},
                     {"word_dropout", &o->word_dropout},
                     {"label_smoothing", &o->label_smoothing},
                     {"feedback", &a->feedback},
                     {"streams", &a->streams},
                     {"noise", &a->noise},
                     {"liars", &a->liars},
                     {"report", &a->report},
                     {"own", &a->own},
                     {"peek", &a->peek}};
    const struct {
        const char *key;
        size_t *to;
    } size_keys[] = {{"rows", &o->rows},
                     {"held", &o->held},
                     {"rehearsal", &o->rehearsal},
                     {"max_length", &o->max_length}};
    const struct {
        const char *key;
        uint32_t *to;
    } count_keys[] = {{"new_labels", &o->new_labels}, {"batch", &o->batch}, {"every", &o->every}};

    for (size_t i = 0; i < sizeof real_keys / sizeof *real_keys; i++)
        if (strcmp(key, real_keys[i].key) == 0)
            return *real_keys[i].to = v, true;
    for (size_t i = 0; i < sizeof size_keys / sizeof *size_keys; i++)
        if (strcmp(key, size_keys[i].key) == 0)
            return *size_keys[i].to = (size_t)v, true;
    for (size_t i = 0; i < sizeof count_keys / sizeof *count_keys; i++)
        if (strcmp(key, count_keys[i].key) == 0)
            return *count_keys[i].to = (uint32_t)v, true;
    if (strcmp(key, "parts") == 0)
        return o->parts = (enum tune_parts)v, true;
    if (strcmp(key, "seed") == 0)
        return o->seed = (uint64_t)v, true;
    return false;
}

static void parse(struct args *a, int argc, char **argv) {
    *a = (struct args){.feedback = 1, .streams = 8, .report = 500};
    tune_options_init(&a->o);
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value)
            *value++ = '\0';
        if (value && strcmp(argv[i], "model") == 0)
            a->model = value;
        else if (value && strcmp(argv[i], "base") == 0)
            a->base = value;
        else if (value && strcmp(argv[i], "stream") == 0)
            a->stream = value;
        else if (value && strcmp(argv[i], "test") == 0)
            a->test = value;
        else if (!value || !take_number(a, argv[i], strtod(value, NULL))) {
            fprintf(stderr, "tune_sim: unknown argument %s\n", argv[i]);
            exit(2);
        }
    }
    if (!a->model || !a->stream || !a->test || (!a->base && a->own == 0)) {
        fprintf(stderr, "usage: tune_sim model=F base=KIND:PATH stream=KIND:PATH test=KIND:PATH\n");
        exit(2);
    }
}

/* --- data ---------------------------------------------------------------- */

static void load(struct sim *s, const char *spec, enum dataset_split split, struct rows *rows) {
    const struct load l = {.spec = spec, .split = split};
    struct dataset_stats stats;
    struct reason why = {""};

    must(load_rows(&l, s->frozen->tokenizer, &s->labels, LENGTH, rows, &stats, &why), &why);
}

static void survey(struct sim *s, const char *spec, enum dataset_split split) {
    const struct load l = {.spec = spec, .split = split};
    struct label_set found = {0};
    struct dataset_stats stats;
    struct reason why = {""};
    char *vocab;
    size_t len;
    uint32_t id;

    must(load_survey(&l, NULL, &found, &vocab, &len, &stats, &why), &why);
    for (uint32_t i = 0; i < found.n; i++)
        must(label_set_add(&s->labels, found.names[i], &id), NULL);
    label_set_done(&found);
}

static void open_all(struct sim *s) {
    struct reason why = {""};

    must(ckpt_read(s->a.model, NULL, CKPT_FULL, &s->arena, &s->frozen, &why), &why);
    must(team_new(1, &s->team, NULL), NULL);
    survey(s, s->a.stream, DATASET_TRAIN);
    survey(s, s->a.test, DATASET_TEST);
    if (s->a.base)
        survey(s, s->a.base, DATASET_TRAIN);
    load(s, s->a.stream, DATASET_TRAIN, &s->stream);
    load(s, s->a.test, DATASET_TEST, &s->test);
    if (s->a.base)
        load(s, s->a.base, DATASET_TRAIN, &s->base);
}

/* A model's weights in a slot of their own, as a reload would make them. */
static const struct model *promote(struct sim *s, const struct model *m) {
    struct arena *room = &s->memory[s->next];
    struct model *to = &s->slot[s->next];
    const char **names;
    struct weights_list l;

    s->next = !s->next;
    arena_done(room);
    must(
        arena_init(room, weights_bytes(&m->config) + arena_block(m->config.labels * sizeof *names)),
        NULL);
    *to = *m;
    must(weights_new(room, &m->config, &to->weights), NULL);
    weights_list_make(&m->config, &l);
    memcpy(to->weights->block, m->weights->block, l.entries * sizeof(real));
    names = arena_alloc(room, m->config.labels * sizeof *names);
    memcpy(names, m->labels, m->config.labels * sizeof *names);
    to->labels = names;
    (void)snprintf(to->id, sizeof to->id, "%zu", s->promoted + 1);
    return to;
}

static void begin(struct sim *s) {
    struct reason why = {""};
    uint32_t most = s->frozen->config.labels + s->a.o.new_labels;
    struct net_config c = s->frozen->config;
    uint32_t ids[LENGTH], n, label;

    if (s->a.own == 0)
        s->frozen->rehearsal = NULL;
    s->serving = s->frozen;
    must(tune_new(s->frozen, &s->a.o, &s->tune, &why), &why);
    s->id_of = calloc(s->labels.n, sizeof *s->id_of);
    for (uint32_t i = 0; i < s->labels.n; i++)
        if (tune_label(s->tune, s->labels.names[i], &s->id_of[i]))
            s->id_of[i] = UINT32_MAX;
    for (size_t r = 0; s->a.own == 0 && r < s->base.n; r++) {
        must(rows_read(&s->base, r, ids, &n, &label, &why), &why);
        tune_rehearse(s->tune, ids, n, s->id_of[label]);
    }
    must(arena_init(&s->room, net_scratch_bytes(&c, LENGTH, 1) + arena_block(most * sizeof(real))),
         NULL);
    must(net_scratch_new(&s->room, &c, LENGTH, 1, &s->scratch), NULL);
    s->logits = arena_alloc(&s->room, most * sizeof(real));
}

/* --- the stream ---------------------------------------------------------- */

static uint32_t classify(struct sim *s, const struct model *m, const uint32_t *ids, uint32_t n,
                         float *ret_sure) {
    const uint32_t start[2] = {0, n};
    const struct net_batch b = {ids, start, 1};
    uint32_t label;

    net_forward(&m->config, m->weights, s->scratch, &b, s->logits);
    label = label_softmax(s->logits, m->config.labels, m->temperature, s->logits);
    *ret_sure = s->logits[label];
    return label;
}

struct tally {
    const struct sim *s;
    size_t hits;
};

static void count_hit(void *user, uint32_t label, uint32_t predicted) {
    struct tally *t = user;

    t->hits += t->s->id_of[label] == predicted;
}

/* eval_rows wants labels below the model's: its loss is not used, labels are compared by id. */
static double accuracy(struct sim *s, const struct model *m) {
    struct tally t = {s, 0};
    uint32_t ids[LENGTH], n, label;
    float sure;
    struct reason why = {""};

    for (size_t r = 0; r < s->test.n; r++) {
        must(rows_read(&s->test, r, ids, &n, &label, &why), &why);
        count_hit(&t, label, classify(s, m, ids, n, &sure));
    }
    return s->test.n ? (double)t.hits / (double)s->test.n : 0;
}

static void serve(struct sim *s, const struct model *m, const struct model *previous) {
    struct reason why = {""};

    s->serving = m;
    s->previous = previous;
    must(tune_rebase(s->tune, m, previous, &why), &why);
}

static void tune(struct sim *s, size_t row) {
    struct tune_judgement j;
    struct model *m;
    struct reason why = {""};

    while (tune_step(s->tune))
        ;
    if (!tune_ripe(s->tune))
        return;
    must(tune_candidate(s->tune, &m, &why), &why);
    if (s->a.peek > 0)
        fprintf(stderr, "%.4f of test rows ", accuracy(s, m));
    tune_judge(s->tune, &j);
    fprintf(stderr, "%zu: %s: %s\n", row, j.passes ? "promoted" : "refused", j.verdict);
    if (!j.passes) {
        s->refused++;
        return;
    }
    s->promoted++;
    serve(s, promote(s, m), s->serving);
}

/* What comes back as the label of a row. */
static uint32_t told(struct sim *s, struct rng *rng, size_t stream, uint32_t label) {
    uint32_t labels = s->frozen->config.labels;

    if ((double)stream < s->a.liars)
        return (label + 1 + rng_below(rng, labels - 1)) % labels;
    return rng_unit(rng) < s->a.noise ? rng_below(rng, labels) : label;
}

static void hear(struct sim *s, struct rng *rng, size_t row, const struct feedback_row *as) {
    struct feedback_row heard = *as;
    char name[32];
    struct tune_note note;
    size_t stream = rng_below(rng, (uint32_t)s->a.streams);

    (void)snprintf(name, sizeof name, "robot%zu/log", stream);
    heard.stream = name;
    heard.stream_len = strlen(name);
    heard.seq = row;
    heard.label_id = told(s, rng, stream, as->label_id);
    note = tune_hear(s->tune, &heard);
    s->drifts += note.drift;
    s->lost += note.distrusted_now;
    if (note.drift)
        fprintf(stderr, "%zu: drift\n", row);
    if (note.distrusted_now)
        fprintf(stderr, "%zu: %s distrusted\n", row, name);
    if (note.hurt && s->previous) {
        fprintf(stderr, "%zu: hurt, rolled back\n", row);
        s->hurt++;
        s->next = !s->next;
        serve(s, s->previous, NULL);
    }
    tune(s, row);
}

static void run(struct sim *s) {
    struct rng rng;
    struct reason why = {""};
    size_t window[2] = {0}, all[2] = {0}, rows = 0;
    double before = accuracy(s, s->frozen);
    clock_t start = clock();
    struct tune_report report;

    rng_init(&rng, s->a.o.seed, 77);
    printf("rows,frozen_stream,tuned_stream,frozen_test,tuned_test,promoted,refused\n");
    printf("0,,,%.4f,%.4f,0,0\n", before, before);
    for (size_t r = 0; r < s->stream.n; r++) {
        uint32_t ids[LENGTH], n, label, known;
        float sure;
        struct feedback_row row;

        must(rows_read(&s->stream, r, ids, &n, &label, &why), &why);
        known = s->id_of[label];
        window[0] += classify(s, s->frozen, ids, n, &sure) == known;
        row = (struct feedback_row){.ids = ids, .n = n, .label_id = known, .judged = true};
        row.predicted = classify(s, s->serving, ids, n, &row.confidence);
        window[1] += row.predicted == known;
        rows++;
        if (known != UINT32_MAX && rng_unit(&rng) * s->a.feedback < 1)
            hear(s, &rng, r, &row);
        if (rows < (size_t)s->a.report && r + 1 < s->stream.n)
            continue;
        printf("%zu,%.4f,%.4f,%.4f,%.4f,%zu,%zu\n", r + 1, (double)window[0] / (double)rows,
               (double)window[1] / (double)rows, before, accuracy(s, s->serving), s->promoted,
               s->refused);
        (void)fflush(stdout);
        for (int i = 0; i < 2; i++) {
            all[i] += window[i];
            window[i] = 0;
        }
        rows = 0;
    }
    tune_report(s->tune, &report);
    printf("# test %.4f -> %.4f, stream %.4f -> %.4f, promoted %zu, refused %zu, hurt %zu, "
           "drifts %zu, distrusted %zu, steps %llu, %.1f s\n",
           before, accuracy(s, s->serving), (double)all[0] / (double)s->stream.n,
           (double)all[1] / (double)s->stream.n, s->promoted, s->refused, s->hurt, s->drifts,
           s->lost, (unsigned long long)report.steps,
           (double)(clock() - start) / (double)CLOCKS_PER_SEC);
}

int main(int argc, char **argv) {
    struct sim *s = calloc(1, sizeof *s);

    if (!s)
        return 1;
    parse(&s->a, argc, argv);
    open_all(s);
    begin(s);
    run(s);
    tune_free(s->tune);
    rows_done(&s->stream);
    rows_done(&s->test);
    rows_done(&s->base);
    label_set_done(&s->labels);
    team_free(s->team);
    for (int i = 0; i < 2; i++)
        arena_done(&s->memory[i]);
    arena_done(&s->room);
    arena_done(&s->arena);
    free(s->id_of);
    free(s);
    return 0;
}
