/* rows_arg.c - see rows_arg.h. */
#include "model/tool/rows_arg.h"

#include <stdio.h>

#include "model/tool/say.h"
#include "model/train/load.h"

#define DEFAULT_LENGTH 512

static void tick_bytes(void *user, uint64_t done, uint64_t total) {
    say_progress_tick(user, done, total, NULL);
}

diffuse_err rows_arg_read(const struct rows_arg *a, const char *model, const struct model *m,
                          struct rows *rows, struct reason *why) {
    struct label_set labels = {(char **)m->labels, m->config.labels, m->config.labels};
    struct say_progress progress;
    struct load load = {a->data, a->split, tick_bytes, &progress};
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
    if (!e && stats.bad_rows)
        fprintf(stderr, "diffuse: %llu bad rows left out, the first: %s\n",
                (unsigned long long)stats.bad_rows, stats.first_bad);
    if (!e && rows->n == 0)
        return reason_set(why, DIFFUSE_BADDATA, "%s: no rows", a->data);
    return e;
}
