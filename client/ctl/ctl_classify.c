/* ctl_classify.c - diffusectl classify: a text in, a label out. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl_json.h"
#include "client/ctl/verb.h"
#include "proto/standard.h"

struct classify_args {
    char **texts;
    int n_texts;
    bool json;
};

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "a JSON object a line", 0},
    {0},
};

static const char doc[] = "Classify each TEXT, or each line of standard input, and print LABEL and "
                          "CONFIDENCE, separated by a tab. Texts that got no label show !ERROR and "
                          "make the exit status 1.";

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct classify_args *a = state->input;

    switch (key) {
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->texts = state->argv + state->next;
        a->n_texts = state->argc - state->next;
        return 0;
    default:
        (void)arg;
        return ARGP_ERR_UNKNOWN;
    }
}

/* OK also for an answer without a label; *failed then. */
static diffuse_err one(diffuse_client *client, const struct verb_env *env, bool json,
                       const char *text, size_t len, bool *failed) {
    diffuse_result *r;
    diffuse_err e = diffuse_classify(client, text, len, env->timeout_ms, &r), error;

    if (e)
        return e;
    error = diffuse_result_error(r);
    if (json)
        (void)ctl_json_result(r, text);
    else if (error)
        printf("!%s\t%s\n", diffuse_errname(error), diffuse_result_error_text(r));
    else
        printf("%s\t%.4f\n", diffuse_result_label(r), (double)diffuse_result_confidence(r));
    diffuse_result_free(r);
    *failed = *failed || error || !standard_output_ok();
    return DIFFUSE_OK;
}

static diffuse_err from_input(diffuse_client *client, const struct verb_env *env, bool json,
                              bool *failed) {
    struct verb_input in = {0};
    const char *line;
    diffuse_err e = DIFFUSE_OK;
    long len;

    while (!e && !*env->stop && !ferror(stdout) && (len = verb_input_line(&in, &line)) >= 0)
        e = one(client, env, json, line, (size_t)len, failed);
    *failed |= verb_input_done(&in) != VERB_DONE;
    return e;
}

int ctl_classify(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, "[TEXT...]", doc, NULL, NULL, NULL};
    struct classify_args a = {0};
    diffuse_client *client;
    diffuse_err e = DIFFUSE_OK;
    bool failed = false;
    int status;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    for (int i = 0; !e && !ferror(stdout) && i < a.n_texts; i++)
        e = one(client, env, a.json, a.texts[i], strlen(a.texts[i]), &failed);
    if (a.n_texts == 0)
        e = from_input(client, env, a.json, &failed);
    status = e ? verb_fail(client, e) : failed ? VERB_FAILED : VERB_DONE;
    diffuse_client_free(client);
    return status;
}
