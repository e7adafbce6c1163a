#include "model/tool/common/rows_arg.h"

#include <stdio.h>

#include "model/tool/common/say.h"
#include "model/train/rows/load.h"

#define DEFAULT_LENGTH 512

enum { KEY_TEXT_COLUMN = 0x600, KEY_LABEL_COLUMN };

static const struct argp_option column_options[] = {
    {"text-column", KEY_TEXT_COLUMN, "NAME|NUMBER", 0,
     "Column of a csv or tsv file that holds the text (text)", -2},
    {"label-column", KEY_LABEL_COLUMN, "NAME|NUMBER", 0,
     "The same for the label (label); with two numbers, from 1, the first row names no columns",
     -2},
    {0},
};

static error_t parse_columns(int key, char *arg, struct argp_state *state) {
    struct dataset_columns *c = state->input;

    switch (key) {
    case KEY_TEXT_COLUMN:
        c->text = arg;
        break;
    case KEY_LABEL_COLUMN:
        c->label = arg;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (!*arg)
        argp_error(state, "a column is \"\", expected its name or number");
    return 0;
}

const struct argp columns_argp = {column_options, parse_columns, NULL, NULL, NULL, NULL, NULL};

static void tick_bytes(void *user, uint64_t done, uint64_t total) {
    say_progress_tick(user, done, total, NULL);
}

diffuse_err rows_arg_read(const struct rows_arg *a, const char *model, const struct model *m,
                          struct rows *rows, struct reason *why) {
    struct label_set labels = {(char **)m->labels, m->config.labels, m->config.labels};
    struct say_progress progress;
    const struct load load = {.spec = a->data,
                              .split = a->split,
                              .tick = tick_bytes,
                              .user = &progress,
                              .columns = &a->columns,
                              .gaps = a->gaps};
    struct dataset_stats stats;
    diffuse_err e;

    if (!m->tokenizer)
        return reason_set(
            why, DIFFUSE_UNSUPPORTED,
            "%s has no vocabulary: give --vocab FILE, the vocab.txt it was trained with", model);
    say_progress_start(&progress, "reading", a->quiet);
    e = load_rows(&load, m->tokenizer, &labels, m->max_length ? m->max_length : DEFAULT_LENGTH,
                  rows, &stats, why);
    say_progress_end(&progress);
    if (e)
        return e;
    if (rows->n == 0)
        return load_no_rows(a->data, &stats, why);
    if (stats.suspicion[0])
        fprintf(stderr, "diffuse: %s\n", stats.suspicion);
    if (stats.bad_rows)
        fprintf(stderr, "diffuse: %llu bad rows left out, the first: %s (%llu lines in all)\n",
                (unsigned long long)stats.bad_rows, stats.first_bad,
                (unsigned long long)stats.bad_lines);
    if (rows->skipped)
        fprintf(stderr, "diffuse: %llu rows without a token left out\n",
                (unsigned long long)rows->skipped);
    return DIFFUSE_OK;
}
