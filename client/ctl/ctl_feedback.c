/* ctl_feedback.c - diffusectl feedback: true labels of samples that were classified, or of texts.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/verb.h"

enum { LINGER_MS = 200, PAUSE_MS = 20, PAUSE_MAX_MS = 500, PATIENCE_MS = 60000 };

struct feedback_args {
    const char *stream, *label, *text;
    uint64_t seq;
    bool no_answer;
};

/* One run. */
struct teller {
    const struct verb_env *env;
    diffuse_client *client;
    bool no_answer;
    uint64_t line; /* of standard input; 0: the piece is from the command line */
    uint64_t sent, given, repeated, refused, bad;
};

static const struct argp_option options[] = {
    {"stream", 's', "NAME", 0, "the stream of the sample", 0},
    {"seq", 'n', "N", 0, "its number", 0},
    {"no-answer", 'N', NULL, 0,
     "do not wait to be told what became of it, as a key without the role subscribe cannot be", 0},
    {0},
};

static const char doc[] =
    "Tell the daemon the true LABEL of a sample that it classified, named by "
    "--stream and --seq, or of TEXT. "
    "Without a LABEL, lines of standard input: STREAM, SEQ, LABEL and, "
    "optional, TEXT, separated by tabs. Each piece is sent when the daemon has said what "
    "became of the one before; while it takes none, for as many wait, the piece is said "
    "again. The exit status is 1 when one was not taken. "
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
    case 'N':
        a->no_answer = true;
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

static bool may_wait(const struct teller *t, int64_t since_ns) {
    return !*t->env->stop && verb_mono_ns() - since_ns < (int64_t)PATIENCE_MS * 1000000;
}

/* What became of the piece, once it is settled: while too many wait, or the daemon is away that has
 * heard others, it is said again. */
static diffuse_err settle(struct teller *t, const struct diffuse_feedback_info *info,
                          diffuse_result **ret_result) {
    int64_t since = verb_mono_ns();
    int pause = PAUSE_MS;
    bool heard = t->given + t->repeated + t->refused > 0;

    for (;;) {
        diffuse_result *r = NULL;
        diffuse_err e = diffuse_feedback_told(t->client, info, t->env->timeout_ms, &r);
        bool again = e ? e == DIFFUSE_UNREACH && heard
                       : strcmp(diffuse_result_event_kind(r), "dropped") == 0;

        if (!again || !may_wait(t, since)) {
            *ret_result = r;
            return e;
        }
        diffuse_result_free(r);
        (void)poll(NULL, 0, pause);
        pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
    }
}

static diffuse_err send_one(struct teller *t, const struct feedback_args *a) {
    struct diffuse_feedback_info info = {.size = sizeof info,
                                         .stream = a->stream,
                                         .seq = a->seq,
                                         .label = a->label,
                                         .text = a->text,
                                         .text_len = a->text ? strlen(a->text) : 0};
    diffuse_result *r = NULL;
    const char *kind;
    diffuse_err e;

    if (t->no_answer) {
        e = diffuse_feedback(t->client, &info, t->env->timeout_ms);
        t->sent += !e;
        return e;
    }
    e = settle(t, &info, &r);

    if (e)
        return e;
    kind = diffuse_result_event_kind(r);
    if (strcmp(kind, "given") == 0)
        t->given++;
    else if (strcmp(kind, "repeated") == 0)
        t->repeated++;
    else {
        t->refused++;
        fputs("diffusectl: ", stderr);
        if (t->line)
            fprintf(stderr, "line %" PRIu64 ": ", t->line);
        fprintf(stderr, "feedback not taken (%s): %s\n", kind, diffuse_result_event_text(r));
    }
    diffuse_result_free(r);
    return DIFFUSE_OK;
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

/* A line that cannot be a piece is said, and passed over. */
static diffuse_err tell_line(struct teller *t, const char *line, size_t len) {
    struct feedback_args a = {0};
    char *copy = memchr(line, 0, len) ? strdup("") : strdup(line);
    diffuse_err e = DIFFUSE_OK;

    if (!copy)
        return DIFFUSE_NOMEM;
    if (!split(copy, &a)) {
        fprintf(stderr,
                "diffusectl: line %" PRIu64
                ": expected STREAM, SEQ, LABEL [TEXT], separated by tabs\n",
                t->line);
        t->bad++;
    } else if ((e = send_one(t, &a)) == DIFFUSE_INVAL || e == DIFFUSE_BADNAME ||
               e == DIFFUSE_TOOBIG) {
        fprintf(stderr, "diffusectl: line %" PRIu64 ": %s\n", t->line, diffuse_why(t->client));
        t->bad++;
        e = DIFFUSE_OK;
    }
    free(copy);
    return e;
}

static int from_input(struct teller *t) {
    struct verb_input in = {0};
    const char *line;
    diffuse_err e = DIFFUSE_OK;
    int status;
    long len;

    while (!e && !*t->env->stop && (len = verb_input_line(&in, &line)) >= 0) {
        t->line++;
        e = tell_line(t, line, (size_t)len);
    }
    status = verb_input_done(&in);
    if (e) {
        fprintf(stderr, "diffusectl: line %" PRIu64 " and what follows was not sent:\n", t->line);
        status = verb_fail(t->client, e);
    }
    if (t->no_answer)
        fprintf(stderr, "sent %" PRIu64 ", not sent %" PRIu64 "\n", t->sent, t->bad);
    else
        fprintf(stderr, "given %" PRIu64 ", said before %" PRIu64 ", not taken %" PRIu64 "\n",
                t->given, t->repeated, t->refused + t->bad);
    return status;
}

int ctl_feedback(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options, parse, "[LABEL [TEXT]]", doc, NULL, NULL, NULL};
    struct feedback_args a = {0};
    struct teller t = {.env = env};
    int status = VERB_DONE;
    diffuse_err e;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    t.no_answer = a.no_answer;
    if (!(t.client = verb_open(env)))
        return VERB_FAILED;
    if (!a.label)
        status = from_input(&t);
    else if ((e = send_one(&t, &a)))
        status = verb_fail(t.client, e);
    if (t.sent > 0)
        (void)poll(NULL, 0, LINGER_MS); /* leave it the time to be read */
    diffuse_client_free(t.client);
    return t.refused || t.bad ? VERB_FAILED : status;
}
