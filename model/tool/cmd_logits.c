/* cmd_logits.c - diffuse logits: a line in (text, or token ids), a line of logits out. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/tool/common/commands.h"
#include "model/tool/common/say.h"
#include "model/tool/common/whole_arg.h"
#include "model/tool/model_grow.h"
#include "proto/standard.h"

struct args {
    struct model_args model;
    bool tokens, incremental, pieces;
    uint32_t chunk; /* 0: random sizes */
    uint64_t seed;
};

enum { KEY_CHUNK = 0x200, KEY_SEED };

static const struct argp_option options[] = {
    {"tokens", 't', 0, 0, "Lines hold token ids, separated by spaces, instead of text", 0},
    {"incremental", 'i', 0, 0,
     "Feed each line in pieces, as a stream grows; the logits are the same", 20},
    {"chunk", KEY_CHUNK, "N", 0, "Bytes of text, or tokens, of a piece (random sizes)", 20},
    {"seed", KEY_SEED, "S", 0, "Of the random sizes (1)", 20},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        a->seed = 1;
        return 0;
    case 't':
        a->tokens = true;
        return 0;
    case 'i':
        a->incremental = true;
        return 0;
    case KEY_CHUNK:
        a->chunk = (uint32_t)whole_arg("chunk", arg, 1, MODEL_GROW_PIECE_MAX, state);
        a->pieces = true;
        return 0;
    case KEY_SEED:
        a->seed = whole_arg("seed", arg, 0, UINT64_MAX, state);
        a->pieces = true;
        return 0;
    case ARGP_KEY_END:
        if (a->pieces && !a->incremental)
            argp_error(state, "--chunk and --seed need --incremental");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Token ids of a line into o->ids. */
static diffuse_err read_ids(struct model_one *o, const char *line, size_t *ret_n,
                            struct reason *why) {
    size_t n = 0;

    for (;;) {
        char *end;
        unsigned long id;
        diffuse_err e;

        while (isspace((unsigned char)*line))
            line++;
        if (!*line)
            break;
        errno = 0;
        id = strtoul(line, &end, 10);
        if (end == line || errno || id > UINT32_MAX || (*end && !isspace((unsigned char)*end)))
            return reason_set(why, DIFFUSE_BADTOKEN, "token %zu is not a number: %.20s", n + 1,
                              line);
        if ((e = model_one_reserve(o, n + 1)))
            return e;
        o->ids[n++] = (uint32_t)id;
        line = end;
    }
    *ret_n = n;
    return DIFFUSE_OK;
}

/* g NULL: whole. */
static diffuse_err run_line(struct model_one *o, struct model_grow *g, bool tokens,
                            const char *line, size_t len, struct reason *why) {
    size_t n = 0;
    diffuse_err e;

    if (!tokens)
        return g ? model_grow_text(g, line, len, why) : model_one_text(o, line, len, why);
    if ((e = read_ids(o, line, &n, why)))
        return e;
    return g ? model_grow_run(g, n, why) : model_one_run(o, n, why);
}

static diffuse_err run_lines(const struct args *args, struct model_one *one,
                             struct model_grow *grow) {
    struct reason why = {""};
    char *line = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    FILE *in = standard_lines();
    diffuse_err e = DIFFUSE_OK;

    while (in && !e && !ferror(stdout) && (len = getline(&line, &cap, in)) >= 0) {
        number++;
        len -= len > 0 && line[len - 1] == '\n';
        e = run_line(one, grow, args->tokens, line, (size_t)len, &why);
        for (uint32_t i = 0; !e && i < one->model->config.labels; i++)
            printf("%s%.9g", i ? " " : "", (double)one->logits[i]);
        if (!e)
            putchar('\n');
    }
    if (e)
        (void)say_failed("line %zu: %s", number, why.text[0] ? why.text : diffuse_strerror(e));
    free(line);
    if (say_input_end(in) && !e)
        e = DIFFUSE_IO;
    return e;
}

int cmd_logits(int argc, char **argv) {
    const struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,  parse, NULL, "The model's raw output for each line of standard input.",
        children, NULL,  NULL};
    struct args args = {0};
    struct model_one one;
    struct model_grow grow = {0};
    struct reason why = {""};
    diffuse_err e;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = model_one_open(&one, &args.model, &why)))
        return say_error(e, &why);
    if (args.incremental && (e = model_grow_open(&grow, &one, args.chunk, args.seed, &why)))
        (void)say_error(e, &why);
    else
        e = run_lines(&args, &one, args.incremental ? &grow : NULL);
    model_grow_close(&grow);
    model_one_close(&one);
    return e != DIFFUSE_OK;
}
