/* cmd_corpus.c - diffuse corpus: labelled robot log lines on standard output or in a file. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus/corpus.h"
#include "model/tool/common/commands.h"
#include "model/tool/common/say.h"
#include "model/tool/common/whole_arg.h"
#include "proto/standard.h"

struct args {
    struct corpus_options corpus;
    uint64_t count, skip;
    const char *out; /* NULL: standard output */
    bool labels, streams;
};

enum { KEY_LABELS = 256, KEY_STREAMS, KEY_SKIP };

static const struct argp_option options[] = {
    {"seed", 's', "N", 0, "The same seed gives the same rows everywhere (1)", 0},
    {"count", 'n', "N", 0, "Rows (1000)", 0},
    {"skip", KEY_SKIP, "N", 0, "Leave out the first N rows (0)", 0},
    {"split", 'p', "train|test", 0, "test: phrasings that train never shows (train)", 0},
    {"out", 'o', "FILE", 0, "Instead of standard output", 0},
    {"robots", 'r', "N", 0, "Size of the fleet (12)", 0},
    {"clean", 'c', 0, 0, "Without typos, cuts and other damage", 0},
    {"streams", KEY_STREAMS, 0, 0, "The stream's name as a column before the label", 0},
    {"labels", KEY_LABELS, 0, 0, "Only list the labels and what they mean", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    switch (key) {
    case 's':
        a->corpus.seed = whole_arg("seed", arg, 0, UINT64_MAX, state);
        return 0;
    case 'n':
        a->count = whole_arg("count", arg, 0, UINT64_MAX, state);
        return 0;
    case KEY_SKIP:
        a->skip = whole_arg("skip", arg, 0, UINT64_MAX, state);
        return 0;
    case 'p':
        if (strcmp(arg, "train") != 0 && strcmp(arg, "test") != 0)
            argp_error(state, "no split \"%s\"; train or test", arg);
        a->corpus.split = strcmp(arg, "test") == 0 ? CORPUS_TEST : CORPUS_TRAIN;
        return 0;
    case 'o':
        a->out = arg;
        return 0;
    case 'r':
        a->corpus.robots = (uint32_t)whole_arg("robots", arg, 0, CORPUS_ROBOTS_MAX, state);
        return 0;
    case 'c':
        a->corpus.clean = true;
        return 0;
    case KEY_STREAMS:
        a->streams = true;
        return 0;
    case KEY_LABELS:
        a->labels = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_labels(FILE *to) {
    for (uint32_t i = 0; i < corpus_labels(); i++) {
        struct corpus_label_info label = corpus_label(i);

        fprintf(to, "%s\t%s\n", label.name, label.meaning);
    }
}

static void print_rows(FILE *to, struct corpus *c, const struct args *args) {
    struct corpus_row row;

    corpus_seek(c, args->skip);
    for (uint64_t i = 0; i < args->count && !ferror(to); i++) {
        corpus_next(c, &row);
        if (args->streams)
            fprintf(to, "%s\t", row.stream);
        fprintf(to, "%s\t%s\n", row.label, row.text);
    }
}

int cmd_corpus(int argc, char **argv) {
    const struct argp argp = {
        options, parse, NULL, "Made-up log lines of a robot fleet: label TAB text.",
        NULL,    NULL,  NULL};
    struct args args = {.corpus = {.seed = 1}, .count = 1000};
    struct corpus *corpus = NULL;
    struct reason why = {""};
    FILE *to = stdout;
    diffuse_err e;
    bool failed;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = corpus_open(&args.corpus, &corpus, &why)))
        return say_error(e, &why);
    if (args.out != NULL && (to = fopen(args.out, "we")) == NULL) {
        corpus_close(corpus);
        return say_failed("%s: cannot be written: %s", args.out, strerror(errno));
    }
    if (args.labels)
        print_labels(to);
    else
        print_rows(to, corpus, &args);
    corpus_close(corpus);
    failed = fflush(to) != 0 || ferror(to);
    if (to != stdout && fclose(to) != 0)
        failed = true;
    if (failed) {
        int error = errno;

        if (to == stdout)
            standard_drop();
        return say_failed("%s: not all rows could be written: %s",
                          args.out != NULL ? args.out : "standard output", strerror(error));
    }
    return 0;
}
