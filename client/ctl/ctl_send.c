/* ctl_send.c - diffusectl send: samples from standard input, one a line. */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/verb.h"
#include "proto/standard.h"

enum { INFLIGHT = 256, TOKENS_MAX = 65536, LOOK_MS = 20, PIECE_MS = 500, PATIENCE_MS = 60000 };

struct send_args {
    const char *stream;
    uint64_t seq_start;
    uint32_t max_age_ms;
    int patience_ms;
    bool push, tokens, wait, quiet, segment;
};

/* A line whose answer is to come. */
struct line {
    char *text; /* NULL: none */
    size_t len;
};

/* One run: what was read, sent and answered. */
struct sender {
    const struct verb_env *env;
    struct send_args args;
    diffuse_client *client;
    diffuse_watch *watch; /* without --push: the labels of our stream, to know when to leave */
    struct verb_progress progress;
    uint64_t sent, answered, failed, refused; /* failed: no label came; refused: never sent */
    bool unread;                              /* standard input ended in an error */
    uint64_t resent;                          /* as was said, */
    int64_t away_ns;                          /* and since when the daemon is away; 0: it is not */
    struct line *lines;                       /* --wait: those in flight, by seq modulo INFLIGHT */
    uint32_t *ids;                            /* --tokens: TOKENS_MAX */
    char *joined;                             /* --segment: a line with its newline */
    size_t joined_size;
};

static const struct argp_option options[] = {
    {"stream", 's', "NAME", 0, "the stream's name (a unique one)", 0},
    {"push", 'p', NULL, 0, "without loss: wait for room, and until every sample is answered", 0},
    {"tokens", 'k', NULL, 0, "lines are token ids, separated by spaces", 0},
    {"wait", 'w', NULL, 0,
     "--push, and print LABEL, CONFIDENCE, TEXT for every line; a segment's policy may put - for "
     "no label yet, and ? before one that is not sure",
     0},
    {"segment", 'S', NULL, 0,
     "the lines are one text that goes on: each is answered for all so far, and the end of the "
     "input ends it with an empty sample",
     0},
    {"seq-start", 'n', "N", 0, "number of the first sample (1)", 0},
    {"max-age", 'a', "MS", 0,
     "samples older than so many milliseconds are answered EXPIRED rather than late (as the daemon "
     "is configured)",
     0},
    {"patience", 'P', "MS", 0,
     "wait so long for a daemon that went away, then send again what it did not answer (60000)", 0},
    {"quiet", 'q', NULL, 0, "no count at the end", 0},
    {0},
};

static const char doc[] =
    "Send each line of standard input as a sample, and count the labels that come. By default "
    "samples are published on ingest, where a daemon that cannot keep up may lose some; with "
    "--push "
    "none is lost. The exit status is 1 when a sample got no label.";

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct send_args *a = state->input;

    switch (key) {
    case 's':
        a->stream = arg;
        return 0;
    case 'p':
        a->push = true;
        return 0;
    case 'k':
        a->tokens = true;
        return 0;
    case 'w':
        a->push = a->wait = true;
        return 0;
    case 'n':
        a->seq_start = verb_number("--seq-start", arg, UINT64_MAX / 2);
        return 0;
    case 'a':
        a->max_age_ms = (uint32_t)verb_number("--max-age", arg, UINT32_MAX);
        return 0;
    case 'P':
        a->patience_ms = (int)verb_number("--patience", arg, INT32_MAX);
        return 0;
    case 'S':
        a->segment = true;
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': unexpected argument; lines come from standard input", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Token ids of a line into s->ids; false when there is something else in it. */
static bool parse_tokens(const struct sender *s, const char *line, struct diffuse_sample *sample) {
    size_t n = 0;

    for (;;) {
        char *end;
        unsigned long id;

        while (isspace((unsigned char)*line))
            line++;
        if (!*line)
            break;
        errno = 0;
        id = strtoul(line, &end, 10);
        if (!isdigit((unsigned char)*line) || errno || id > UINT32_MAX || n >= TOKENS_MAX ||
            (*end && !isspace((unsigned char)*end)))
            return false;
        s->ids[n++] = (uint32_t)id;
        line = end;
    }
    sample->tokens = s->ids;
    sample->n_tokens = n;
    return true;
}

/* A line as it came, whatever bytes are in it. */
static void print_line(struct line *line) {
    if (line->text)
        (void)fwrite(line->text, 1, line->len, stdout);
    putchar('\n');
    free(line->text);
    *line = (struct line){NULL, 0};
}

static void print_answer(struct sender *s, const diffuse_result *r) {
    diffuse_err error = diffuse_result_error(r);

    if (error)
        printf("!%s\t0\t", diffuse_errname(error));
    else if (diffuse_result_held(r))
        printf("-\t0\t");
    else
        printf("%s%s\t%.4f\t", diffuse_result_abstained(r) ? "?" : "", diffuse_result_label(r),
               (double)diffuse_result_confidence(r));
    print_line(&s->lines[diffuse_result_seq(r) % INFLIGHT]);
}

/* A line that is never sent is answered here. */
static void print_refused(const struct sender *s, diffuse_err e, const char *line, size_t len) {
    if (!s->args.wait)
        return;
    printf("!%s\t0\t", diffuse_errname(e));
    (void)fwrite(line, 1, len, stdout);
    putchar('\n');
}

/* Once something was sent, a daemon that went away is waited for, and said to be away; one that is
 * there, as long as for any answer. since_ns: when that wait began. True: try again. */
static bool waits(struct sender *s, diffuse_err e, int64_t since_ns) {
    int64_t waited, limit_ms = s->env->timeout_ms;

    if ((e != DIFFUSE_UNREACH && e != DIFFUSE_BUSY && e != DIFFUSE_TIMEOUT) || *s->env->stop)
        return false;
    if (e == DIFFUSE_UNREACH && s->sent > 0 && s->away_ns == 0) {
        s->away_ns = verb_mono_ns();
        fprintf(stderr, "diffusectl: %s; waiting for the daemon\n", diffuse_why(s->client));
    }
    if (s->away_ns) {
        since_ns = s->away_ns;
        limit_ms = s->args.patience_ms;
    }
    waited = verb_mono_ns() - since_ns;
    return waited < limit_ms * 1000000;
}

/* A wait is cut into pieces, so that what went away is said soon. */
static int piece(const struct sender *s, int timeout_ms) {
    return s->sent > 0 && timeout_ms > PIECE_MS ? PIECE_MS : timeout_ms;
}

static void say_resent(struct sender *s) {
    uint64_t resent = diffuse_resent(s->client);

    s->away_ns = 0;
    if (resent == s->resent)
        return;
    fprintf(stderr, "diffusectl: the connection was cut; sent again: %" PRIu64 "\n",
            resent - s->resent);
    s->resent = resent;
}

/* Take one answer. */
static diffuse_err answer(struct sender *s, int timeout_ms) {
    int64_t since = verb_mono_ns();
    diffuse_result *r;
    diffuse_err e;

    while ((e = diffuse_next(s->client, piece(s, timeout_ms), &r)))
        if (timeout_ms == LOOK_MS || !waits(s, e, since))
            break;
    if (e)
        return e;
    say_resent(s);
    s->answered++;
    s->failed += diffuse_result_error(r) != DIFFUSE_OK;
    if (s->args.wait)
        print_answer(s, r);
    diffuse_result_free(r);
    return DIFFUSE_OK;
}

/* Room for one more. After a cut, what was sent again is answered behind what came later: few in
 * flight do not yet mean that the place of a line is free. */
static bool has_room(const struct sender *s, uint64_t seq) {
    return diffuse_inflight(s->client) < INFLIGHT && !s->lines[seq % INFLIGHT].text;
}

static diffuse_err push(struct sender *s, const struct diffuse_sample *sample) {
    int64_t since = verb_mono_ns();
    diffuse_ticket ticket;
    diffuse_err e = DIFFUSE_OK;

    while (!e && !has_room(s, sample->seq))
        e = answer(s, s->env->timeout_ms);
    if (e)
        return e;
    while ((e = diffuse_submit(s->client, sample, piece(s, s->env->timeout_ms), &ticket)))
        if (!waits(s, e, since))
            break;
    if (!e)
        say_resent(s);
    return e;
}

/* Count the labels of our stream that have come, waiting for the first of them only. */
static diffuse_err see_labels(struct sender *s, int timeout_ms) {
    diffuse_result *r;
    diffuse_err e;

    while (!(e = diffuse_watch_next(s->watch, timeout_ms, &r))) {
        if (strcmp(diffuse_result_stream(r), s->args.stream) == 0) {
            s->answered++;
            s->failed += diffuse_result_error(r) != DIFFUSE_OK;
            timeout_ms = 0;
        }
        diffuse_result_free(r);
    }
    return e == DIFFUSE_TIMEOUT && timeout_ms == 0 ? DIFFUSE_OK : e;
}

/* What is lost is lost on the way, not here. */
static diffuse_err publish(struct sender *s, const struct diffuse_sample *sample) {
    int64_t since = verb_mono_ns();
    diffuse_err e;

    if (!s->watch && (e = diffuse_watch_new(s->client, s->args.stream, DIFFUSE_WATCH_LABELS,
                                            s->env->timeout_ms, &s->watch)))
        return e;
    while ((e = diffuse_publish(s->client, sample, piece(s, s->env->timeout_ms))))
        if (!waits(s, e, since))
            break;
    s->away_ns = 0;
    return e ? e : see_labels(s, 0);
}

/* A segment's lines are apart: the newline belongs to its text. */
static diffuse_err join(struct sender *s, const char *line, size_t len,
                        struct diffuse_sample *sample) {
    if (s->joined_size < len + 1) {
        char *larger = realloc(s->joined, len + 1);

        if (!larger)
            return DIFFUSE_NOMEM;
        s->joined = larger;
        s->joined_size = len + 1;
    }
    memcpy(s->joined, line, len);
    s->joined[len] = '\n';
    sample->text = s->joined;
    sample->text_len = len + 1;
    return DIFFUSE_OK;
}

static diffuse_err keep_line(struct line *to, const char *line, size_t len) {
    char *copy = malloc(len + 1);

    if (!copy)
        return DIFFUSE_NOMEM;
    memcpy(copy, line, len);
    to->text = copy;
    to->len = len;
    return DIFFUSE_OK;
}

static diffuse_err send_line(struct sender *s, const char *line, size_t len) {
    struct diffuse_sample sample = {.size = sizeof sample,
                                    .stream = s->args.stream,
                                    .seq = s->args.seq_start + s->sent,
                                    .stamp_ns = verb_now_ns(),
                                    .max_age_ms = s->args.max_age_ms,
                                    .segment = s->args.segment ? DIFFUSE_CONTINUES : DIFFUSE_WHOLE};
    diffuse_err e = DIFFUSE_OK;

    if (!s->args.tokens) {
        sample.text = line;
        sample.text_len = len;
    } else if (!parse_tokens(s, line, &sample)) {
        fprintf(stderr, "diffusectl: line %" PRIu64 ": expected token ids separated by spaces\n",
                s->sent + s->refused + 1);
        s->refused++;
        return DIFFUSE_OK;
    }
    if (s->args.segment && !s->args.tokens)
        e = join(s, line, len, &sample);
    if (!e)
        e = s->args.push ? push(s, &sample) : publish(s, &sample);
    if (e == DIFFUSE_TOOBIG) {
        fprintf(stderr, "diffusectl: line %" PRIu64 ": %s\n", s->sent + s->refused + 1,
                diffuse_why(s->client));
        print_refused(s, e, line, len);
        s->refused++;
        return DIFFUSE_OK;
    }
    if (!e && s->args.wait)
        e = keep_line(&s->lines[sample.seq % INFLIGHT], line, len);
    s->sent += !e;
    return e;
}

static diffuse_err end_segment(struct sender *s) {
    struct diffuse_sample sample = {.size = sizeof sample,
                                    .stream = s->args.stream,
                                    .seq = s->args.seq_start + s->sent,
                                    .stamp_ns = verb_now_ns(),
                                    .max_age_ms = s->args.max_age_ms,
                                    .text = "",
                                    .segment = DIFFUSE_ENDS};
    diffuse_err e = s->args.push ? push(s, &sample) : publish(s, &sample);

    s->sent += !e;
    return e;
}

/* While there is nothing to be read, answers are: a line typed or trickling in is answered at once.
 */
static diffuse_err answer_meanwhile(struct sender *s, const struct verb_input *in) {
    diffuse_err e = DIFFUSE_OK;

    while (!e && s->args.wait && !*s->env->stop && diffuse_inflight(s->client) > 0 &&
           !verb_input_ready(in)) {
        e = answer(s, LOOK_MS);
        if (e == DIFFUSE_TIMEOUT || e == DIFFUSE_UNREACH || e == DIFFUSE_BUSY)
            e = DIFFUSE_OK; /* said when there is something to be waited for */
        if (!standard_output_ok())
            break;
    }
    return e;
}

static diffuse_err send_all(struct sender *s) {
    struct verb_input in = {0};
    diffuse_err e = DIFFUSE_OK;
    const char *line;
    long len;

    verb_progress_start(&s->progress);
    while (!e && !*s->env->stop && !ferror(stdout) && (len = verb_input_line(&in, &line)) >= 0) {
        if (!(e = send_line(s, line, (size_t)len)))
            e = answer_meanwhile(s, &in);
        verb_progress_show(&s->progress, "sent", s->sent);
    }
    s->unread = verb_input_done(&in) != VERB_DONE;
    if (!e && s->args.segment && s->sent > 0)
        e = end_segment(s);
    while (!e && !ferror(stdout) && s->answered < s->sent) {
        e = s->args.push ? answer(s, s->env->timeout_ms) : see_labels(s, s->env->timeout_ms);
        verb_progress_show(&s->progress, "answered", s->answered);
    }
    if (e == DIFFUSE_TIMEOUT && !s->args.push)
        e = DIFFUSE_OK; /* the rest is lost; the count says so */
    verb_progress_end(&s->progress);
    return e;
}

/* The count, and the exit status. */
static int report(struct sender *s, diffuse_err e) {
    int status = VERB_DONE;

    if (e)
        status = verb_fail(s->client, e);
    if (s->failed || s->refused || s->unread || s->answered < s->sent)
        status = VERB_FAILED;
    if (s->args.quiet && status == VERB_DONE)
        return status;
    fprintf(stderr, "sent %" PRIu64 ", answered %" PRIu64, s->sent, s->answered);
    if (s->failed)
        fprintf(stderr, ", %" PRIu64 " of them without a label", s->failed);
    if (s->refused)
        fprintf(stderr, ", not sent %" PRIu64, s->refused);
    fputc('\n', stderr);
    return status;
}

static int run(struct sender *s) {
    diffuse_err e;

    if (!s->args.stream)
        s->args.stream = diffuse_stream(s->client);
    s->lines = calloc(INFLIGHT, sizeof *s->lines);
    s->ids = malloc(TOKENS_MAX * sizeof *s->ids);
    if (!s->lines || !s->ids) {
        fputs("diffusectl: out of memory\n", stderr);
        return VERB_FAILED;
    }
    e = send_all(s);
    return report(s, e);
}

int ctl_send(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    struct sender s = {.env = env, .args = {.seq_start = 1, .patience_ms = PATIENCE_MS}};
    int status;

    if (argp_parse(&argp, argc, argv, 0, NULL, &s.args))
        return VERB_USAGE;
    env->inflight = INFLIGHT;
    if (!(s.client = verb_open(env)))
        return VERB_FAILED;
    status = run(&s);
    for (size_t i = 0; s.lines && i < INFLIGHT; i++)
        free(s.lines[i].text);
    free(s.lines);
    free(s.ids);
    free(s.joined);
    diffuse_watch_free(s.watch);
    diffuse_client_free(s.client);
    return status;
}
