/* relay.c - between a daemon and its clients: see relay.h.
 *
 * Three pipes (labels, push, ingest), each of which holds at most one message: what was taken and
 * finds no room on the other side stays, and nothing more is taken, so that libzmq's own queues,
 * which are short, fill up to the sender. Messages are shown to the owner once they are passed.
 */
#include "client/relay/relay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/call/client.h"
#include "client/call/sync.h"
#include "client/relay/callers.h"
#include "client/relay/message.h"
#include "client/relay/owed.h"
#include "client/relay/place.h"
#include "proto/loopback.h"

enum {
    QUEUE = 8,         /* of ingest and push, as the daemon's */
    LABELS_IN = 65536, /* while a slow subscriber holds us up */
    LABELS_OUT = 512,
    MAX_MESSAGE = 16384,
    SLOW_MS = 500, /* a subscriber may hold all up for so long */
    RETRY_MS = 2,
    ASK_MS = 50,
    LATE_MS = 500, /* draining: what publishers still send is taken for so long */
    CALM_MS = 100, /* all is answered and nothing has moved for so long: drained */
    LOST_MS = 2000 /* nothing has moved for so long: the rest is lost */
};

enum pipe_name { PIPE_LABELS, PIPE_PUSH, PIPE_INGEST, PIPES };

struct pipe {
    int way;
    void *in, *out; /* borrowed; out NULL: nobody to pass on to */
    struct message m;
    bool shown;         /* m is passed, and with the owner */
    bool blocked;       /* m found no room, */
    int64_t blocked_ms; /* since then */
    bool lossy;         /* labels: somebody does not read */
};

struct diffuse_relay {
    diffuse_client *client; /* borrowed */
    void *context;
    struct address here;              /* where we listen */
    void *front[ROLES], *back[ROLES]; /* towards clients, towards the daemon */
    struct place place[ROLES];        /* socket files of front */
    void *monitor;                    /* of the connection that labels come from */
    struct pipe pipe[PIPES];
    struct callers callers;
    struct owed owed;
    char topic[LIMIT_STREAM_BYTES]; /* of the handshake, */
    bool in_force;                  /* which tells that labels reach us */
    int64_t ask_at, moved_at, late_until;
    int listeners; /* subscriptions of the daemon's ingest */
    unsigned turn;
    bool listens, draining;
    uint64_t dropped, restarts;
};

/* --- life ---------------------------------------------------------------- */

static diffuse_err bind_front(diffuse_relay *r, enum role role, int type, uint32_t queue,
                              int64_t frame_max, struct reason *why) {
    const char *url = r->here.url[role];
    mode_t before;
    diffuse_err e;

    if (!loopback_only(url))
        return reason_set(
            why, DIFFUSE_INVAL,
            "%s: what is bound here is open to whoever reaches it; listen on a folder, "
            "or on 127.0.0.1",
            url);
    if ((e = place_claim(url, why)))
        return e;
    before = umask(0117); /* owner and group, as the daemon's */
    e = link_bind(r->context, type, url, queue, frame_max, &r->front[role], why);
    (void)umask(before);
    if (!e)
        r->place[role] = place_identify(url);
    return e;
}

static diffuse_err open_front(diffuse_relay *r, uint32_t max_message, struct reason *why) {
    int64_t frame_max = 2 * (int64_t)max_message;
    diffuse_err e;

    /* Labels first, as the daemon: who pushes to us finds subscribers served. */
    if ((e = bind_front(r, ROLE_LABELS, ZMQ_XPUB, LABELS_OUT, 512, why)) ||
        (e = bind_front(r, ROLE_CONTROL, ZMQ_ROUTER, r->client->queue, frame_max, why)) ||
        (e = bind_front(r, ROLE_PUSH, ZMQ_PULL, QUEUE, frame_max, why)) ||
        (e = bind_front(r, ROLE_INGEST, ZMQ_SUB, QUEUE, frame_max, why)))
        return e;
    callers_init(&r->callers, r->context, r->front[ROLE_CONTROL],
                 r->client->address.url[ROLE_CONTROL], &r->client->keys, r->client->queue);
    return DIFFUSE_OK;
}

static diffuse_err open_back(diffuse_relay *r, struct reason *why) {
    const struct address *there = &r->client->address;
    const struct link_keys *keys = &r->client->keys;
    uint32_t linger = r->client->linger_ms;
    diffuse_err e = link_open(r->context, ZMQ_SUB, there->url[ROLE_LABELS], keys, LABELS_IN, 0,
                              &r->back[ROLE_LABELS], why);

    if (e)
        return e;
    if (link_monitor(r->context, r->back[ROLE_LABELS], "relay", &r->monitor) ||
        link_subscribe(r->back[ROLE_LABELS], ""))
        return reason_set(why, DIFFUSE_IO, "labels: %s", zmq_strerror(zmq_errno()));
    if (!r->listens)
        return DIFFUSE_OK;
    if ((e = link_open(r->context, ZMQ_PUSH, there->url[ROLE_PUSH], keys, QUEUE, linger,
                       &r->back[ROLE_PUSH], why)))
        return e;
    return link_open(r->context, ZMQ_XPUB, there->url[ROLE_INGEST], keys, QUEUE, linger,
                     &r->back[ROLE_INGEST], why);
}

static void join(diffuse_relay *r) {
    static const struct {
        int way;
        enum role role;
    } pipes[PIPES] = {
        {DIFFUSE_LABELS, ROLE_LABELS}, {DIFFUSE_PUSH, ROLE_PUSH}, {DIFFUSE_INGEST, ROLE_INGEST}};

    for (int i = 0; i < PIPES; i++) {
        bool down = i == PIPE_LABELS;
        void *front = r->front[pipes[i].role], *back = r->back[pipes[i].role];

        r->pipe[i].way = pipes[i].way;
        r->pipe[i].in = down ? back : front;
        r->pipe[i].out = down ? front : back;
    }
}

/* --- the connection to the daemon ---------------------------------------- */

static void begin_handshake(diffuse_relay *r) {
    (void)snprintf(r->topic, sizeof r->topic, DECODE_SYNC_PREFIX "%s-%" PRIu64, r->client->nonce,
                   ++r->client->last_sync);
    r->in_force = false;
    r->ask_at = 0;
}

/* After a cut, nothing may pass until labels are known to come again. */
static void watch_connection(diffuse_relay *r) {
    if (link_was_cut(r->monitor)) {
        r->restarts++;
        owed_forgive(&r->owed);
        begin_handshake(r);
    }
    if (r->in_force || (r->ask_at && !link_over(r->ask_at)))
        return;
    (void)sync_refused(r->client); /* replies are not let to pile up */
    (void)sync_ask(r->client, r->topic, link_deadline(0));
    r->ask_at = link_deadline(ASK_MS);
}

/* What subscribers want is for libzmq to know; what the daemon's ingest wants, for us. */
static void read_subscriptions(diffuse_relay *r) {
    struct message m = {.n = 0};

    while (message_take(r->front[ROLE_LABELS], &m) == DIFFUSE_OK)
        message_drop(&m);
    while (message_take(r->back[ROLE_INGEST], &m) == DIFFUSE_OK) {
        if (zmq_msg_size(&m.frame[0]) > 0)
            r->listeners += *(const unsigned char *)zmq_msg_data(&m.frame[0]) == 1 ? 1 : -1;
        message_drop(&m);
    }
}

static void housekeeping(diffuse_relay *r) {
    watch_connection(r);
    if (!r->listens)
        return;
    read_subscriptions(r);
    callers_pass(&r->callers);
}

/* --- passing on ---------------------------------------------------------- */

static bool may_take(const diffuse_relay *r, int i) {
    if (i == PIPE_LABELS)
        return true;
    if (!r->listens || !r->in_force || (r->draining && link_over(r->late_until)))
        return false;
    return i == PIPE_PUSH || r->listeners > 0;
}

/* What was passed: who owes what, and when something of ours moved. Labels of samples that did not
 * pass here are no sign of life. */
static void count(diffuse_relay *r, struct pipe *p) {
    uint64_t before = r->owed.total, hash;
    struct diffuse_message shown;

    message_show(&p->m, p->way, &shown);
    hash = flight_hash(shown.frames[0].data, shown.frames[0].len);
    if (p->way == DIFFUSE_LABELS)
        owed_pay(&r->owed, hash);
    else if (diffuse_message_asks(&shown))
        owed_add(&r->owed, hash);
    if (p->way != DIFFUSE_LABELS || r->owed.total != before)
        r->moved_at = link_deadline(0);
}

/* Subscribers that read nothing for SLOW_MS lose this message and those that follow, until there is
 * room again. */
static diffuse_err give_label(diffuse_relay *r, struct pipe *p) {
    diffuse_err e = message_give(&p->m, 0, p->out);

    if (e != DIFFUSE_BUSY) {
        p->lossy = false;
        return e;
    }
    if (!p->lossy && (!p->blocked || !link_over(p->blocked_ms + SLOW_MS)))
        return e;
    p->lossy = true;
    r->dropped++;
    link_lossy(p->out, true);
    e = message_give(&p->m, 0, p->out);
    link_lossy(p->out, false);
    return e;
}

/* OK: passed. BUSY: stays where it is. */
static diffuse_err give(diffuse_relay *r, struct pipe *p) {
    diffuse_err e = !p->out                    ? DIFFUSE_OK
                    : p->way == DIFFUSE_LABELS ? give_label(r, p)
                                               : message_give(&p->m, 0, p->out);

    if (e == DIFFUSE_BUSY && !p->blocked)
        p->blocked_ms = link_deadline(0);
    p->blocked = e == DIFFUSE_BUSY;
    if (!e)
        count(r, p);
    return e;
}

/* Our own handshake ends here; those of others are passed, and of no interest. */
static bool is_handshake(diffuse_relay *r, struct pipe *p) {
    if (p->way != DIFFUSE_LABELS || !message_begins(&p->m, DECODE_SYNC_PREFIX))
        return false;
    if (message_begins(&p->m, r->topic))
        r->in_force = true;
    return true;
}

/* One message of a pipe. OK: shown to the owner; TIMEOUT: nothing to show; IO, NOMEM. */
static diffuse_err turn(diffuse_relay *r, int i, struct diffuse_message *ret_message) {
    struct pipe *p = &r->pipe[i];
    diffuse_err e;

    if (p->m.n == 0 && (!may_take(r, i) || (e = message_take(p->in, &p->m)) == DIFFUSE_TIMEOUT))
        return DIFFUSE_TIMEOUT;
    if (p->m.n == 0)
        return e;
    if ((e = give(r, p)))
        return e == DIFFUSE_BUSY ? DIFFUSE_TIMEOUT : e;
    if (is_handshake(r, p)) {
        message_drop(&p->m);
        return DIFFUSE_TIMEOUT;
    }
    message_show(&p->m, p->way, ret_message);
    p->shown = true;
    return DIFFUSE_OK;
}

static void take_back(diffuse_relay *r) {
    for (int i = 0; i < PIPES; i++)
        if (r->pipe[i].shown) {
            message_drop(&r->pipe[i].m);
            r->pipe[i].shown = false;
        }
}

static diffuse_err wait_for_any(diffuse_relay *r, int64_t deadline) {
    zmq_pollitem_t items[PIPES + 3 + CALLERS_MAX + 1];
    int n = 0;

    items[n++] = (zmq_pollitem_t){.socket = r->monitor, .events = ZMQ_POLLIN};
    for (int i = 0; i < PIPES; i++) {
        struct pipe *p = &r->pipe[i];

        if (p->m.n == 0 && may_take(r, i))
            items[n++] = (zmq_pollitem_t){.socket = p->in, .events = ZMQ_POLLIN};
        else if (p->blocked && i == PIPE_PUSH)
            items[n++] = (zmq_pollitem_t){.socket = p->out, .events = ZMQ_POLLOUT};
        else if (p->blocked) /* publishers are never known to have room */
            deadline = link_earlier(deadline, RETRY_MS);
    }
    if (r->listens) {
        items[n++] = (zmq_pollitem_t){.socket = r->front[ROLE_LABELS], .events = ZMQ_POLLIN};
        items[n++] = (zmq_pollitem_t){.socket = r->back[ROLE_INGEST], .events = ZMQ_POLLIN};
        n += callers_poll(&r->callers, items + n);
    }
    if (!r->in_force || r->draining)
        deadline = link_earlier(deadline, ASK_MS);
    errno = 0; /* so that a signal can be told from the deadline */
    return link_poll(items, n, deadline);
}

/* --- diffuse.h ----------------------------------------------------------- */

static bool drained(const diffuse_relay *r) {
    bool held = false;

    for (int i = 0; i < PIPES; i++)
        held = held || r->pipe[i].m.n > 0;
    return link_over(r->moved_at + LOST_MS) ||
           (!held && r->owed.total == 0 && link_over(r->moved_at + CALM_MS));
}

diffuse_err diffuse_relay_next(diffuse_relay *relay, int timeout_ms,
                               struct diffuse_message *ret_message) {
    int64_t deadline = link_deadline(timeout_ms);

    take_back(relay);
    for (;;) {
        diffuse_err e;

        if (relay->turn % 16 == 0)
            housekeeping(relay);
        for (int i = 0; i < PIPES; i++) {
            e = turn(relay, (int)(relay->turn++ % PIPES), ret_message);
            if (e != DIFFUSE_TIMEOUT)
                return e ? reason_set(&relay->client->why, e, "passing on: %s", diffuse_strerror(e))
                         : DIFFUSE_OK;
        }
        if (relay->draining && drained(relay))
            return reason_set(&relay->client->why, DIFFUSE_NOTFOUND, "drained");
        if (link_over(deadline))
            return reason_set(&relay->client->why, DIFFUSE_TIMEOUT, "nothing passed in time");
        e = wait_for_any(relay, deadline);
        if (e == DIFFUSE_IO)
            return reason_set(&relay->client->why, e, "waiting: %s", zmq_strerror(zmq_errno()));
        if (e == DIFFUSE_TIMEOUT && zmq_errno() == EINTR)
            return reason_set(&relay->client->why, e, "interrupted by a signal");
        housekeeping(relay);
    }
}

/* Nobody is served yet: what comes meanwhile is not ours to pass on. */
static diffuse_err await_labels(diffuse_relay *r, int64_t deadline) {
    while (!r->in_force) {
        struct message m = {.n = 0};
        diffuse_err e;

        watch_connection(r);
        if ((e = sync_refused(r->client)))
            return e;
        while (!r->in_force && message_take(r->back[ROLE_LABELS], &m) == DIFFUSE_OK) {
            r->in_force = message_begins(&m, r->topic);
            message_drop(&m);
        }
        if (!r->in_force && link_over(deadline))
            return client_unreachable(r->client, ROLE_CONTROL);
        errno = 0;
        if (!r->in_force &&
            link_wait(r->back[ROLE_LABELS], ZMQ_POLLIN, link_earlier(deadline, ASK_MS)) ==
                DIFFUSE_TIMEOUT &&
            zmq_errno() == EINTR)
            return reason_set(&r->client->why, DIFFUSE_TIMEOUT, "interrupted by a signal");
    }
    return DIFFUSE_OK;
}

static diffuse_err set_up(diffuse_relay *r, const struct diffuse_relay_options *o,
                          int64_t deadline) {
    struct diffuse_options place = {.size = sizeof place, .endpoint = o->listen};
    uint32_t max_message = o->max_message ? o->max_message : MAX_MESSAGE;
    struct reason *why = &r->client->why;
    diffuse_err e;

    if (max_message > LIMIT_MESSAGE_BYTES)
        return reason_set(why, DIFFUSE_INVAL, "diffuse_relay_options.max_message: %u, at most %u",
                          (unsigned)max_message, LIMIT_MESSAGE_BYTES);
    r->listens = o->listen != NULL;
    if (r->listens && (e = address_resolve(&place, &r->here, why)))
        return e;
    if (!(r->context = zmq_ctx_new()))
        return reason_set(why, DIFFUSE_IO, "relay: %s", zmq_strerror(zmq_errno()));
    if ((e = open_back(r, why)))
        return e;
    begin_handshake(r);
    if ((e = await_labels(r, deadline)) || (r->listens && (e = open_front(r, max_message, why))))
        return e;
    join(r);
    return DIFFUSE_OK;
}

diffuse_err diffuse_relay_new(diffuse_client *client, const struct diffuse_relay_options *options,
                              int timeout_ms, diffuse_relay **ret_relay) {
    struct diffuse_relay_options o = {.size = sizeof o};
    diffuse_relay *r;
    diffuse_err e;

    if (options &&
        (e = client_read_struct(&o, sizeof o, options, "diffuse_relay_options", &client->why)))
        return e;
    if (!(r = calloc(1, sizeof *r)))
        return reason_set(&client->why, DIFFUSE_NOMEM, "relay: out of memory");
    r->client = client;
    if ((e = set_up(r, &o, link_deadline(timeout_ms)))) {
        diffuse_relay_free(r);
        return e;
    }
    *ret_relay = r;
    return DIFFUSE_OK;
}

void diffuse_relay_drain(diffuse_relay *relay) {
    static const enum role entries[] = {ROLE_PUSH, ROLE_INGEST};

    if (relay->draining)
        return;
    relay->draining = true;
    relay->moved_at = link_deadline(0);
    relay->late_until = link_deadline(LATE_MS);
    for (size_t i = 0; relay->listens && i < sizeof entries / sizeof *entries; i++) {
        void *socket = relay->front[entries[i]];
        char url[ADDRESS_URL_BYTES];
        size_t size = sizeof url;

        if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, url, &size) == 0)
            (void)zmq_unbind(socket, url);
    }
}

void diffuse_relay_count(const diffuse_relay *relay, struct diffuse_relay_counts *ret_counts) {
    *ret_counts = (struct diffuse_relay_counts){
        .dropped = relay->dropped, .owed = relay->owed.total, .restarts = relay->restarts};
    for (int i = PIPE_PUSH; i < PIPES; i++)
        ret_counts->held += relay->pipe[i].m.n > 0 && !relay->pipe[i].shown;
}

void diffuse_relay_free(diffuse_relay *relay) {
    if (!relay)
        return;
    for (int i = 0; i < PIPES; i++)
        message_drop(&relay->pipe[i].m);
    callers_done(&relay->callers);
    link_close(relay->monitor);
    for (int i = 0; i < ROLES; i++) {
        link_close(relay->front[i]);
        link_close(relay->back[i]);
        place_remove(relay->here.url[i], &relay->place[i]);
    }
    if (relay->context)
        while (zmq_ctx_term(relay->context) != 0 && zmq_errno() == EINTR)
            ;
    free(relay);
}
