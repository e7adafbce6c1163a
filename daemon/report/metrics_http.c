#include "daemon/report/metrics_http.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"

#define LIBRARY          "libmicrohttpd.so.12"
#define CONNECTION_BYTES 8192u          /* of a connection's buffers */
#define STACK_BYTES      (128u * 1024u) /* of its thread */
#define DEAD_NS          15000000000u   /* without a turn of the loop */
#define REASON_BYTES     96u

/* What is called of the library. */
struct library {
    __typeof__(&MHD_start_daemon) start;
    __typeof__(&MHD_stop_daemon) stop;
    __typeof__(&MHD_get_daemon_info) info;
    __typeof__(&MHD_create_response_from_buffer) response;
    __typeof__(&MHD_add_response_header) header;
    __typeof__(&MHD_lookup_connection_value) lookup;
    __typeof__(&MHD_queue_response) queue;
    __typeof__(&MHD_destroy_response) destroy;
};

struct metrics_http {
    struct library mhd;
    struct MHD_Daemon *daemon; /* NULL: not started */
    char *fresh;               /* the loop's, to write into */
    pthread_mutex_t lock;
    char *text[METRICS_FORMATS]; /* with the lock */
    size_t len[METRICS_FORMATS];
    char not_ready[REASON_BYTES]; /* with the lock; "": it is */
    _Atomic uint64_t turned_ns;
};

/* --- the library --- */

static bool find(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static bool find_all(void *library, struct library *mhd) {
    return find(library, "MHD_start_daemon", &mhd->start) &&
           find(library, "MHD_stop_daemon", &mhd->stop) &&
           find(library, "MHD_get_daemon_info", &mhd->info) &&
           find(library, "MHD_create_response_from_buffer", &mhd->response) &&
           find(library, "MHD_add_response_header", &mhd->header) &&
           find(library, "MHD_lookup_connection_value", &mhd->lookup) &&
           find(library, "MHD_queue_response", &mhd->queue) &&
           find(library, "MHD_destroy_response", &mhd->destroy);
}

diffuse_err metrics_http_load(struct metrics_http **ret_web, struct reason *why) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* for as long as the process lives */
    if (!library)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "metrics over HTTP take libmicrohttpd: %.200s; install libmicrohttpd12 "
                          "(and under the packaged unit, its drop-in tcp.conf), or leave metrics "
                          "empty",
                          dlerror());
    struct metrics_http *w = calloc(1, sizeof *w);
    if (!w)
        return reason_set(why, DIFFUSE_NOMEM, "%s", diffuse_strerror(DIFFUSE_NOMEM));
    if (!find_all(library, &w->mhd) || pthread_mutex_init(&w->lock, NULL) != 0) {
        free(w);
        return reason_set(why, DIFFUSE_UNSUPPORTED, "%s lacks a function", LIBRARY);
    }
    snprintf(w->not_ready, sizeof w->not_ready, "starting");
    *ret_web = w;
    return DIFFUSE_OK;
}

/* --- answers; the library's thread --- */

static enum MHD_Result answer(const struct metrics_http *w, struct MHD_Connection *c,
                              unsigned status, const char *type, const char *text, size_t len) {
    struct MHD_Response *r = w->mhd.response(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!r)
        return MHD_NO;
    (void)w->mhd.header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)w->mhd.header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = w->mhd.queue(c, status, r);
    w->mhd.destroy(r);
    return result;
}

static enum MHD_Result answer_line(const struct metrics_http *w, struct MHD_Connection *c,
                                   unsigned status, const char *line) {
    char text[REASON_BYTES + 2];
    int n = snprintf(text, sizeof text, "%s\n", line);
    return answer(w, c, status, "text/plain; charset=utf-8", text, (size_t)n);
}

static bool turns(const struct metrics_http *w) {
    return clock_now() - atomic_load(&w->turned_ns) < DEAD_NS;
}

static enum MHD_Result answer_metrics(struct metrics_http *w, struct MHD_Connection *c) {
    static const char *const types[] = {
        [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        [METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8"};
    const char *accepts = w->mhd.lookup(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    enum metrics_format f = accepts && strstr(accepts, "application/openmetrics-text")
                                ? METRICS_OPENMETRICS
                                : METRICS_PROMETHEUS;
    pthread_mutex_lock(&w->lock);
    enum MHD_Result result = w->len[f] > 0
                                 ? answer(w, c, MHD_HTTP_OK, types[f], w->text[f], w->len[f])
                                 : answer_line(w, c, MHD_HTTP_SERVICE_UNAVAILABLE, "starting");
    pthread_mutex_unlock(&w->lock);
    return result;
}

static enum MHD_Result answer_ready(struct metrics_http *w, struct MHD_Connection *c) {
    char why[REASON_BYTES];
    pthread_mutex_lock(&w->lock);
    memcpy(why, w->not_ready, sizeof why);
    pthread_mutex_unlock(&w->lock);
    if (!turns(w))
        snprintf(why, sizeof why, "the loop does not turn");
    return why[0] ? answer_line(w, c, MHD_HTTP_SERVICE_UNAVAILABLE, why)
                  : answer_line(w, c, MHD_HTTP_OK, "ready");
}

static enum MHD_Result serve(void *user, struct MHD_Connection *c, const char *path,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_size, void **seen) {
    struct metrics_http *w = user;
    (void)version;
    (void)upload;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return *upload_size > 0 ? MHD_NO
                                : answer_line(w, c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET");
    if (!*seen) { /* the first call is before the end of the head */
        *seen = w;
        return MHD_YES;
    }
    if (*upload_size > 0)
        return MHD_NO;
    if (strcmp(path, "/metrics") == 0)
        return answer_metrics(w, c);
    if (strcmp(path, "/readyz") == 0)
        return answer_ready(w, c);
    if (strcmp(path, "/healthz") == 0)
        return turns(w) ? answer_line(w, c, MHD_HTTP_OK, "alive")
                        : answer_line(w, c, MHD_HTTP_SERVICE_UNAVAILABLE, "the loop does not turn");
    return answer_line(w, c, MHD_HTTP_NOT_FOUND, "expected /metrics, /healthz or /readyz");
}

/* --- the loop's side --- */

size_t metrics_http_bytes(void) {
    return (METRICS_FORMATS + 1) * arena_block(METRICS_BYTES);
}

/* A connection: its buffers, the copy that it is sent, and what the library and malloc put around.
 */
uint64_t metrics_http_extra(void) {
    return METRICS_HTTP_CONNECTIONS * (uint64_t)(CONNECTION_BYTES + METRICS_BYTES + 4096u) +
           STACK_BYTES + 128u * 1024u;
}

diffuse_err metrics_http_lay(struct metrics_http *w, struct arena *arena) {
    w->fresh = arena_alloc(arena, METRICS_BYTES);
    for (int f = 0; f < METRICS_FORMATS; f++) {
        w->text[f] = arena_alloc(arena, METRICS_BYTES);
        if (!w->text[f])
            return DIFFUSE_NOMEM;
    }
    return w->fresh ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

diffuse_err metrics_http_start(struct metrics_http *w, const struct conf *c,
                               char ret_where[WEBADDRESS_BYTES], struct reason *why) {
    union webaddress address;
    diffuse_err e = webaddress_parse(c->metrics, c->metrics_beyond_loopback, &address, why);
    if (e)
        return e;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
    if (address.any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    atomic_store(&w->turned_ns, clock_now());
    errno = 0;
    w->daemon = w->mhd.start(flags, 0, NULL, NULL, serve, w, MHD_OPTION_SOCK_ADDR, &address.any,
                             MHD_OPTION_CONNECTION_LIMIT, METRICS_HTTP_CONNECTIONS,
                             MHD_OPTION_CONNECTION_TIMEOUT, METRICS_HTTP_TIMEOUT_S,
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                             MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_END);
    if (!w->daemon)
        return reason_set(why, DIFFUSE_IO, "metrics: %s: cannot be served: %s%s", c->metrics,
                          strerror(errno ? errno : EIO),
                          errno == EAFNOSUPPORT
                              ? "; the unit's sandbox keeps the network away, and its drop-in "
                                "tcp.conf lets metrics through"
                              : "");
    const union MHD_DaemonInfo *info = w->mhd.info(w->daemon, MHD_DAEMON_INFO_BIND_PORT);
    webaddress_show(&address, info ? info->port : 0, ret_where, WEBADDRESS_BYTES);
    return DIFFUSE_OK;
}

void metrics_http_stop(struct metrics_http *w) {
    if (w->daemon)
        w->mhd.stop(w->daemon);
    w->daemon = NULL;
}

void metrics_http_done(struct metrics_http *w) {
    if (!w)
        return;
    metrics_http_stop(w);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void metrics_http_publish(struct metrics_http *w, struct metrics *x, const char *not_ready,
                          uint64_t now_ns) {
    atomic_store(&w->turned_ns, now_ns);
    for (int f = 0; f < METRICS_FORMATS; f++) {
        size_t len = metrics_write(x, (enum metrics_format)f, w->fresh);
        if (pthread_mutex_trylock(&w->lock) != 0)
            return;
        memcpy(w->text[f], w->fresh, len);
        w->len[f] = len;
        snprintf(w->not_ready, sizeof w->not_ready, "%s", not_ready ? not_ready : "");
        pthread_mutex_unlock(&w->lock);
    }
}
