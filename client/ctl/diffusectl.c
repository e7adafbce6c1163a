/* diffusectl.c - talk to a running diffused(8): options and the choice of the verb. */
#include <argp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/verb.h"

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static const struct verb {
    const char *name;
    int (*run)(struct verb_env *env, int argc, char **argv);
} verbs[] = {
    {"send", ctl_send},
    {"watch", ctl_watch},
    {"classify", ctl_classify},
    {"status", ctl_status},
};

static const char doc[] =
    "Talk to a running diffused."
    "\v"
    "Verbs (each has its own --help):\n"
    "  send       samples from standard input, one a line\n"
    "  watch      labels and events as they come\n"
    "  classify   one text, or a line each from standard input\n"
    "  status     model, memory plan, counters, latency\n"
    "\n"
    "Without --endpoint: $DIFFUSE_ENDPOINT, else $XDG_RUNTIME_DIR/diffused or /run/diffused.\n"
    "Exit status: 0 done, 1 failed, 2 usage.";

static const struct argp_option options[] = {
    {"endpoint", 'e', "DIR|URL", 0, "where the daemon listens: a directory, or tcp://HOST:PORT", 0},
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
    case 't':
        in->env.timeout_ms = (int)verb_number("--timeout", arg, INT_MAX);
        return 0;
    case ARGP_KEY_ARG: /* the verb: the rest is its own */
        in->verb = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no verb: expected send, watch, classify or status");
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
    fprintf(stderr, "diffusectl: unknown verb '%s': expected send, watch, classify or status\n",
            name);
    return VERB_USAGE;
}

int main(int argc, char **argv) {
    static const struct argp argp = {options, parse, "VERB [ARGUMENT...]", doc, NULL, NULL, NULL};
    static char version[64];
    struct input in = {.env = {.timeout_ms = 5000, .stop = &stop}};
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits must end */

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)snprintf(version, sizeof version, "diffusectl %s", diffuse_version());
    argp_program_version = version;
    argp_err_exit_status = VERB_USAGE;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &in))
        return VERB_USAGE;
    return run_verb(&in, argc, argv);
}
