/* ctl_streams.c - diffusectl streams: what became of each stream's samples. */
#include <argp.h>
#include <inttypes.h>
#include <string.h>

#include "client/ctl/ctl_json.h"
#include "client/ctl/verb.h"

struct streams_args {
    const char *prefix;
    bool json;
};

static const struct argp_option options[] = {
    {"stream", 's', "PREFIX", 0, "only streams whose names begin so (all)", 0},
    {"json", 'j', NULL, 0, "a JSON object a line", 0},
    {0},
};

static const char doc[] =
    "What became of each stream's samples since the daemon heard of it: accepted = labelled + "
    "errored + expired + dropped + in flight. Gaps are sequence numbers that did not arrive on "
    "ingest. Then the rows (others): streams that the daemon has forgotten, and (total): all.";

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct streams_args *a = state->input;

    switch (key) {
    case 's':
        a->prefix = arg;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': unexpected argument", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_head(void) {
    printf("%-32s %10s %10s %8s %8s %8s %9s %8s\n", "stream", "accepted", "labelled", "errored",
           "expired", "dropped", "in flight", "gaps");
}

/* 0 or -1 (memory). */
static int print_books(const struct streams_args *a, const struct diffuse_books *b) {
    if (a->json)
        return ctl_json_books(b);
    printf("%-32s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %9" PRIu64
           " %8" PRIu64 "\n",
           b->stream, b->accepted, b->labelled, b->errored, b->expired, b->dropped, b->in_flight,
           b->gaps);
    return 0;
}

static int print_sums(const struct streams_args *a, const struct diffuse_streams *s) {
    struct diffuse_books others = s->others, total = s->total;

    others.stream = "(others)";
    total.stream = "(total)";
    return print_books(a, &others) || print_books(a, &total) ? -1 : 0;
}

static int run(const struct streams_args *a, const struct verb_env *env, diffuse_client *client) {
    uint32_t from = 0;
    int failed = 0;

    if (!a->json)
        print_head();
    do {
        struct diffuse_streams *s;
        diffuse_err e = diffuse_streams_get(client, a->prefix, from, env->timeout_ms, &s);

        if (e)
            return verb_fail(client, e);
        for (size_t i = 0; !failed && i < s->n_books; i++)
            failed = print_books(a, &s->books[i]);
        from = s->next;
        if (!failed && from == 0)
            failed = print_sums(a, s);
        diffuse_streams_free(s);
    } while (!failed && from != 0 && !*env->stop);
    return failed ? VERB_FAILED : VERB_DONE;
}

int ctl_streams(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    struct streams_args a = {.json = false};
    diffuse_client *client;
    int status;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    status = run(&a, env, client);
    diffuse_client_free(client);
    return status;
}
