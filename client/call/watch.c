/* watch.c - labels and events of any stream, one after the other. */
#include <stdlib.h>
#include <string.h>

#include "client/call/client.h"
#include "client/call/sync.h"
#include "proto/name.h"

#define SYS_PREFIX "$sys/"

struct diffuse_watch {
    diffuse_client *client; /* borrowed: control socket and reasons */
    struct inbox inbox;
    int flags;
};

static diffuse_err check(diffuse_client *c, const char *prefix, int flags) {
    const int all = DIFFUSE_WATCH_LABELS | DIFFUSE_WATCH_EVENTS;
    size_t len = strlen(prefix);

    if (flags == 0 || (flags & ~all))
        return reason_set(&c->why, DIFFUSE_INVAL, "watch flags: %d, expected a sum of 1 and 2",
                          flags);
    if (len > 0 && (prefix[0] == '$' || !name_valid(prefix, len)))
        return reason_set(
            &c->why, DIFFUSE_BADNAME,
            "stream prefix: expected at most %u bytes of UTF-8, not beginning with '$'",
            LIMIT_STREAM_BYTES);
    return DIFFUSE_OK;
}

static diffuse_err subscribe(struct diffuse_watch *w, const char *prefix) {
    diffuse_err e = DIFFUSE_OK;

    if (w->flags & DIFFUSE_WATCH_LABELS)
        e = link_subscribe(w->inbox.socket, prefix);
    if (!e && (w->flags & DIFFUSE_WATCH_EVENTS))
        e = link_subscribe(w->inbox.socket, SYS_PREFIX);
    return e ? reason_set(&w->client->why, e, "subscribing: %s", diffuse_strerror(e)) : DIFFUSE_OK;
}

diffuse_err diffuse_watch_new(diffuse_client *client, const char *prefix, int flags, int timeout_ms,
                              diffuse_watch **ret_watch) {
    int64_t deadline = link_deadline(timeout_ms);
    struct diffuse_watch *w;
    diffuse_err e;

    if (!prefix)
        prefix = "";
    if ((e = check(client, prefix, flags)))
        return e;
    if (!(w = calloc(1, sizeof *w)))
        return reason_set(&client->why, DIFFUSE_NOMEM, "watch: out of memory");
    w->client = client;
    w->flags = flags;
    if ((e = client_open_inbox(client, &w->inbox)) || (e = subscribe(w, prefix)) ||
        (e = sync_inbox(client, &w->inbox, deadline))) {
        diffuse_watch_free(w);
        return e;
    }
    *ret_watch = w;
    return DIFFUSE_OK;
}

void diffuse_watch_free(diffuse_watch *watch) {
    if (!watch)
        return;
    inbox_done(&watch->inbox);
    free(watch);
}

/* The empty prefix matches events too, and "$sys/" matches the handshakes of other clients. */
static bool wanted(const struct diffuse_watch *w, const diffuse_result *r) {
    if (!diffuse_result_is_event(r))
        return w->flags & DIFFUSE_WATCH_LABELS;
    return (w->flags & DIFFUSE_WATCH_EVENTS) &&
           strncmp(r->stream, DECODE_SYNC_PREFIX, strlen(DECODE_SYNC_PREFIX)) != 0;
}

diffuse_err diffuse_watch_next(diffuse_watch *watch, int timeout_ms, diffuse_result **ret_result) {
    int64_t deadline = link_deadline(timeout_ms);

    for (;;) {
        diffuse_result *r = inbox_take(&watch->inbox);
        diffuse_err e;

        if (!r && (e = inbox_receive(&watch->inbox, deadline, &r, &watch->client->why)))
            return e;
        if (wanted(watch, r)) {
            *ret_result = r;
            return DIFFUSE_OK;
        }
        diffuse_result_free(r);
        if (link_over(deadline) &&
            timeout_ms > 0) /* a flood of others' handshakes does not hold us */
            return reason_set(&watch->client->why, DIFFUSE_TIMEOUT, "no label in time");
    }
}

diffuse_err diffuse_watch_fd(diffuse_watch *watch, int *ret_fd) {
    return link_fd(watch->inbox.socket, ret_fd);
}
