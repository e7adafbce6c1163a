/* ctl_watch.c - diffusectl watch: labels and events as they come. */
#include <argp.h>

#include "client/ctl/ctl_json.h"
#include "client/ctl/verb.h"
#include "proto/standard.h"

enum { STOP_MS = 500 }; /* a signal may come just before the wait: look again */

struct watch_args {
    const char *stream;
    unsigned long long count; /* 0: until interrupted */
    bool json, events;
};

static const struct argp_option options[] = {
    {"stream", 's', "PREFIX", 0, "only streams whose names begin so", 0},
    {"json", 'j', NULL, 0, "a JSON object a line", 0},
    {"count", 'n', "N", 0, "stop after so many lines", 0},
    {"events", 'E', NULL, 0, "the daemon's own events too", 0},
    {0},
};

static const char doc[] =
    "Print labels as they come: STREAM, SEQ, LABEL, CONFIDENCE, "
    "separated by tabs. A text that got no label shows !ERROR and the reason; "
    "an event shows its topic, kind and text.";

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct watch_args *a = state->input;

    switch (key) {
    case 's':
        a->stream = arg;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case 'n':
        a->count = verb_number("--count", arg, UINT64_MAX);
        return 0;
    case 'E':
        a->events = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': unexpected argument", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print(const diffuse_result *r) {
    const char *stream = diffuse_result_stream(r);
    unsigned long long seq = diffuse_result_seq(r);
    diffuse_err e = diffuse_result_error(r);

    if (diffuse_result_is_event(r))
        printf("%s\t%s\t%s\n", stream, diffuse_result_event_kind(r), diffuse_result_event_text(r));
    else if (e)
        printf("%s\t%llu\t!%s\t%s\n", stream, seq, diffuse_errname(e),
               diffuse_result_error_text(r));
    else
        printf("%s\t%llu\t%s\t%.4f\n", stream, seq, diffuse_result_label(r),
               (double)diffuse_result_confidence(r));
}

/* Until count lines, a signal, or a closed pipe. */
static diffuse_err follow(diffuse_watch *watch, const struct watch_args *a,
                          const volatile sig_atomic_t *stop) {
    unsigned long long n = 0;

    while (!*stop && (a->count == 0 || n < a->count)) {
        diffuse_result *r;
        diffuse_err e = diffuse_watch_next(watch, STOP_MS, &r);

        if (e == DIFFUSE_TIMEOUT)
            continue;
        if (e == DIFFUSE_BADMSG || e == DIFFUSE_TOOBIG) {
            fprintf(stderr, "diffusectl: a message was dropped: %s\n", diffuse_strerror(e));
            continue;
        }
        if (e)
            return e;
        if (a->json)
            (void)ctl_json_result(r, NULL);
        else
            print(r);
        diffuse_result_free(r);
        n++;
        if (!standard_output_ok())
            break;
    }
    return DIFFUSE_OK;
}

int ctl_watch(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    struct watch_args a = {0};
    diffuse_client *client;
    diffuse_watch *watch = NULL;
    diffuse_err e;
    int status = VERB_DONE;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    e = diffuse_watch_new(client, a.stream,
                          DIFFUSE_WATCH_LABELS | (a.events ? DIFFUSE_WATCH_EVENTS : 0),
                          env->timeout_ms, &watch);
    if (!e)
        e = follow(watch, &a, env->stop);
    if (e && !*env->stop)
        status = verb_fail(client, e);
    diffuse_watch_free(watch);
    diffuse_client_free(client);
    return status;
}
