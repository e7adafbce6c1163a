#include "client/ctl/verb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000

diffuse_client *verb_open(const struct verb_env *env) {
    char why[512] = "";
    struct diffuse_options options = {.size = sizeof options,
                                      .endpoint = env->endpoint,
                                      .server_key = env->server_key,
                                      .key = env->key,
                                      .inflight = env->inflight,
                                      .why = why,
                                      .why_size = sizeof why};
    diffuse_client *client;

    if (diffuse_client_new(&options, &client) == DIFFUSE_OK)
        return client;
    fprintf(stderr, "diffusectl: %s\n", why);
    return NULL;
}

int verb_fail(const diffuse_client *client, diffuse_err e) {
    if (e == DIFFUSE_UNREACH)
        fprintf(stderr,
                "diffusectl: no answer at %s: %s. Start diffused, or say where it is with "
                "--endpoint\n",
                diffuse_endpoint(client), diffuse_why(client));
    else
        fprintf(stderr, "diffusectl: %s\n", diffuse_why(client));
    return VERB_FAILED;
}

unsigned long long verb_number(const char *option, const char *text, unsigned long long max) {
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] < '0' || text[0] > '9' || value > max) {
        fprintf(stderr, "diffusectl: %s '%s': expected a whole number up to %llu\n", option, text,
                max);
        exit(VERB_USAGE);
    }
    return value;
}

static int64_t read_clock(clockid_t clock) {
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

int64_t verb_now_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t verb_mono_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

void verb_progress_start(struct verb_progress *p) {
    p->on = isatty(STDERR_FILENO);
    p->begun_ns = verb_now_ns();
    p->due_ns = p->begun_ns + 2 * (int64_t)SECOND_NS;
}

void verb_progress_show(struct verb_progress *p, const char *what, unsigned long long n) {
    int64_t now;

    if (!p->on || (now = verb_now_ns()) < p->due_ns)
        return;
    p->due_ns = now + 2 * (int64_t)SECOND_NS;
    fprintf(stderr, "\r%llu %s, %.0f/s ", n, what,
            (double)n * SECOND_NS / (double)(now - p->begun_ns));
    (void)fflush(stderr);
}

void verb_progress_end(struct verb_progress *p) {
    if (p->on)
        fputs("\r\033[K", stderr);
}
