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

/* Mean over the labels that occur of the harmonic mean of precision and recall. */
static double macro_f1(const struct rows *rows, const uint32_t *predicted, uint32_t labels) {
    size_t *count = calloc(3 * (size_t)labels, sizeof *count); /* true, predicted, both */
    double sum = 0;
    unsigned seen = 0;

    for (size_t i = 0; count && i < rows->n; i++) {
        count[3 * rows->label[i]]++;
        count[3 * predicted[i] + 1]++;
        count[3 * predicted[i] + 2] += predicted[i] == rows->label[i];
    }
    for (uint32_t k = 0; count && k < labels; k++)
        if (count[3 * k] + count[3 * k + 1]) {
            sum += 2.0 * (double)count[3 * k + 2] / (double)(count[3 * k] + count[3 * k + 1]);
            seen++;
        }
    free(count);
    return seen ? sum / seen : 0;
}

static int write_predictions(const char *path, const struct model *m, const uint32_t *predicted,
                             size_t n) {
    FILE *f = fopen(path, "w");
    bool failed;

    if (!f)
        return say_failed("%s: cannot be written: %s", path, strerror(errno));
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s\n", m->labels[predicted[i]]);
    failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed)
        return say_failed("%s: writing failed: %s", path, strerror(errno));
    return 0;
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

static int run(const struct args *a, struct model *m, struct rows *rows, struct team *team) {
    uint32_t *predicted = calloc(rows->n, sizeof *predicted);
    struct eval_result result;
    diffuse_err e = DIFFUSE_NOMEM;
    int status = 1;

    if (predicted)
        e = eval_rows(&m->config, m->weights, team, rows, predicted, &result);
    if (e) {
        (void)say_error(e, NULL);
    } else {
        print(a, m, &result, macro_f1(rows, predicted, m->config.labels));
        status = a->predictions ? write_predictions(a->predictions, m, predicted, rows->n) : 0;
    }
    free(predicted);
    return status;
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
        (e = read_rows(&args, model, &rows, &why)) || (e = team_new(args.threads, &team)))
        status = say_error(e, &why);
    else
        status = run(&args, model, &rows, team);
    team_free(team);
    rows_done(&rows);
    arena_done(&arena);
    return status;
}
