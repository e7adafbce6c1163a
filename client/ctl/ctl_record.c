/* ctl_record.c - diffusectl record: pass on what clients and daemon say, and write it down. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/recording/recording.h"
#include "client/ctl/verb.h"
#include "client/relay/relay.h"

enum { TEND_MS = 200, SYNC_MS = 5000, KINDS = DIFFUSE_KIND_EVENT + 1 };

struct record_args {
    const char *file;
    const char *listen; /* NULL: the folder of our own, when listens */
    bool listens, quiet;
    uint32_t max_message;
    int sync_ms;
};

struct record {
    const struct verb_env *env;
    struct record_args args;
    diffuse_client *client;
    diffuse_relay *relay;
    struct recording_writer *writer; /* NULL: no more, and `broken` */
    bool broken;
    char folder[256]; /* that we made, "" none */
    struct verb_progress progress;
    int64_t tended_ns;
    uint64_t kinds[KINDS], n;
};

static const struct argp_option options[] = {
    {"listen", 'l', "DIR|URL", 0,
     "stand between clients and daemon: bind a daemon's four sockets in DIR, or at tcp://HOST:PORT",
     0},
    {"private", 'P', NULL, 0, "the same in a folder of its own, whose name is printed", 0},
    {"max-message", 'm', "BYTES", 0,
     "the daemon's max_message (16384); who sends twice of it is disconnected", 0},
    {"sync", 'S', "SECONDS", 0,
     "longest time before the disk has what passed (5); 0: at the end only", 0},
    {"quiet", 'q', NULL, 0, "no count at the end", 0},
    {0},
};

static const char doc[] =
    "Write down what passes between clients and the daemon, with times, until interrupted; replay "
    "reads it.\v"
    "With --listen or --private, clients use the folder that is printed as their --endpoint or "
    "$DIFFUSE_ENDPOINT; samples, feedback, labels and events are recorded, and all passes as "
    "without "
    "a recorder: in order, nothing lost or doubled, with back-pressure on push. Without them "
    "only what the daemon publishes can be heard: labels and events, which cannot be replayed.\n\n"
    "An interrupt (SIGINT, SIGTERM) lets in nobody new, waits for the labels of what has passed, "
    "at "
    "most --timeout, and closes the file. When the file cannot be written any more, a line says so "
    "and passing on goes on; the exit status is then 1.";

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct record_args *a = state->input;

    switch (key) {
    case 'l':
        a->listens = true;
        a->listen = arg;
        return 0;
    case 'P':
        a->listens = true;
        a->listen = NULL;
        return 0;
    case 'm':
        a->max_message = (uint32_t)verb_number("--max-message", arg, 1024 * 1024);
        return 0;
    case 'S':
        a->sync_ms = 1000 * (int)verb_number("--sync", arg, INT_MAX / 1000);
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->file)
            argp_error(state, "'%s': unexpected argument; one FILE is written", arg);
        a->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no FILE to write");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The folder to listen in: the one that was named, made if need be, or a private one. */
static bool make_folder(struct record *r) {
    struct record_args *a = &r->args;
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (a->listen && strstr(a->listen, "://"))
        return true;
    if (a->listen) {
        if (mkdir(a->listen, 0750) == 0)
            (void)snprintf(r->folder, sizeof r->folder, "%s", a->listen);
        else if (errno != EEXIST) {
            fprintf(stderr, "diffusectl: %s: cannot be made: %s\n", a->listen, strerror(errno));
            return false;
        }
        return true;
    }
    (void)snprintf(r->folder, sizeof r->folder, "%s/diffuse-record.XXXXXX",
                   runtime && runtime[0] ? runtime : "/tmp");
    if (mkdtemp(r->folder)) {
        a->listen = r->folder;
        return true;
    }
    fprintf(stderr, "diffusectl: %s: cannot be made: %s\n", r->folder, strerror(errno));
    r->folder[0] = '\0';
    return false;
}

static int create_file(struct record *r) {
    struct recording_about about = {
        .wall_ns = verb_now_ns(), .mono_ns = verb_mono_ns(), .both_ways = r->args.listens};
    struct diffuse_status *status;
    struct recording_why why = {""};
    diffuse_err e = diffuse_status_get(r->client, r->env->timeout_ms, &status);

    if (e)
        return verb_fail(r->client, e);
    (void)snprintf(about.version, sizeof about.version, "%s", status->version);
    (void)snprintf(about.model, sizeof about.model, "%s", status->model_id);
    diffuse_status_free(status);
    if ((e = recording_create(r->args.file, &about, r->args.sync_ms, &r->writer, &why))) {
        fprintf(stderr, "diffusectl: %s\n", why.text);
        return VERB_FAILED;
    }
    r->tended_ns = about.mono_ns;
    return VERB_DONE;
}

/* Serving comes first: what cannot be written is said once. */
static void note_failure(struct record *r, diffuse_err e, const struct recording_why *why) {
    struct recording_why ignored = {""};

    if (!e || !r->writer)
        return;
    fprintf(stderr, "diffusectl: %s; recording has ended after %" PRIu64 " bytes%s\n", why->text,
            recording_bytes(r->writer), r->args.listens ? ", passing on goes on" : "");
    (void)!recording_close(r->writer, verb_mono_ns(), &ignored);
    r->writer = NULL;
    r->broken = true;
}

static void keep(struct record *r, const struct diffuse_message *m) {
    struct recording_why why = {""};
    diffuse_err e;

    if (!r->writer)
        return;
    e = recording_add(r->writer, verb_mono_ns(), m, &why);
    r->kinds[diffuse_message_kind(m)] += !e;
    r->n += !e;
    note_failure(r, e, &why);
}

static void tend(struct record *r) {
    struct recording_why why = {""};
    int64_t now = verb_mono_ns();

    if (!r->writer || now - r->tended_ns < (int64_t)TEND_MS * 1000000)
        return;
    r->tended_ns = now;
    note_failure(r, recording_tend(r->writer, now, &why), &why);
}

/* Until a signal, or (draining) the end; what cannot be read is an error. */
static diffuse_err follow(struct record *r, int64_t until_ns) {
    for (;;) {
        struct diffuse_message m;
        diffuse_err e = diffuse_relay_next(r->relay, TEND_MS, &m);

        if (!e)
            keep(r, &m);
        else if (e != DIFFUSE_TIMEOUT)
            return e;
        tend(r);
        verb_progress_show(&r->progress, "recorded", r->n);
        if (until_ns ? verb_mono_ns() > until_ns : *r->env->stop || (r->broken && !r->args.listens))
            return DIFFUSE_OK;
    }
}

static int report(struct record *r, const struct diffuse_relay_counts *c, uint64_t bytes) {
    int status = r->broken ? VERB_FAILED : VERB_DONE;

    if (c->held > 0) {
        fprintf(stderr,
                "diffusectl: %" PRIu64 " messages were taken, and the daemon did not take them\n",
                c->held);
        status = VERB_FAILED;
    }
    if (c->owed > 0)
        fprintf(stderr, "diffusectl: the labels of %" PRIu64 " samples had not come at the end\n",
                c->owed);
    if (c->dropped > 0)
        fprintf(stderr,
                "diffusectl: %" PRIu64 " labels did not reach subscribers that did not read\n",
                c->dropped);
    if (c->restarts > 0)
        fprintf(stderr, "diffusectl: the daemon went away %" PRIu64 " times\n", c->restarts);
    if (!r->args.quiet && !r->broken)
        fprintf(stderr,
                "recorded %" PRIu64 " samples, %" PRIu64 " feedback, %" PRIu64 " labels, %" PRIu64
                " events, %" PRIu64 " others in %" PRIu64 " bytes\n",
                r->kinds[DIFFUSE_KIND_SAMPLE], r->kinds[DIFFUSE_KIND_FEEDBACK],
                r->kinds[DIFFUSE_KIND_LABEL], r->kinds[DIFFUSE_KIND_EVENT],
                r->kinds[DIFFUSE_KIND_OTHER], bytes);
    return status;
}

static int finish(struct record *r, diffuse_err e) {
    struct diffuse_relay_counts counts;
    struct recording_why why = {""};
    uint64_t bytes = 0;
    int status = VERB_DONE;

    if (!e) {
        diffuse_relay_drain(r->relay);
        e = follow(r, verb_mono_ns() + (int64_t)r->env->timeout_ms * 1000000);
    }
    verb_progress_end(&r->progress);
    if (e && e != DIFFUSE_NOTFOUND)
        status = verb_fail(r->client, e);
    diffuse_relay_count(r->relay, &counts);
    if (r->writer) {
        bytes = recording_bytes(r->writer);
        e = recording_close(r->writer, verb_mono_ns(), &why);
        r->writer = NULL;
        if (e) {
            fprintf(stderr, "diffusectl: %s\n", why.text);
            r->broken = true;
        }
    }
    return report(r, &counts, bytes) ? VERB_FAILED : status;
}

static int run(struct record *r) {
    struct diffuse_relay_options o = {.size = sizeof o, .max_message = r->args.max_message};
    diffuse_err e;

    if ((r->args.listens && !make_folder(r)) || create_file(r))
        return VERB_FAILED;
    o.listen = r->args.listens ? r->args.listen : NULL;
    if ((e = diffuse_relay_new(r->client, &o, r->env->timeout_ms, &r->relay)))
        return verb_fail(r->client, e);
    if (r->args.listens) {
        fprintf(stderr, "recording to %s; clients use --endpoint %s\n", r->args.file, o.listen);
        printf("%s\n", o.listen);
        (void)fflush(stdout);
    } else
        fprintf(stderr, "recording to %s: labels and events only; for samples too, see --listen\n",
                r->args.file);
    verb_progress_start(&r->progress);
    return finish(r, follow(r, 0));
}

int ctl_record(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, "FILE", doc, NULL, NULL, NULL};
    struct record r = {.env = env, .args = {.sync_ms = SYNC_MS}};
    struct recording_why why = {""};
    int status;

    if (argp_parse(&argp, argc, argv, 0, NULL, &r.args))
        return VERB_USAGE;
    if (!(r.client = verb_open(env)))
        return VERB_FAILED;
    status = run(&r);
    if (r.writer) { /* it never began */
        (void)!recording_close(r.writer, verb_mono_ns(), &why);
        (void)unlink(r.args.file);
    }
    diffuse_relay_free(r.relay);
    diffuse_client_free(r.client);
    if (r.folder[0])
        (void)rmdir(r.folder);
    return status;
}
