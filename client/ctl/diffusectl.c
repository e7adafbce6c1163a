/* diffusectl.c - talk to a running diffused(8): options and the choice of the verb. */
#include <argp.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/verb.h"
#include "proto/standard.h"

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static const struct verb {
    const char *name;
    int (*run)(struct verb_env *env, int argc, char **argv);
    const char *help;
} verbs[] = {
    {"send", ctl_send, "samples from standard input, one a line"},
    {"watch", ctl_watch, "labels and events as they come"},
    {"classify", ctl_classify, "one text, or a line each from standard input"},
    {"feedback", ctl_feedback, "true labels of samples, or of texts"},
    {"status", ctl_status, "model, memory plan, counters, latency"},
    {"metrics", ctl_metrics, "everything that is counted, as OpenMetrics text"},
    {"streams", ctl_streams, "what became of each stream's samples"},
    {"top", ctl_top, "rates, latency, memory, labels and streams, live"},
    {"reload", ctl_reload, "load a checkpoint, and answer with it from then on"},
    {"rollback", ctl_rollback, "let the model before this one answer again"},
    {"tune", ctl_tune, "online fine-tuning: on, off, status, reset, save"},
    {"record", ctl_record, "write down what passes, both ways, with times"},
    {"replay", ctl_replay, "send a recording again, and compare the labels"},
    {"keygen", ctl_keygen, "a key pair for connections over the network"},
};

static const char doc[] = "Talk to a running diffused.\v";

/* The text behind the options: made from the table. argp frees what is not its own. */
static char *help_filter(int key, const char *text, void *input) {
    char *all = NULL;
    size_t size;
    FILE *f;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC || !(f = open_memstream(&all, &size)))
        return (char *)(uintptr_t)text;
    fprintf(f, "Verbs (each has its own --help):\n");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(f, "  %-10s %s\n", verbs[i].name, verbs[i].help);
    fprintf(f, "\nWithout --endpoint: $DIFFUSE_ENDPOINT, else $XDG_RUNTIME_DIR/diffused or "
               "/run/diffused.\n"
               "Without --server-key and --key: $DIFFUSE_SERVER_KEY and $DIFFUSE_KEY.\n"
               "Exit status: 0 done, 1 failed, 2 usage.");
    return fclose(f) == 0 ? all : (char *)(uintptr_t)text;
}

/* "send, watch, ... or tune" */
static const char *verb_names(void) {
    static char text[256];
    size_t n = sizeof verbs / sizeof *verbs, used = 0;

    for (size_t i = 0; i < n && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                 i == 0       ? ""
                                 : i + 1 == n ? " or "
                                              : ", ",
                                 verbs[i].name);
    return text;
}

enum { OPTION_SERVER_KEY = 256, OPTION_KEY };

static const struct argp_option options[] = {
    {"endpoint", 'e', "DIR|URL", 0, "where the daemon listens: a directory, or tcp://HOST:PORT", 0},
    {"server-key", OPTION_SERVER_KEY, "FILE", 0, "for tcp: file of the daemon's public key", 0},
    {"key", OPTION_KEY, "FILE", 0, "for tcp: file of your secret key (see keygen)", 0},
    {"timeout", 't', "MS", 0, "milliseconds to wait for an answer (5000)", 0},
    {0},
};

struct input {
    struct verb_env env;
    int verb; /* index in argv */
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct input *in = state->input;

    switch (key) {
    case 'e':
        in->env.endpoint = arg;
        return 0;
    case OPTION_SERVER_KEY:
        in->env.server_key = arg;
        return 0;
    case OPTION_KEY:
        in->env.key = arg;
        return 0;
    case 't':
        in->env.timeout_ms = (int)verb_number("--timeout", arg, INT_MAX);
        return 0;
    case ARGP_KEY_ARG: /* the verb: the rest is its own */
        in->verb = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no verb: expected %s", verb_names());
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_verb(struct input *in, int argc, char **argv) {
    static char title[64];
    const char *name = argv[in->verb];

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0) {
            (void)snprintf(title, sizeof title, "diffusectl %s", name);
            argv[in->verb] = title;
            return verbs[i].run(&in->env, argc - in->verb, argv + in->verb);
        }
    fprintf(stderr, "diffusectl: unknown verb '%s': expected %s\n", name, verb_names());
    return VERB_USAGE;
}

int main(int argc, char **argv) {
    static const struct argp argp = {options,     parse, "VERB [ARGUMENT...]", doc, NULL,
                                     help_filter, NULL};
    static char version[64];
    struct input in = {.env = {.timeout_ms = 5000, .stop = &stop}};
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits must end */

    standard_begin();
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)snprintf(version, sizeof version, "diffusectl %s", diffuse_version());
    argp_program_version = version;
    argp_err_exit_status = VERB_USAGE;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &in))
        return VERB_USAGE;
    return run_verb(&in, argc, argv);
}
