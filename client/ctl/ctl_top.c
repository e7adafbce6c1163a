/* ctl_top.c - diffusectl top: what a running daemon does, live. */
#include <argp.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl_json.h"
#include "client/ctl/top/top_draw.h"
#include "client/ctl/top/top_facts.h"
#include "client/ctl/top/top_term.h"
#include "client/ctl/verb.h"

enum { PATIENCE_MS = 1000, LOOK_MS = 50, BURST = 20000, PAGES = 16 };

struct top_args {
    const char *stream;
    double seconds;
    bool once, json, plain, unseen;
};

static const struct argp_option options[] = {
    {"stream", 's', "PREFIX", 0, "only labels of streams that begin so", 0},
    {"interval", 'i', "SECONDS", 0, "between two pages, 0.1 to 3600 (1)", 0},
    {"once", '1', NULL, 0, "one page, after one interval, and the end", 0},
    {"plain", 'p', NULL, 0, "one page after the other, without control of the terminal", 0},
    {"json", 'j', NULL, 0, "a JSON object a page", 0},
    {"no-labels", 'n', NULL, 0, "do not subscribe to labels: they are not shown", 0},
    {0},
};

static const char doc[] =
    "Show rates, latency, memory against the plan, tuning, labels and streams of a running daemon, "
    "live. On a terminal the page is written over; q ends it. Elsewhere, and on a terminal that "
    "cannot do that, a page follows the other.\v"
    "It subscribes to labels as any subscriber does.";

static double take_seconds(struct argp_state *state, const char *arg) {
    char *end;
    double v = strtod(arg, &end);

    if (end == arg || *end || !(v >= 0.1 && v <= 3600))
        argp_error(state, "--interval '%s': expected seconds from 0.1 to 3600", arg);
    return v;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct top_args *a = state->input;

    switch (key) {
    case 's':
        a->stream = arg;
        return 0;
    case 'i':
        a->seconds = take_seconds(state, arg);
        return 0;
    case '1':
        a->once = a->plain = true;
        return 0;
    case 'p':
        a->plain = true;
        return 0;
    case 'j':
        a->json = a->plain = true;
        return 0;
    case 'n':
        a->unseen = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': unexpected argument", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct top {
    const struct verb_env *env;
    struct top_args args;
    diffuse_client *client;
    diffuse_watch *watch; /* NULL: labels are not watched */
    struct top_term term;
    struct top_facts facts;
    struct diffuse_status *status;
    struct diffuse_tune_status *tune;
    char trouble[256];
    int64_t ticked_ns;
};

/* The books of streams, as many as there is room for. */
static diffuse_err ask_books(struct top *t, int patience) {
    uint32_t from = 0;

    for (unsigned page = 0; page == 0 || (from != 0 && page < PAGES); page++) {
        struct diffuse_streams *s;
        diffuse_err e = diffuse_streams_get(t->client, t->args.stream, from, patience, &s);

        if (e)
            return e;
        for (size_t i = 0; i < s->n_books; i++)
            top_facts_books(&t->facts, &s->books[i]);
        from = s->next;
        diffuse_streams_free(s);
    }
    return DIFFUSE_OK;
}

/* What the daemon says now; what it said before stays when it does not answer. */
static diffuse_err ask(struct top *t) {
    int patience = t->env->timeout_ms < PATIENCE_MS ? t->env->timeout_ms : PATIENCE_MS;
    struct diffuse_tune_status *tune = NULL;
    struct diffuse_status *status = NULL;
    diffuse_err e = diffuse_status_get(t->client, patience, &status);

    if (!e)
        e = diffuse_tune(t->client, DIFFUSE_TUNE_STATUS, patience, &tune);
    if (!e)
        e = ask_books(t, patience);
    if (e) {
        (void)snprintf(t->trouble, sizeof t->trouble, "no answer: %s", diffuse_strerror(e));
        diffuse_status_free(status);
        diffuse_tune_free(tune);
        return e;
    }
    t->trouble[0] = '\0';
    diffuse_status_free(t->status);
    diffuse_tune_free(t->tune);
    t->status = status;
    t->tune = tune;
    top_facts_status(&t->facts, status);
    return DIFFUSE_OK;
}

/* False: there are more, which must not wait for long: a subscriber that does not read holds the
 * others up. */
static bool take_labels(struct top *t) {
    diffuse_result *r;

    for (unsigned n = 0; t->watch && n < BURST; n++) {
        diffuse_err e = diffuse_watch_next(t->watch, 0, &r);

        if (e == DIFFUSE_BADMSG || e == DIFFUSE_TOOBIG)
            continue;
        if (e)
            return true;
        top_facts_take(&t->facts, r);
        diffuse_result_free(r);
    }
    return t->watch == NULL;
}

static void draw(struct top *t) {
    struct top_page page = {.facts = &t->facts,
                            .status = t->status,
                            .tune = t->tune,
                            .trouble = t->trouble,
                            .width = t->term.width,
                            .height = t->term.height,
                            .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                            .ansi = t->term.page};

    if (t->args.json)
        (void)ctl_json_top(t->status, t->tune, &t->facts);
    else
        top_draw(stdout, &page);
}

/* Until it is told to stop, or was shown once. */
static int follow(struct top *t) {
    int64_t interval = (int64_t)(t->args.seconds * 1e9);
    bool dry = true;
    int fd = -1;

    if (t->watch && diffuse_watch_fd(t->watch, &fd))
        fd = -1;
    t->ticked_ns = verb_mono_ns();
    while (!*t->env->stop && !ferror(stdout)) {
        int64_t left = t->ticked_ns + interval - verb_mono_ns();
        int wait = left < LOOK_MS * (int64_t)1000000 ? (int)(left / 1000000) + 1 : LOOK_MS;
        enum top_key key = left > 0 ? top_term_wait(&t->term, fd, dry ? wait : 0) : TOP_NOTHING;

        if (key == TOP_QUIT)
            break;
        dry = take_labels(t);
        if (key == TOP_REDRAW)
            draw(t);
        if (left > 0)
            continue;
        t->ticked_ns += interval - left;
        diffuse_err e = ask(t);
        top_facts_tick(&t->facts, (double)(interval - left) / 1e9);
        if (e && t->args.once)
            return verb_fail(t->client, e);
        draw(t);
        if (t->args.once)
            break;
    }
    return VERB_DONE;
}

static int run(struct top *t) {
    int flags = DIFFUSE_WATCH_LABELS | DIFFUSE_WATCH_EVENTS;
    diffuse_err e = ask(t);
    int status;

    if (!e && !t->args.unseen)
        e = diffuse_watch_new(t->client, t->args.stream, flags, t->env->timeout_ms, &t->watch);
    if (e)
        return verb_fail(t->client, e);
    top_term_open(&t->term, t->args.plain);
    if (t->term.page)
        draw(t);
    status = follow(t);
    top_term_close(&t->term);
    return status;
}

int ctl_top(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    struct top *t = calloc(1, sizeof *t);
    int status = VERB_FAILED;

    if (!t)
        return VERB_FAILED;
    t->env = env;
    t->args.seconds = 1;
    (void)setlocale(LC_CTYPE, "");
    if (argp_parse(&argp, argc, argv, 0, NULL, &t->args))
        status = VERB_USAGE;
    else if ((t->client = verb_open(env)))
        status = run(t);
    diffuse_watch_free(t->watch);
    diffuse_status_free(t->status);
    diffuse_tune_free(t->tune);
    diffuse_client_free(t->client);
    free(t);
    return status;
}
