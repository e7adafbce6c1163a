/* ctl_feedback.c - diffusectl feedback: true labels of samples that were classified, or of texts.
 */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/verb.h"

enum { LINGER_MS = 200 }; /* feedback has no answer: leave it the time to be read */

struct feedback_args {
    const char *stream, *label, *text;
    uint64_t seq;
};

static const struct argp_option options[] = {
    {"stream", 's', "NAME", 0, "the stream of the sample", 0},
    {"seq", 'n', "N", 0, "its number", 0},
    {0},
};

static const char doc[] = "Tell the daemon the true LABEL of a sample that it classified, named by "
                          "--stream and --seq, or of TEXT. "
                          "Without a LABEL, lines of standard input: STREAM, SEQ, LABEL and, "
                          "optional, TEXT, separated by tabs. "
                          "`diffusectl tune status` shows what became of it.";

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct feedback_args *a = state->input;

    switch (key) {
    case 's':
        a->stream = arg;
        return 0;
    case 'n':
        a->seq = verb_number("--seq", arg, UINT64_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (a->text)
            argp_error(state, "'%s': unexpected argument", arg);
        *(a->label ? &a->text : &a->label) = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->label && !a->stream && !a->text)
            argp_error(state, "which sample? Name --stream and --seq, or give its TEXT");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static diffuse_err send_one(diffuse_client *client, const struct verb_env *env,
                            const struct feedback_args *a) {
    struct diffuse_feedback_info info = {.size = sizeof info,
                                         .stream = a->stream,
                                         .seq = a->seq,
                                         .label = a->label,
                                         .text = a->text,
                                         .text_len = a->text ? strlen(a->text) : 0};

    return diffuse_feedback(client, &info, env->timeout_ms);
}

/* STREAM TAB SEQ TAB LABEL [TAB TEXT]; false when the line is none. Cuts the line in place. */
static bool split(char *line, struct feedback_args *ret) {
    char *field[4] = {line, NULL, NULL, NULL}, *end;

    for (int i = 1; i < 4; i++) {
        char *tab = strchr(field[i - 1], '\t');

        if (!tab)
            break;
        *tab = '\0';
        field[i] = tab + 1;
    }
    if (!field[2] || field[1][0] < '0' || field[1][0] > '9')
        return false;
    errno = 0;
    ret->seq = strtoull(field[1], &end, 10);
    ret->stream = field[0];
    ret->label = field[2];
    ret->text = field[3];
    return *end == '\0' && errno == 0;
}

static diffuse_err from_input(diffuse_client *client, const struct verb_env *env, bool *bad) {
    struct verb_input in = {0};
    const char *line;
    unsigned long n = 0;
    diffuse_err e = DIFFUSE_OK;

    while (!e && !*env->stop && verb_input_line(&in, &line) >= 0) {
        char *copy = strdup(line);
        struct feedback_args a = {0};

        n++;
        if (!copy)
            e = DIFFUSE_NOMEM;
        else if (split(copy, &a))
            e = send_one(client, env, &a);
        else {
            fprintf(stderr,
                    "diffusectl: line %lu: expected STREAM, SEQ, LABEL [TEXT], separated by tabs\n",
                    n);
            *bad = true;
        }
        free(copy);
    }
    free(in.buffer);
    return e;
}

int ctl_feedback(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, "[LABEL [TEXT]]", doc, NULL, NULL, NULL};
    struct feedback_args a = {0};
    diffuse_client *client;
    bool bad = false;
    int status;
    diffuse_err e;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    e = a.label ? send_one(client, env, &a) : from_input(client, env, &bad);
    status = e ? verb_fail(client, e) : bad ? VERB_FAILED : VERB_DONE;
    if (!e)
        (void)poll(NULL, 0, LINGER_MS);
    diffuse_client_free(client);
    return status;
}
