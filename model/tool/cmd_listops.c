/* cmd_listops.c - diffuse listops: nested list expressions and their values, a line each. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus/listops.h"
#include "model/tool/common/commands.h"
#include "model/tool/common/say.h"
#include "model/tool/common/whole_arg.h"
#include "proto/standard.h"

struct args {
    struct listops_options listops;
    uint64_t count;
    bool quiet;
};

enum { KEY_DEPTH = 256, KEY_ARGS, KEY_MIN, KEY_MAX };

static const struct argp_option options[] = {
    {"count", 'n', "N", 0, "Expressions (1000)", 0},
    {"seed", 's', "N", 0, "The same seed gives the same expressions everywhere (1)", 0},
    {"depth", KEY_DEPTH, "N", 0, "Deepest level; the root is level 1 (10)", 0},
    {"args", KEY_ARGS, "N", 0, "Most arguments of an operator (10)", 0},
    {"longer-than", KEY_MIN, "N", 0, "Keep expressions longer than this (500)", 0},
    {"shorter-than", KEY_MAX, "N", 0, "and shorter than this (2000)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    switch (key) {
    case 'n':
        a->count = whole_arg("count", arg, 0, UINT64_MAX, state);
        return 0;
    case 's':
        a->listops.seed = whole_arg("seed", arg, 0, UINT64_MAX, state);
        return 0;
    case KEY_DEPTH:
        a->listops.depth = (uint32_t)whole_arg("depth", arg, 0, UINT32_MAX, state);
        return 0;
    case KEY_ARGS:
        a->listops.max_args = (uint32_t)whole_arg("args", arg, 0, UINT32_MAX, state);
        return 0;
    case KEY_MIN:
        a->listops.min_length = (uint32_t)whole_arg("longer-than", arg, 0, UINT32_MAX, state);
        return 0;
    case KEY_MAX:
        a->listops.max_length = (uint32_t)whole_arg("shorter-than", arg, 0, UINT32_MAX, state);
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print_rows(struct listops *l, const struct args *args) {
    struct say_progress progress;
    struct reason why = {""};
    diffuse_err e = DIFFUSE_OK;

    say_progress_start(&progress, "generating", args->quiet);
    for (uint64_t i = 0; i < args->count && !ferror(stdout); i++) {
        struct listops_row row;

        if ((e = listops_next(l, &row, &why)))
            break;
        printf("%u\t%s\n", row.value, row.text);
        say_progress_tick(&progress, i + 1, args->count, NULL);
    }
    say_progress_end(&progress);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        int error = errno;

        standard_drop();
        return say_failed("standard output: not all expressions could be written: %s",
                          strerror(error));
    }
    return e ? say_error(e, &why) : 0;
}

int cmd_listops(int argc, char **argv) {
    const struct argp argp = {
        options, parse,
        NULL,    "Nested list expressions in Long Range Arena's distribution: value TAB symbols.",
        NULL,    NULL,
        NULL};
    struct args args = {.count = 1000};
    struct listops *listops = NULL;
    struct reason why = {""};
    diffuse_err e;
    int status;

    listops_options_lra(&args.listops);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = listops_open(&args.listops, &listops, &why)))
        return say_error(e, &why);
    status = print_rows(listops, &args);
    listops_close(listops);
    return status;
}
