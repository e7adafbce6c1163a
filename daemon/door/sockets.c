#include "daemon/door/sockets.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "daemon/conf/conftcp.h"
#include "daemon/door/peers.h"
#include "daemon/door/sealed.h"
#include "daemon/door/zmtp.h"

#define IO_BACKLOG         128
#define EACH_LEAST         4u   /* places that one key or address may have, where there are few */
#define KEPT_OF            4u   /* one in so many places is kept for ipc */
#define HANDSHAKE_SPARE_MS 2000 /* for ZeroMQ, beyond which the door would have ended it */
#define SUBSCRIPTION_BYTES 288u /* a topic and its command, or the greeting of a connection */
#define SUBSCRIPTION_HWM   16   /* of them, read at a time */
#define OTHER_DESCRIPTORS                                                                          \
    64u /* files, ZeroMQ's own, a spare few; beside the publishers followed                        \
         */

#ifndef ZMQ_METADATA
#define ZMQ_METADATA 95
#endif

struct listener {
    void *socket;
    const char *endpoint;
    struct sockets_bound *bound;
    const struct socket_group *permit;
    uint64_t frame_max;
};

static diffuse_err set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0 ? DIFFUSE_OK : DIFFUSE_IO;
}

/* A peer that is silent for half of tcp_wait is asked five times whether it is there; what was sent
 * to it has all of it to be acknowledged. */
static diffuse_err set_patience(void *socket, const struct conf *c) {
    int seconds = (int)(c->tcp_wait / UINT64_C(1000000000));
    int idle = (seconds + 1) / 2, each = seconds / 10 > 0 ? seconds / 10 : 1;
    diffuse_err e = set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
    if (!e)
        e = set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, idle);
    if (!e)
        e = set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, each);
    if (!e)
        e = set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, 5);
    return e ? e : set_int(socket, ZMQ_TCP_MAXRT, 1000 * seconds);
}

/* In every handshake: what a client may send. Its header has the option among the drafts, the
 * library takes it. */
static diffuse_err set_properties(void *socket, const struct conf *c) {
    char property[64];
    int n = snprintf(property, sizeof property, SOCKETS_MAX_MESSAGE ":%" PRIu64, c->max_message);
    return zmq_setsockopt(socket, ZMQ_METADATA, property, (size_t)n) == 0 ? DIFFUSE_OK : DIFFUSE_IO;
}

static diffuse_err set_common(void *socket, const struct conf *c, int hwm, uint64_t frame_max) {
    int64_t bytes = (int64_t)frame_max;
    int handshake = (int)(c->handshake_wait / 1000000) + HANDSHAKE_SPARE_MS;
    diffuse_err e = set_int(socket, ZMQ_RCVHWM, hwm);
    if (!e)
        e = set_int(socket, ZMQ_SNDHWM, hwm);
    if (!e)
        e = set_int(socket, ZMQ_LINGER, 0);
    if (!e)
        e = set_int(socket, ZMQ_BACKLOG, IO_BACKLOG);
    if (!e)
        e = set_int(socket, ZMQ_HANDSHAKE_IVL, handshake);
    if (!e && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes, sizeof bytes) != 0)
        e = DIFFUSE_IO;
    if (!e)
        e = set_properties(socket, c);
    return e ? e : set_patience(socket, c);
}

static diffuse_err make_socket(struct sockets *s, const struct conf *c, int type, int hwm,
                               uint64_t frame_max, void **ret_socket, struct reason *why) {
    void *socket = zmq_socket(s->context, type);
    if (!socket)
        return reason_set(why, DIFFUSE_IO, "a socket cannot be made: %s",
                          zmq_strerror(zmq_errno()));
    *ret_socket = socket;
    if (set_common(socket, c, hwm, frame_max))
        return reason_set(why, DIFFUSE_IO, "a socket option is refused: %s",
                          zmq_strerror(zmq_errno()));
    return DIFFUSE_OK;
}

/* Who is local may be told apart only by a file's permissions, or by its group. */
static diffuse_err check_name(const char *endpoint, const struct conf *c,
                              const struct socket_group *permit, struct reason *why) {
    if (strncmp(endpoint, "ipc://", 6) != 0 || endpoint_path(endpoint) || permit->n > 0 ||
        (c->socket_mode & 0002))
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL,
                      "%s: a name without a file has no permissions; use a path, or name the "
                      "socket's group, or let everybody in with socket_mode = 0666",
                      endpoint);
}

static struct listener listener(struct sockets *s, enum door door, const struct conf *c,
                                const struct sockets_limits *limits) {
    const struct socket_group *permit = &s->permit[door];
    switch (door) {
    case DOOR_INGEST:
        return (struct listener){s->ingest, c->ingest, &s->ingest_at, permit, limits->frame_max};
    case DOOR_PUSH:
        return (struct listener){s->push, c->push, &s->push_at, permit, limits->frame_max};
    case DOOR_LABELS:
        return (struct listener){s->labels, c->labels, &s->labels_at, permit, SUBSCRIPTION_BYTES};
    default:
        return (struct listener){s->control, c->control, &s->control_at, permit,
                                 limits->request_max};
    }
}

/* Messages may be as large with CURVE as they are without. */
static diffuse_err protect(struct sockets *s, const struct listener *l, enum door door,
                           struct reason *why) {
    int64_t bytes = (int64_t)l->frame_max + ZMTP_SEAL_BYTES;
    if (!s->curve)
        return DIFFUSE_OK;
    if (bytes < ZMTP_HANDSHAKE_BYTES)
        bytes = ZMTP_HANDSHAKE_BYTES;
    if (zmq_setsockopt(l->socket, ZMQ_MAXMSGSIZE, &bytes, sizeof bytes) != 0)
        return reason_set(why, DIFFUSE_IO, "a socket option is refused");
    return curve_protect(s->curve, l->socket, door, why);
}

/* Of an address in brackets; else ZeroMQ looks for one of the older kind. */
static diffuse_err set_family(void *socket, const char *endpoint) {
    return set_int(socket, ZMQ_IPV6, strchr(endpoint, '[') != NULL);
}

static diffuse_err bind_to(const struct listener *l, const char *endpoint, struct reason *why) {
    if (!set_family(l->socket, endpoint) && zmq_bind(l->socket, endpoint) == 0)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_IO, "%s: cannot be bound: %s", endpoint,
                      zmq_strerror(zmq_errno()));
}

/* The file appears with nothing for others than the owner; then it gets its group, then its mode.
 */
static diffuse_err bind_ipc(const struct listener *l, const struct conf *c, struct log *log,
                            struct reason *why) {
    bool stale = false;
    diffuse_err e = check_name(l->endpoint, c, l->permit, why);
    if (!e)
        e = endpoint_claim(l->endpoint, &stale, why);
    if (e)
        return e;
    if (stale)
        log_line(log, LOG_socket_replaced, "%s: replaced a socket file that nobody listened on",
                 endpoint_path(l->endpoint));
    mode_t before = umask((mode_t)(0777 & ~(c->socket_mode & 0700)));
    e = bind_to(l, l->endpoint, why);
    umask(before);
    if (e)
        return e;
    snprintf(l->bound->endpoint, sizeof l->bound->endpoint, "%s", l->endpoint);
    l->bound->file = endpoint_identify(l->endpoint);
    return endpoint_permit(l->endpoint, l->permit, (unsigned)c->socket_mode, why);
}

/* An option holds for what is bound or connected after it was set: first what is open. */
static diffuse_err bind_socket(struct sockets *s, enum door door, const struct conf *c,
                               const struct sockets_limits *limits, struct log *log,
                               struct reason *why) {
    struct listener l = listener(s, door, c, limits);
    char besides[CONF_TEXT_BYTES];
    bool ipc = strncmp(l.endpoint, "ipc://", 6) == 0;
    diffuse_err e = ipc ? bind_ipc(&l, c, log, why) : DIFFUSE_OK;
    if (!e)
        e = protect(s, &l, door, why);
    if (!e && !ipc)
        e = bind_to(&l, l.endpoint, why);
    if (!e && conftcp_besides(c, door, besides))
        e = bind_to(&l, besides, why);
    if (!e)
        doors_bound(s->doors, door);
    return e;
}

/* Before anything is bound to ingest: who is connected to is called by nobody, and shows no key. */
static diffuse_err connect_all(struct sockets *s, const struct conf *c, struct reason *why) {
    for (uint32_t i = 0; i < c->ingest_connect.n; i++) {
        if (set_family(s->ingest, c->ingest_connect.item[i]) ||
            zmq_connect(s->ingest, c->ingest_connect.item[i]) != 0)
            return reason_set(why, DIFFUSE_IO, "ingest_connect: %s: %s", c->ingest_connect.item[i],
                              zmq_strerror(zmq_errno()));
    }
    return DIFFUSE_OK;
}

/* A publisher's connections are watched, so that one that had to be cut off does not go unseen. */
static diffuse_err watch(struct sockets *s, void *socket, const char *name, void **ret_monitor,
                         struct reason *why) {
    if (zmq_socket_monitor(socket, name, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) == 0) {
        *ret_monitor = zmq_socket(s->context, ZMQ_PAIR);
        if (*ret_monitor && !set_int(*ret_monitor, ZMQ_LINGER, 0) &&
            zmq_connect(*ret_monitor, name) == 0)
            return DIFFUSE_OK;
    }
    return reason_set(why, DIFFUSE_IO, "a socket monitor cannot be made: %s",
                      zmq_strerror(zmq_errno()));
}

static diffuse_err make_all(struct sockets *s, const struct conf *c,
                            const struct sockets_limits *limits, struct reason *why) {
    diffuse_err e =
        make_socket(s, c, ZMQ_SUB, (int)c->ingest_hwm, limits->frame_max, &s->ingest, why);
    if (!e)
        e = make_socket(s, c, ZMQ_PULL, (int)c->push_hwm, limits->frame_max, &s->push, why);
    if (!e)
        e = make_socket(s, c, ZMQ_XPUB, (int)c->label_hwm, SUBSCRIPTION_BYTES, &s->labels, why);
    if (!e)
        e = make_socket(s, c, ZMQ_ROUTER, limits->control_hwm, limits->request_max, &s->control,
                        why);
    if (!e && zmq_setsockopt(s->ingest, ZMQ_SUBSCRIBE, "", 0) != 0)
        e = reason_set(why, DIFFUSE_IO, "ingest: cannot subscribe");
    if (!e && (set_int(s->labels, ZMQ_XPUB_NODROP, 1) ||
               set_int(s->labels, ZMQ_RCVHWM, SUBSCRIPTION_HWM)))
        e = reason_set(why, DIFFUSE_IO, "labels: a socket option is refused");
    if (!e && s->curve && set_int(s->labels, ZMQ_XPUB_VERBOSE, 1)) /* whose they are is noted */
        e = reason_set(why, DIFFUSE_IO, "labels: a socket option is refused");
    if (!e)
        e = watch(s, s->ingest, "inproc://ingest-peers", &s->ingest_peers, why);
    if (!e)
        e = watch(s, s->push, "inproc://push-peers", &s->push_peers, why);
    return e;
}

static diffuse_err bind_all(struct sockets *s, const struct conf *c,
                            const struct sockets_limits *limits, struct log *log,
                            struct reason *why) {
    /* Labels first: who pushes to us finds subscribers served. */
    diffuse_err e = bind_socket(s, DOOR_LABELS, c, limits, log, why);
    if (!e)
        e = bind_socket(s, DOOR_CONTROL, c, limits, log, why);
    if (!e)
        e = bind_socket(s, DOOR_PUSH, c, limits, log, why);
    if (!e)
        e = connect_all(s, c, why);
    if (!e)
        e = bind_socket(s, DOOR_INGEST, c, limits, log, why);
    return e;
}

/* A message: its two frames at their largest, or more and smaller ones. Connections are read in
 * turn, so a round of full queues leaves nothing older. */
static struct door_limits door_limits(const struct conf *c, uint64_t max, uint64_t hwm,
                                      uint64_t frame_max) {
    uint64_t each = max / 2 > EACH_LEAST ? max / 2 : EACH_LEAST;
    return (struct door_limits){.max = (unsigned)max,
                                .each = (unsigned)(c->each_peer > 0 ? c->each_peer : each),
                                .handshake_ns = c->handshake_wait,
                                .message_ns = c->message_wait,
                                .message = frame_max + LIMIT_STREAM_BYTES + 8 * ZMTP_FRAME_COST,
                                .round = max * (hwm + 2)};
}

void sockets_doors(const struct conf *c, const struct sockets_limits *limits,
                   struct door_limits ret_limits[DOORS]) {
    ret_limits[DOOR_INGEST] = door_limits(c, c->publishers, c->ingest_hwm, limits->frame_max);
    ret_limits[DOOR_PUSH] = door_limits(c, c->publishers, c->push_hwm, limits->frame_max);
    ret_limits[DOOR_LABELS] = door_limits(c, c->subscribers, SUBSCRIPTION_HWM, SUBSCRIPTION_BYTES);
    ret_limits[DOOR_LABELS].topics = true;
    ret_limits[DOOR_INGEST].followed = ret_limits[DOOR_PUSH].followed = true;
    ret_limits[DOOR_CONTROL] = door_limits(c, c->subscribers + SOCKETS_CLIENTS_SPARE,
                                           (uint64_t)limits->control_hwm, limits->request_max);
    const char *at[DOORS] = {[DOOR_INGEST] = c->ingest,
                             [DOOR_PUSH] = c->push,
                             [DOOR_LABELS] = c->labels,
                             [DOOR_CONTROL] = c->control};
    for (unsigned i = 0; i < DOORS; i++)
        ret_limits[i].kept = strncmp(at[i], "ipc://", 6) == 0 ? ret_limits[i].max / KEPT_OF : 0;
}

/* Where one group is named, no socket is anybody's: the others are the daemon's own group's. */
static void fill_groups(struct socket_group permit[DOORS]) {
    unsigned named = 0;
    for (unsigned i = 0; i < DOORS; i++)
        named += permit[i].n;
    for (unsigned i = 0; named > 0 && i < DOORS; i++) {
        if (permit[i].n == 0)
            permit[i] = (struct socket_group){.n = 1, .group = {getegid()}};
    }
}

/* Whoever may use another socket may ask on control how the daemon is, and for sync, which clients
 * do before they send; only its own group may change something. */
static diffuse_err find_groups(struct sockets *s, const struct conf *c,
                               struct door_limits limits[DOORS], struct reason *why) {
    const struct {
        const char *group, *key;
    } names[DOORS] = {[DOOR_INGEST] = {c->ingest_group, "ingest_group"},
                      [DOOR_PUSH] = {c->push_group, "push_group"},
                      [DOOR_LABELS] = {c->labels_group, "labels_group"},
                      [DOOR_CONTROL] = {c->control_group, "control_group"}};
    struct socket_group advise;
    diffuse_err e = socket_group_group(c->feedback_group, "feedback_group", &advise, why);
    for (unsigned i = 0; !e && i < DOORS; i++)
        e = socket_group_group(names[i].group, names[i].key, &s->permit[i], why);
    if (!(c->socket_mode & 0002))
        fill_groups(s->permit);
    limits[DOOR_CONTROL].full = s->permit[DOOR_CONTROL];
    for (unsigned i = 0; !e && i < DOORS; i++) {
        if (i != DOOR_CONTROL) {
            socket_group_add(&s->permit[DOOR_CONTROL], &s->permit[i]);
            limits[i].enter = s->permit[i];
            limits[i].full = advise;
        }
    }
    limits[DOOR_CONTROL].enter = s->permit[DOOR_CONTROL];
    return e;
}

static bool any_group(const struct sockets *s) {
    bool any = false;
    for (unsigned i = 0; i < DOORS; i++)
        any |= s->permit[i].n > 0;
    return any;
}

static diffuse_err open_curve(struct sockets *s, const struct conf *c, struct log *log,
                              struct stats *stats, struct reason *why) {
    if (!conftcp_curve(c))
        return DIFFUSE_OK;
    diffuse_err e = curve_new(c, log, stats, &s->curve, why);
    return e ? e : curve_listen(s->curve, s->context, why);
}

diffuse_err sockets_open(struct sockets *s, const struct conf *c,
                         const struct sockets_limits *limits, struct log *log, struct stats *stats,
                         struct reason *why) {
    struct door_limits doors[DOORS];
    sockets_doors(c, limits, doors);
    diffuse_err unfit = sealed_check(why);
    if (!unfit)
        unfit = find_groups(s, c, doors, why);
    if (unfit)
        return unfit;
    if (strncmp(c->ingest, "ipc://", 6) == 0 || strncmp(c->push, "ipc://", 6) == 0 ||
        strncmp(c->labels, "ipc://", 6) == 0 || strncmp(c->control, "ipc://", 6) == 0) {
        diffuse_err e = endpoint_make_dir(c->runtime_dir, any_group(s), why);
        if (e)
            return e;
    }
    unsigned others = OTHER_DESCRIPTORS + 2 * (PEERS_MAX + DOOR_COPIES) + c->ingest_connect.n;
    unfit = doors_new(doors, others, &s->doors, why);
    if (unfit)
        return unfit;
    s->context = zmq_ctx_new();
    if (!s->context)
        return reason_set(why, DIFFUSE_IO, "ZeroMQ cannot start: %s", zmq_strerror(zmq_errno()));
    diffuse_err e = open_curve(s, c, log, stats, why);
    if (!e)
        e = make_all(s, c, limits, why);
    return e ? e : bind_all(s, c, limits, log, why);
}

static void hide_socket(struct sockets_bound *bound) {
    if (bound->endpoint[0])
        endpoint_remove(bound->endpoint, &bound->file);
    bound->endpoint[0] = '\0';
}

void sockets_hide(struct sockets *s) {
    hide_socket(&s->ingest_at);
    hide_socket(&s->push_at);
    hide_socket(&s->labels_at);
    hide_socket(&s->control_at);
}

static void close_socket(void **socket_p, int linger_ms) {
    if (!*socket_p)
        return;
    (void)set_int(*socket_p, ZMQ_LINGER, linger_ms);
    zmq_close(*socket_p);
    *socket_p = NULL;
}

void sockets_close(struct sockets *s, int linger_ms) {
    sockets_hide(s);
    if (s->ingest)
        zmq_socket_monitor(s->ingest, NULL, 0);
    if (s->push)
        zmq_socket_monitor(s->push, NULL, 0);
    close_socket(&s->ingest_peers, 0);
    close_socket(&s->push_peers, 0);
    close_socket(&s->ingest, 0);
    close_socket(&s->push, 0);
    close_socket(&s->control, linger_ms);
    close_socket(&s->labels, linger_ms);
    curve_deafen(s->curve);
    if (s->context)
        zmq_ctx_term(s->context);
    s->context = NULL;
    curve_free(s->curve);
    s->curve = NULL;
    doors_done(s->doors);
    s->doors = NULL;
}
