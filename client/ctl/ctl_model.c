/* ctl_model.c - diffusectl reload and rollback: which model answers. */
#include <argp.h>
#include <time.h>

#include "client/ctl/ctl_json.h"
#include "client/ctl/verb.h"

enum { RETRY_MS = 100, PATIENCE_MS = 120000 }; /* for a checkpoint that is read from a slow card */

struct model_args {
    const char *path;
    bool json, takes_path;
};

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "a JSON object", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct model_args *a = state->input;

    switch (key) {
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!a->takes_path || a->path)
            argp_error(state, "'%s': unexpected argument", arg);
        a->path = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print(const struct diffuse_model *m) {
    printf("model %s (%s), %u labels, after %.1f ms\n", m->id, m->path, (unsigned)m->labels,
           (double)m->load_ns / 1e6);
    if (*m->parent)
        printf("tuned from %s\n", m->parent);
    if (*m->previous)
        printf("rollback returns to %s\n", m->previous);
    if (*m->note)
        printf("note: %s\n", m->note);
}

/* Say what came of it; frees both. */
static int finish(diffuse_client *client, const struct model_args *a, diffuse_err e,
                  struct diffuse_model *m) {
    int status = VERB_DONE;

    if (e)
        status = verb_fail(client, e);
    else if (a->json)
        status = ctl_json_model(m) == 0 ? VERB_DONE : VERB_FAILED;
    else
        print(m);
    diffuse_model_free(m);
    diffuse_client_free(client);
    return status;
}

/* One is loaded at a time, and the daemon may just have seen by itself that the file has changed:
 * ask again until it has done with that. */
static diffuse_err reload_in_turn(struct verb_env *env, diffuse_client *client, const char *path,
                                  struct diffuse_model **ret_model) {
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
    int patience = env->timeout_ms < PATIENCE_MS ? PATIENCE_MS : env->timeout_ms;
    diffuse_err e;

    for (int waited = 0; (e = diffuse_reload(client, path, patience, ret_model)) == DIFFUSE_BUSY &&
                         waited < patience && !*env->stop;
         waited += RETRY_MS)
        (void)nanosleep(&pause, NULL);
    return e;
}

int ctl_reload(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options,
                                     parse,
                                     "[PATH]",
                                     "Have the daemon load a checkpoint (PATH on its machine; the "
                                     "configured one without) aside, check "
                                     "it, and answer with it from then on. When it is refused the "
                                     "old model serves on, and the exit "
                                     "status is 1.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct model_args a = {.takes_path = true};
    struct diffuse_model *m = NULL;
    diffuse_client *client;
    diffuse_err e;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    e = reload_in_turn(env, client, a.path, &m);

    return finish(client, &a, e, m);
}

int ctl_rollback(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {
        options, parse, NULL, "Let the model before the one that serves answer again.",
        NULL,    NULL,  NULL};
    struct model_args a = {0};
    struct diffuse_model *m = NULL;
    diffuse_client *client;
    diffuse_err e;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    e = diffuse_rollback(client, env->timeout_ms, &m);

    return finish(client, &a, e, m);
}
