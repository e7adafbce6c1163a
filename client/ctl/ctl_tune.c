/* ctl_tune.c - diffusectl tune: online fine-tuning on, off, status, reset, save. */
#include <argp.h>
#include <inttypes.h>
#include <string.h>

#include "client/ctl/ctl_json.h"
#include "client/ctl/verb.h"

enum { PATIENCE_MS = 120000 }; /* a judgement and a promotion take as long as they take */

struct tune_args {
    enum diffuse_tune_action action;
    bool given, json;
};

static const struct {
    const char *word;
    enum diffuse_tune_action action;
} actions[] = {
    {"status", DIFFUSE_TUNE_STATUS}, {"on", DIFFUSE_TUNE_ON},     {"off", DIFFUSE_TUNE_OFF},
    {"reset", DIFFUSE_TUNE_RESET},   {"save", DIFFUSE_TUNE_SAVE},
};

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "a JSON object", 0},
    {0},
};

static error_t take_action(struct tune_args *a, const char *word, struct argp_state *state) {
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(word, actions[i].word) == 0) {
            a->action = actions[i].action;
            a->given = true;
            return 0;
        }
    argp_error(state, "'%s': expected on, off, status, reset or save", word);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct tune_args *a = state->input;

    switch (key) {
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->given)
            argp_error(state, "'%s': unexpected argument", arg);
        return take_action(a, arg, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_streams(const struct diffuse_tune_status *s) {
    if (s->n_streams > 0)
        printf("%-32s %10s %10s %10s %6s\n", "stream", "feedback", "agreed", "contested", "trust");
    for (size_t i = 0; i < s->n_streams; i++) {
        const struct diffuse_trust *t = &s->streams[i];

        printf("%-32s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %6.2f%s\n", t->stream, t->feedback,
               t->agreed, t->contested, t->trust, t->distrusted ? "  distrusted" : "");
    }
}

static void print(const struct diffuse_tune_status *s) {
    printf("tuning is %s; %" PRIu64 " promotions in force\n", s->on ? "on" : "off", s->promotions);
    printf("root    %s\nserving %s\nstate   %s\n", s->root_id, s->serving_id, s->state_dir);
    printf("rows    %" PRIu64 " for training, %" PRIu64 " held back, %" PRIu64
           " of rehearsal; %" PRIu64 " new since the last promotion\n",
           s->rows_train, s->rows_held, s->rows_rehearsal, s->rows_new);
    if (s->recent_rows > 0)
        printf("recent  %.1f %% of the latest %" PRIu64 " samples with feedback were right\n",
               100 * s->recent, s->recent_rows);
    if (*s->verdict)
        printf("gate    %s (held back: %" PRIu64
               " rows, serving %.1f %%, candidate %.1f %%, p %.3g)\n",
               s->verdict, s->held_rows, 100 * s->held_serving, 100 * s->held_candidate,
               s->p_worse);
    printf("steps   %" PRIu64 ", journal %.1f KiB\n", s->steps, (double)s->journal_bytes / 1024);
    print_streams(s);
}

int ctl_tune(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options,
                                     parse,
                                     "[on|off|status|reset|save]",
                                     "Online fine-tuning from feedback. `save` judges what was "
                                     "learned now, and promotes it if it "
                                     "passes; `reset` returns to the checkpoint that tuning began "
                                     "with and sets aside what was learned.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct tune_args a = {.action = DIFFUSE_TUNE_STATUS};
    struct diffuse_tune_status *s = NULL;
    diffuse_client *client;
    int patience = env->timeout_ms < PATIENCE_MS ? PATIENCE_MS : env->timeout_ms,
        status = VERB_DONE;
    diffuse_err e;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    if ((e = diffuse_tune(client, a.action, patience, &s)))
        status = verb_fail(client, e);
    else if (a.json)
        status = ctl_json_tune(s) == 0 ? VERB_DONE : VERB_FAILED;
    else
        print(s);
    diffuse_tune_free(s);
    diffuse_client_free(client);
    return status;
}
