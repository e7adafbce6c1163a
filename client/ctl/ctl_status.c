/* ctl_status.c - diffusectl status: model, memory plan, counters, latency. */
#include <argp.h>
#include <inttypes.h>

#include "client/ctl/ctl_json.h"
#include "client/ctl/verb.h"

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "a JSON object", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    bool *json = state->input;

    switch (key) {
    case 'j':
        *json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': unexpected argument", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_bytes(const char *name, uint64_t bytes, const char *detail) {
    printf("  %-22s %10.1f KiB  %s\n", name, (double)bytes / 1024, detail);
}

static void print_latency(const struct diffuse_status *s) {
    printf("latency over %" PRIu64 " samples\n", s->latency_count);
    if (s->latency_count > 0)
        printf("  p50 %.3f ms  p90 %.3f ms  p99 %.3f ms  max %.3f ms\n",
               (double)s->latency_p50_ns / 1e6, (double)s->latency_p90_ns / 1e6,
               (double)s->latency_p99_ns / 1e6, (double)s->latency_max_ns / 1e6);
}

static void print(const struct diffuse_status *s) {
    printf("diffused %s, up %.0f s, %u workers, %u queued\n", s->version,
           (double)s->uptime_ns / 1e9, (unsigned)s->workers, (unsigned)s->queued);
    printf("model %s (%s), kernel %s, %s\n", s->model_id, s->model_path, s->kernel, s->precision);
    printf("labels");
    for (size_t i = 0; i < s->n_labels; i++)
        printf("%s %s", i ? "," : "", s->labels[i]);
    printf("\nmemory\n");
    for (size_t i = 0; i < s->n_plan; i++)
        print_bytes(s->plan[i].name, s->plan[i].bytes, s->plan[i].detail);
    print_bytes("planned", s->memory_plan, "");
    print_bytes("budget", s->memory_budget, "");
    print_bytes("resident now", s->memory_resident, "");
    print_bytes("resident peak", s->memory_peak, "");
    print_latency(s);
    printf("counters\n");
    for (size_t i = 0; i < s->n_counters; i++)
        printf("  %-32s %12" PRIu64 "\n", s->counters[i].name, s->counters[i].value);
}

int ctl_status(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {
        options, parse, NULL, "Show what the daemon says about itself.", NULL, NULL, NULL};
    struct diffuse_status *s = NULL;
    diffuse_client *client;
    bool json = false;
    diffuse_err e;
    int status = VERB_DONE;

    if (argp_parse(&argp, argc, argv, 0, NULL, &json))
        return VERB_USAGE;
    if (!(client = verb_open(env)))
        return VERB_FAILED;
    if ((e = diffuse_status_get(client, env->timeout_ms, &s)))
        status = verb_fail(client, e);
    else if (json)
        status = ctl_json_status(s) == 0 ? VERB_DONE : VERB_FAILED;
    else
        print(s);
    diffuse_status_free(s);
    diffuse_client_free(client);
    return status;
}
