/* ctl_replay.c - diffusectl replay: send a recording's samples again, and compare the labels. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/recording/match.h"
#include "client/ctl/recording/recording.h"
#include "client/ctl/recording/replay_report.h"
#include "client/ctl/verb.h"

enum { WINDOW = 256, INFLIGHT = 4096, RETRY_MS = 2, CALM_MS = 500, STOP_MS = 200 };

struct replay {
    const struct verb_env *env;
    const char *file;
    double speed; /* 0: as fast as possible */
    bool push, feedback, json;
    diffuse_client *client;
    diffuse_watch *watch;
    struct recording_reader *reader;
    struct verb_progress progress;
    struct replay_report report;
    int64_t first_ns,
        begun_ns;  /* of the first sample: in the recording, and now; begun 0: not yet */
    uint64_t lost; /* of those waited for, given up */
};

static const struct argp_option options[] = {
    {"speed", 'x', "X|max", 0, "so many times the recorded pace (1), or as fast as possible", 0},
    {"push", 'p', NULL, 0, "all without loss, by push; else each by the socket that it came by", 0},
    {"compare", 'c', NULL, 0, "compare the labels with the recorded ones (the default)", 0},
    {"no-compare", 'C', NULL, 0, "only send, and wait for the labels", 0},
    {"feedback", 'f', NULL, 0, "send the recorded feedback too, which may tune the model", 0},
    {"json", 'j', NULL, 0, "the result as a JSON object", 0},
    {0},
};

static const char doc[] =
    "Send the samples of a recording again, byte for byte, in order, with their streams, seq and "
    "stamps; wait for the labels, and compare them with the recorded ones.\v"
    "Two labels are the same when label, error and truncation are, and confidences differ by at "
    "most "
    "1e-6. Streams with segments need a daemon that has not seen these streams before. The exit "
    "status is 1 when a label differs or is missing.";

static double parse_speed(const char *text, struct argp_state *state) {
    char *end;
    double x;

    if (strcmp(text, "max") == 0)
        return 0;
    errno = 0;
    x = strtod(text, &end);
    if (errno || end == text || *end || !isfinite(x) || x < 1e-6 || x > 1e9)
        argp_error(state, "--speed '%s': expected a number above 0, or max", text);
    return x;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct replay *r = state->input;

    switch (key) {
    case 'x':
        r->speed = parse_speed(arg, state);
        return 0;
    case 'p':
        r->push = true;
        return 0;
    case 'c':
        r->report.compared = true;
        return 0;
    case 'C':
        r->report.compared = false;
        return 0;
    case 'f':
        r->feedback = true;
        return 0;
    case 'j':
        r->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (r->file)
            argp_error(state, "'%s': unexpected argument; one FILE is replayed", arg);
        r->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no FILE to replay");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool stopped(const struct replay *r) {
    return *r->env->stop;
}

/* Labels that have come, waiting so long for the first. TIMEOUT: none came. */
static diffuse_err hear(struct replay *r, int timeout_ms) {
    diffuse_err e = DIFFUSE_OK;
    bool any = false;

    while (!e) {
        diffuse_result *label;

        e = diffuse_watch_next(r->watch, any ? 0 : timeout_ms, &label);
        if (e == DIFFUSE_BADMSG || e == DIFFUSE_TOOBIG) {
            e = DIFFUSE_OK; /* counts as missing */
            continue;
        }
        if (e)
            break;
        any = true;
        e = match_now(&r->report.match, label);
        diffuse_result_free(label);
    }
    if (r->lost > r->report.match.waiting)
        r->lost = r->report.match.waiting;
    return e == DIFFUSE_TIMEOUT && any ? DIFFUSE_OK : e;
}

static diffuse_err not_timeout(diffuse_err e) {
    return e == DIFFUSE_TIMEOUT ? DIFFUSE_OK : e;
}

/* Until a sample's moment, and until there is room in the window. */
static diffuse_err await_moment(struct replay *r, int64_t after_ns) {
    diffuse_err e = DIFFUSE_OK;
    int64_t due;

    if (r->begun_ns == 0) {
        r->begun_ns = verb_mono_ns();
        r->first_ns = after_ns;
    }
    due = r->begun_ns;
    if (r->speed > 0)
        due += (int64_t)((double)(after_ns - r->first_ns) / r->speed);
    while (!e && !stopped(r)) {
        int64_t left = due - verb_mono_ns();

        if (left <= 0)
            break;
        if (left >= 1000000)
            e = not_timeout(
                hear(r, left > (int64_t)STOP_MS * 1000000 ? STOP_MS : (int)(left / 1000000)));
        else
            (void)nanosleep(&(struct timespec){.tv_nsec = (long)left}, NULL);
    }
    while (!e && !stopped(r) && r->report.match.waiting - r->lost >= WINDOW) {
        e = hear(r, r->env->timeout_ms);
        if (e == DIFFUSE_TIMEOUT) /* as some are, on ingest */
            r->lost = r->report.match.waiting;
        e = not_timeout(e);
    }
    return e ? e : not_timeout(hear(r, 0));
}

static diffuse_err send_one(struct replay *r, struct diffuse_message *m) {
    int64_t until = verb_mono_ns() + (int64_t)r->env->timeout_ms * 1000000;
    diffuse_err e;

    if (r->push)
        m->way = DIFFUSE_PUSH;
    while ((e = diffuse_message_send(
                r->client, m, m->way == DIFFUSE_PUSH ? 20 : r->env->timeout_ms)) == DIFFUSE_BUSY &&
           !stopped(r)) {
        if (verb_mono_ns() > until)
            return DIFFUSE_UNREACH;
        if ((e = not_timeout(hear(r, RETRY_MS))))
            return e;
    }
    if (e)
        return e;
    r->report.messages++;
    if (!diffuse_message_asks(m))
        return DIFFUSE_OK;
    return match_sent(&r->report.match, m->frames[0].data, m->frames[0].len,
                      diffuse_message_seq(m));
}

static diffuse_err expect(struct replay *r, const struct diffuse_message *m) {
    diffuse_result *label;
    diffuse_err e;

    if (!r->report.compared || diffuse_message_kind(m) != DIFFUSE_KIND_LABEL)
        return DIFFUSE_OK;
    e = diffuse_message_result(r->client, m, &label);
    if (e == DIFFUSE_BADMSG || e == DIFFUSE_TOOBIG) {
        r->report.unreadable++;
        return DIFFUSE_OK;
    }
    if (e)
        return e;
    e = match_then(&r->report.match, label);
    diffuse_result_free(label);
    return e;
}

static diffuse_err replay_one(struct replay *r, int64_t after_ns, struct diffuse_message *m) {
    diffuse_err e;

    if (m->way == DIFFUSE_LABELS)
        return expect(r, m);
    if (m->n_frames == 0 || (diffuse_message_kind(m) == DIFFUSE_KIND_FEEDBACK && !r->feedback)) {
        r->report.skipped++;
        return DIFFUSE_OK;
    }
    if ((e = await_moment(r, after_ns)) || stopped(r))
        return e;
    return send_one(r, m);
}

/* What is owed: first the labels that the recording has, then, not as patiently, others. */
static diffuse_err await_rest(struct replay *r) {
    const struct match *m = &r->report.match;
    diffuse_err e = DIFFUSE_OK;

    while (!e && !stopped(r) && m->waiting > 0) {
        bool compared = r->report.compared;

        e = hear(r, compared && m->due == 0 ? CALM_MS : r->env->timeout_ms);
        verb_progress_show(&r->progress, "answered", m->answered);
    }
    return not_timeout(e);
}

static diffuse_err replay_all(struct replay *r) {
    struct recording_why why = {""};
    diffuse_err e = DIFFUSE_OK;

    verb_progress_start(&r->progress);
    while (!e && !stopped(r)) {
        struct diffuse_message m;
        int64_t after_ns;

        e = recording_next(r->reader, &after_ns, &m, &why);
        if (e == DIFFUSE_CORRUPT || e == DIFFUSE_IO || e == DIFFUSE_NOMEM)
            (void)snprintf(r->report.note, sizeof r->report.note, "%s", why.text);
        if (e == DIFFUSE_CORRUPT || e == DIFFUSE_NOTFOUND)
            break;
        if (!e)
            e = replay_one(r, after_ns, &m);
        verb_progress_show(&r->progress, "sent", r->report.messages);
    }
    if (e == DIFFUSE_NOTFOUND && !recording_complete(r->reader))
        (void)snprintf(r->report.note, sizeof r->report.note,
                       "%s: its recorder was killed, or its disk was full: the end may be missing",
                       r->file);
    if (e == DIFFUSE_CORRUPT || e == DIFFUSE_NOTFOUND)
        e = DIFFUSE_OK;
    if (!e)
        e = await_rest(r);
    verb_progress_end(&r->progress);
    match_finish(&r->report.match);
    return e;
}

static int open_all(struct replay *r) {
    struct recording_about about;
    struct recording_why why = {""};
    struct diffuse_status *status;
    diffuse_err e;

    if (recording_open(r->file, &about, &r->reader, &why)) {
        fprintf(stderr, "diffusectl: %s\n", why.text);
        return VERB_FAILED;
    }
    if (!about.both_ways) {
        fprintf(stderr,
                "diffusectl: %s: holds labels and events only, nothing to send; record with "
                "--listen\n",
                r->file);
        return VERB_FAILED;
    }
    if ((e = diffuse_status_get(r->client, r->env->timeout_ms, &status)))
        return verb_fail(r->client, e);
    (void)snprintf(r->report.model_then, sizeof r->report.model_then, "%s", about.model);
    (void)snprintf(r->report.model_now, sizeof r->report.model_now, "%s", status->model_id);
    diffuse_status_free(status);
    if ((e = diffuse_watch_new(r->client, "", DIFFUSE_WATCH_LABELS, r->env->timeout_ms, &r->watch)))
        return verb_fail(r->client, e);
    return VERB_DONE;
}

static int run(struct replay *r) {
    diffuse_err e;
    int status;

    if (open_all(r))
        return VERB_FAILED;
    e = replay_all(r);
    r->report.interrupted = stopped(r);
    status = replay_report(&r->report, r->json);
    if (e && r->report.note[0] && (e == DIFFUSE_IO || e == DIFFUSE_NOMEM))
        return VERB_FAILED; /* the file; the report has said so */
    if (e && !stopped(r))
        return verb_fail(r->client, e);
    return status ? VERB_FAILED : VERB_DONE;
}

int ctl_replay(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, "FILE", doc, NULL, NULL, NULL};
    struct replay r = {.env = env, .speed = 1, .report = {.compared = true}};
    int status;

    if (argp_parse(&argp, argc, argv, 0, NULL, &r))
        return VERB_USAGE;
    env->inflight = INFLIGHT; /* room for labels that come while we send */
    if (!(r.client = verb_open(env)))
        return VERB_FAILED;
    status = run(&r);
    diffuse_watch_free(r.watch);
    recording_free(r.reader);
    match_done(&r.report.match);
    diffuse_client_free(r.client);
    return status;
}
