/* ctl_metrics.c - diffusectl metrics: everything that is counted, for machines. */
#include <argp.h>

#include "client/ctl/verb.h"

static error_t parse(int key, char *arg, struct argp_state *state) {
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "'%s': unexpected argument", arg);
    return 0;
}

int ctl_metrics(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {
        NULL, parse, NULL, "Print everything that the daemon counts, as OpenMetrics text.",
        NULL, NULL,  NULL};
    struct diffuse_metrics *m = NULL;
    diffuse_client *client;
    int status = VERB_DONE;
    diffuse_err e;

    if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    if ((e = diffuse_metrics_get(client, env->timeout_ms, &m)))
        status = verb_fail(client, e);
    else if (fwrite(m->text, 1, m->len, stdout) != m->len || fflush(stdout) != 0)
        status = VERB_FAILED;
    diffuse_metrics_free(m);
    diffuse_client_free(client);
    return status;
}
