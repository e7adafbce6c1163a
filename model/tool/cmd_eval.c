/* cmd_eval.c - diffuse eval: accuracy of a checkpoint on a data set's test split. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tool/commands.h"
#include "model/tool/model_args.h"
#include "model/tool/say.h"
#include "model/train/eval.h"
#include "model/train/load.h"

#define DEFAULT_LENGTH 512

struct args {
    struct model_args model;
    const char *data;
    const char *predictions;
    unsigned threads;
    bool json, train_split;
};

enum { KEY_THREADS = 0x200, KEY_TRAIN };

static const struct argp_option options[] = {
    {"data", 'd', "KIND:PATH", 0, "Data set (required); its test split is read", 0},
    {"train-split", KEY_TRAIN, 0, 0, "Read the training split instead", 0},
    {"predictions", 'p', "FILE", 0, "Write the label given to each row, one a line", 0},
    {"threads", KEY_THREADS, "N", 0, "Threads (one a core)", 0},
    {"json", 'j', 0, 0, "One JSON object instead of text", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        return 0;
    case 'd':
        a->data = arg;
        return 0;
    case 'p':
        a->predictions = arg;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case KEY_TRAIN:
        a->train_split = true;
        return 0;
    case KEY_THREADS:
        a->threads = (unsigned)strtoul(arg, NULL, 10);
        if (a->threads < 1 || a->threads > LIMIT_WORKERS)
            argp_error(state, "--threads is \"%s\", expected 1 to %u", arg, LIMIT_WORKERS);
        return 0;
    case ARGP_KEY_END:
        if (!a->data)
            argp_error(state, "--data KIND:PATH is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void tick(void *user, uint64_t done, uint64_t total) {
    say_progress_tick(user, done, total, NULL);
}

static diffuse_err read_rows(const struct args *a, const struct model *m, struct rows *rows,
                             struct reason *why) {
    struct label_set labels = {(char **)m->labels, m->config.labels, m->config.labels};
    struct say_progress progress;
    struct load load = {a->data, a->train_split ? DATASET_TRAIN : DATASET_TEST, tick, &progress};
    struct dataset_stats stats;
    diffuse_err e;

    if (!m->tokenizer)
        return reason_set(
            why, DIFFUSE_UNSUPPORTED,
            "%s has no vocabulary: give --vocab FILE, the vocab.txt it was trained with",
            a->model.path);
    say_progress_start(&progress, "reading", a->json);
    e = load_rows(&load, m->tokenizer, &labels, m->max_length ? m->max_length : DEFAULT_LENGTH,
                  rows, &stats, why);
    say_progress_end(&progress);
    if (!e && stats.bad_rows)
        fprintf(stderr, "diffuse: %llu bad rows left out, the first: %s\n",
                (unsigned long long)stats.bad_rows, stats.first_bad);
    if (!e && rows->n == 0)
        return reason_set(why, DIFFUSE_BADDATA, "%s: no rows", a->data);
    return e;
}

/* What is gathered while the rows are classified. */
struct scores {
    const struct model *model;
    size_t *count;     /* (labels,3) rows that have the label, got it, both */
    FILE *predictions; /* NULL: none are asked for */
};

static void tick_row(void *user, uint32_t label, uint32_t predicted) {
    struct scores *s = user;

    s->count[3 * label]++;
    s->count[3 * predicted + 1]++;
    s->count[3 * predicted + 2] += predicted == label;
    if (s->predictions)
        fprintf(s->predictions, "%s\n", s->model->labels[predicted]);
}

/* Mean over the labels that occur of the harmonic mean of precision and recall. */
static double macro_f1(const size_t *count, uint32_t labels) {
    double sum = 0;
    unsigned seen = 0;

    for (uint32_t k = 0; k < labels; k++)
        if (count[3 * k] + count[3 * k + 1]) {
            sum += 2.0 * (double)count[3 * k + 2] / (double)(count[3 * k] + count[3 * k + 1]);
            seen++;
        }
    return seen ? sum / seen : 0;
}

static diffuse_err close_predictions(FILE *f, const char *path, struct reason *why) {
    bool failed;

    if (!f)
        return DIFFUSE_OK;
    failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed)
        return reason_set(why, DIFFUSE_IO, "%s: writing failed: %s", path, strerror(errno));
    return DIFFUSE_OK;
}

static void print(const struct args *a, const struct model *m, const struct eval_result *r,
                  double f1) {
    double accuracy = (double)r->hits / (double)r->rows;

    if (a->json) {
        json_t *o = json_pack("{s:f, s:f, s:f, s:I, s:s}", "accuracy", accuracy, "macro_f1", f1,
                              "loss", r->loss, "n", (json_int_t)r->rows, "model", m->id);

        json_dumpf(o, stdout, JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(o);
        return;
    }
    printf("model %.12s  loss %.4f  macro-F1 %.4f\n", m->id, r->loss, f1);
    printf("accuracy %.4f n %zu\n", accuracy, r->rows);
}

static diffuse_err score(const struct args *a, const struct rows *rows, struct team *team,
                         struct scores *s, struct reason *why) {
    const struct model *m = s->model;
    struct eval_result result;
    diffuse_err e, closed;

    if (a->predictions && !(s->predictions = fopen(a->predictions, "we")))
        return reason_set(why, DIFFUSE_IO, "%s: cannot be written: %s", a->predictions,
                          strerror(errno));
    e = eval_rows(&m->config, m->weights, team, rows, tick_row, s, &result, why);
    closed = close_predictions(s->predictions, a->predictions, e ? NULL : why);
    if (e || (e = closed))
        return e;
    print(a, m, &result, macro_f1(s->count, m->config.labels));
    return DIFFUSE_OK;
}

static diffuse_err run(const struct args *a, const struct model *m, const struct rows *rows,
                       struct team *team, struct reason *why) {
    struct scores scores = {.model = m};
    diffuse_err e = DIFFUSE_NOMEM;

    scores.count = calloc(3 * (size_t)m->config.labels, sizeof *scores.count);
    if (scores.count)
        e = score(a, rows, team, &scores, why);
    free(scores.count);
    return e;
}

int cmd_eval(int argc, char **argv) {
    const struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,  parse, NULL, "Accuracy of a checkpoint on a data set.",
                              children, NULL,  NULL};
    struct args args = {.threads = team_cores()};
    struct arena arena = {0};
    struct model *model;
    struct rows rows = {0};
    struct team *team = NULL;
    struct reason why = {""};
    diffuse_err e;
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = ckpt_read(args.model.path, &args.model.hints, &arena, &model, &why)) ||
        (e = read_rows(&args, model, &rows, &why)) || (e = team_new(args.threads, &team)) ||
        (e = run(&args, model, &rows, team, &why)))
        status = say_error(e, &why);
    else
        status = 0;
    team_free(team);
    rows_done(&rows);
    arena_done(&arena);
    return status;
}
