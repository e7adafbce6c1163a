/* cmd_logits.c - diffuse logits: a line in (text, or token ids), a line of logits out. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/tool/commands.h"
#include "model/tool/model_args.h"
#include "model/tool/say.h"

struct args {
    struct model_args model;
    bool tokens;
};

static const struct argp_option options[] = {
    {"tokens", 't', 0, 0, "Lines hold token ids, separated by spaces, instead of text", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        return 0;
    case 't':
        a->tokens = true;
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

static diffuse_err run_line(struct model_one *o, bool tokens, const char *line, size_t len,
                            struct reason *why) {
    size_t n = 0;
    diffuse_err e;

    if (!tokens)
        return model_one_text(o, line, len, why);
    e = read_ids(o, line, &n, why);
    return e ? e : model_one_run(o, n, why);
}

int cmd_logits(int argc, char **argv) {
    const struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,  parse, NULL, "The model's raw output for each line of standard input.",
        children, NULL,  NULL};
    struct args args = {0};
    struct model_one one;
    struct reason why = {""};
    char *line = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    diffuse_err e;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = model_one_open(&one, &args.model, &why)))
        return say_error(e, &why);
    while (!e && (len = getline(&line, &cap, stdin)) >= 0) {
        number++;
        len -= len > 0 && line[len - 1] == '\n';
        e = run_line(&one, args.tokens, line, (size_t)len, &why);
        for (uint32_t i = 0; !e && i < one.model->config.labels; i++)
            printf("%s%.9g", i ? " " : "", (double)one.logits[i]);
        if (!e)
            putchar('\n');
    }
    if (e)
        (void)say_failed("line %zu: %s", number, why.text[0] ? why.text : diffuse_strerror(e));
    free(line);
    model_one_close(&one);
    return e != DIFFUSE_OK;
}
