/* cmd_eval.c - diffuse eval: how good a checkpoint is on a data set's test split. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tool/common/commands.h"
#include "model/tool/common/model_args.h"
#include "model/tool/common/rows_arg.h"
#include "model/tool/common/say.h"
#include "model/tool/common/whole_arg.h"
#include "model/tool/report/eval_print.h"
#include "model/tool/report/train_tables.h"
#include "model/train/eval/eval.h"

struct args {
    struct model_args model;
    struct dataset_columns columns;
    const char *data;
    const char *predictions, *confusion;
    unsigned threads;
    bool all, json, train_split;
};

enum { KEY_THREADS = 0x200, KEY_TRAIN, KEY_CONFUSION, KEY_ALL };

static const struct argp_option options[] = {
    {"data", 'd', "KIND:PATH", 0, "Data set (required); its test split is read", 0},
    {"train-split", KEY_TRAIN, 0, 0, "Read the training split instead", 0},
    {"predictions", 'p', "FILE", 0,
     "Write the label given to each row: the row's number, a TAB, the label. Rows are counted from "
     "1, "
     "also those that are left out",
     0},
    {"confusion", KEY_CONFUSION, "FILE", 0,
     "Write how often each label (rows) was given each label (columns), as CSV", 0},
    {"all", KEY_ALL, 0, 0, "A line for every label, also of more than 20", 0},
    {"threads", KEY_THREADS, "N", 0, "Threads (one a core)", 0},
    {"json", 'j', 0, 0, "One JSON object instead of text", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        state->child_inputs[1] = &a->columns;
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
    case KEY_CONFUSION:
        a->confusion = arg;
        return 0;
    case KEY_ALL:
        a->all = true;
        return 0;
    case KEY_TRAIN:
        a->train_split = true;
        return 0;
    case KEY_THREADS:
        a->threads = (unsigned)whole_arg("threads", arg, 1, LIMIT_WORKERS, state);
        return 0;
    case ARGP_KEY_END:
        if (!a->data)
            argp_error(state, "--data KIND:PATH is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The rows, and which of the data set's are not among them. */
struct judged {
    struct rows rows;
    struct load_gaps gaps;
};

/* What is done while the rows are classified. */
struct scores {
    const struct model *model;
    FILE *predictions;            /* NULL: none are asked for */
    const struct load_gaps *gaps; /* rows that are left out */
    size_t gap;                   /* of those, behind us */
    uint64_t number;              /* of the row before */
    struct say_progress progress;
};

static void tick_row(void *user, uint32_t label, uint32_t predicted) {
    struct scores *s = user;

    (void)label;
    s->number++;
    for (; s->gap < s->gaps->n && s->gaps->number[s->gap] == s->number; s->gap++)
        s->number++;
    if (s->predictions)
        fprintf(s->predictions, "%" PRIu64 "\t%s\n", s->number, s->model->labels[predicted]);
}

static void tick_progress(void *user, size_t done, size_t total) {
    struct scores *s = user;

    say_progress_tick(&s->progress, done, total, NULL);
}

static diffuse_err open_to_write(const char *path, FILE **ret_file, struct reason *why) {
    *ret_file = fopen(path, "we");
    if (*ret_file)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_IO, "%s: cannot be written: %s", path, strerror(errno));
}

static diffuse_err close_written(FILE *f, const char *path, struct reason *why) {
    bool failed = ferror(f) != 0;

    if (fclose(f) != 0 || failed)
        return reason_set(why, DIFFUSE_IO, "%s: writing failed: %s", path, strerror(errno));
    return DIFFUSE_OK;
}

/* Fill metrics and, when asked for, the file of predictions. */
static diffuse_err score(const struct args *a, const struct model *m, const struct judged *j,
                         struct team *team, struct quality *metrics, struct reason *why) {
    struct scores s = {.model = m, .gaps = &j->gaps};
    struct engine_kind kind;
    const struct eval_watch watch = {tick_row, tick_progress, &s, &kind};
    diffuse_err e, closed = DIFFUSE_OK;

    if ((e = model_args_kind(&a->model, m, &kind, why)))
        return e;
    if (a->predictions && (e = open_to_write(a->predictions, &s.predictions, why)))
        return e;
    say_progress_start(&s.progress, "classifying", a->json);
    e = eval_judge(&m->config, m->weights, team, &j->rows, &watch, metrics, why);
    say_progress_end(&s.progress);
    if (s.predictions)
        closed = close_written(s.predictions, a->predictions, e ? NULL : why);
    return e ? e : closed;
}

static diffuse_err write_confusion(const char *path, const struct model *m,
                                   const struct quality *metrics, struct reason *why) {
    FILE *f;
    diffuse_err e = open_to_write(path, &f, why);

    if (e)
        return e;
    train_tables_confusion(f, m->labels, metrics);
    return close_written(f, path, why);
}

static diffuse_err print(const struct args *a, const struct model *m,
                         const struct quality *metrics) {
    uint32_t labels = m->config.labels;
    struct quality_class *class = calloc(labels, sizeof *class);
    uint32_t *worst = calloc(labels, sizeof *worst);
    struct eval_print p = {
        .model = m, .metrics = metrics, .class = class, .worst = worst, .all = a->all};
    diffuse_err e = class && worst ? DIFFUSE_OK : DIFFUSE_NOMEM;

    if (!e) {
        quality_classes(metrics, class);
        p.occurring = quality_worst_first(class, labels, worst);
        if (a->json)
            e = eval_print_json(stdout, &p);
        else
            eval_print_text(stdout, &p);
    }
    free(class);
    free(worst);
    return e;
}

static diffuse_err run(const struct args *a, const struct model *m, const struct judged *j,
                       struct team *team, struct reason *why) {
    struct quality metrics;
    diffuse_err e = quality_init(&metrics, m->config.labels, (double)m->temperature);

    if (!e)
        e = score(a, m, j, team, &metrics, why);
    if (!e && a->confusion)
        e = write_confusion(a->confusion, m, &metrics, why);
    if (!e)
        e = print(a, m, &metrics);
    quality_done(&metrics);
    return e;
}

static diffuse_err read_rows(const struct args *a, const struct model *m, struct judged *j,
                             struct reason *why) {
    const struct rows_arg arg = {.data = a->data,
                                 .split = a->train_split ? DATASET_TRAIN : DATASET_TEST,
                                 .quiet = a->json,
                                 .columns = a->columns,
                                 .gaps = &j->gaps};

    return rows_arg_read(&arg, a->model.path, m, &j->rows, why);
}

int cmd_eval(int argc, char **argv) {
    const struct argp_child children[] = {
        {&model_argp, 0, NULL, 0}, {&columns_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,  parse, NULL, "How good a checkpoint is on a data set.",
                              children, NULL,  NULL};
    struct args args = {.threads = team_cores()};
    struct arena arena = {0};
    struct model *model;
    struct judged judged = {0};
    struct team *team = NULL;
    struct reason why = {""};
    diffuse_err e;
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = ckpt_read(args.model.path, &args.model.hints, CKPT_SERVE, &arena, &model, &why)) ||
        (e = read_rows(&args, model, &judged, &why)) || (e = team_new(args.threads, &team, &why)) ||
        (e = run(&args, model, &judged, team, &why)))
        status = say_error(e, &why);
    else
        status = 0;
    team_free(team);
    rows_done(&judged.rows);
    load_gaps_done(&judged.gaps);
    arena_done(&arena);
    return status;
}
