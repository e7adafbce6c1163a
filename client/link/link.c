#include "client/link/link.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAST_WORDS_MS = 1000, HANDSHAKE_MS = 5000 };

static int64_t now_ms(void) {
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t link_deadline(int timeout_ms) {
    return timeout_ms < 0 ? LINK_FOREVER : now_ms() + timeout_ms;
}

int64_t link_earlier(int64_t deadline, int ms) {
    int64_t soon = now_ms() + ms;

    return soon < deadline ? soon : deadline;
}

bool link_over(int64_t deadline) {
    return deadline != LINK_FOREVER && now_ms() >= deadline;
}

/* What libzmq says through errno, as one of ours. */
static diffuse_err from_errno(void) {
    switch (zmq_errno()) {
    case EAGAIN:
        return DIFFUSE_BUSY;
    case EINTR:
        return DIFFUSE_TIMEOUT;
    case ENOMEM:
        return DIFFUSE_NOMEM;
    default:
        return DIFFUSE_IO;
    }
}

static bool set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* A key ends in its NUL. */
static bool set_key(void *socket, int option, const char *key) {
    return zmq_setsockopt(socket, option, key, KEYFILE_CHARS + 1) == 0;
}

/* Only for an address that is one: with it, names would be looked for among IPv6 addresses first.
 */
static bool set_family(void *socket, const char *url) {
    return strncmp(url, "tcp://[", 7) != 0 || set_int(socket, ZMQ_IPV6, 1);
}

static bool set_keys(void *socket, const char *url, const struct link_keys *keys) {
    if (!keys->server[0] || strncmp(url, "tcp://", 6) != 0)
        return true;
    return set_key(socket, ZMQ_CURVE_SERVERKEY, keys->server) &&
           set_key(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key) &&
           set_key(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key);
}

diffuse_err link_open(void *context, int type, const char *url, const struct link_keys *keys,
                      uint32_t queue, uint32_t linger_ms, void **ret_socket, struct reason *why) {
    void *socket = zmq_socket(context, type);
    int hwm = queue > INT_MAX ? INT_MAX : (int)queue;
    int linger = linger_ms > INT_MAX ? INT_MAX : (int)linger_ms;

    if (!socket)
        return reason_set(why, DIFFUSE_IO, "socket for %s: %s", url, zmq_strerror(zmq_errno()));
    /* RECONNECT_IVL grows to its maximum, so that a long absence does not cost a wake-up every 100
     * ms. */
    if (!set_int(socket, ZMQ_SNDHWM, hwm) || !set_int(socket, ZMQ_RCVHWM, hwm) ||
        !set_int(socket, ZMQ_LINGER, linger) || !set_int(socket, ZMQ_RECONNECT_IVL, 20) ||
        !set_int(socket, ZMQ_RECONNECT_IVL_MAX, 500) ||
        (type != ZMQ_SUB && !set_int(socket, ZMQ_IMMEDIATE, 1)) ||
        (type == ZMQ_XPUB && !set_int(socket, ZMQ_XPUB_NODROP, 1)) ||
        !set_keys(socket, url, keys) || !set_family(socket, url) || zmq_connect(socket, url) != 0) {
        diffuse_err e = zmq_errno() == EINVAL ? DIFFUSE_INVAL : DIFFUSE_IO;

        (void)reason_set(why, e, "%s: %s", url, zmq_strerror(zmq_errno()));
        (void)set_int(socket, ZMQ_LINGER, 0);
        (void)zmq_close(socket);
        return e;
    }
    *ret_socket = socket;
    return DIFFUSE_OK;
}

diffuse_err link_bind(void *context, int type, const char *url, uint32_t queue, int64_t frame_max,
                      void **ret_socket, struct reason *why) {
    void *socket = zmq_socket(context, type);
    int hwm = queue > INT_MAX ? INT_MAX : (int)queue;

    if (!socket)
        return reason_set(why, DIFFUSE_IO, "socket for %s: %s", url, zmq_strerror(zmq_errno()));
    if (!set_int(socket, ZMQ_SNDHWM, hwm) || !set_int(socket, ZMQ_RCVHWM, hwm) ||
        !set_int(socket, ZMQ_LINGER, LAST_WORDS_MS) ||
        !set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) != 0 ||
        (type == ZMQ_XPUB && !set_int(socket, ZMQ_XPUB_NODROP, 1)) ||
        (type == ZMQ_SUB && zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) != 0) ||
        !set_family(socket, url) || zmq_bind(socket, url) != 0) {
        diffuse_err e = zmq_errno() == EINVAL ? DIFFUSE_INVAL : DIFFUSE_IO;

        (void)reason_set(why, e, "%s: cannot be bound: %s", url, zmq_strerror(zmq_errno()));
        (void)zmq_close(socket);
        return e;
    }
    *ret_socket = socket;
    return DIFFUSE_OK;
}

void link_lossy(void *socket, bool lossy) {
    (void)set_int(socket, ZMQ_XPUB_NODROP, !lossy);
}

void link_close(void *socket) {
    if (socket)
        (void)zmq_close(socket);
}

diffuse_err link_poll(zmq_pollitem_t *items, int n_items, int64_t deadline) {
    int64_t left = deadline == LINK_FOREVER ? -1 : deadline - now_ms();
    int n;

    if (deadline != LINK_FOREVER)
        left = left < 0 ? 0 : left > INT_MAX ? INT_MAX : left;
    n = zmq_poll(items, n_items, (long)left);
    if (n < 0)
        return from_errno();
    return n > 0 ? DIFFUSE_OK : DIFFUSE_TIMEOUT;
}

diffuse_err link_wait(void *socket, short events, int64_t deadline) {
    zmq_pollitem_t item = {.socket = socket, .events = events};

    return link_poll(&item, 1, deadline);
}

diffuse_err link_send(void *socket, const char *name, const void *body, size_t len) {
    /* Once the first frame is in, libzmq takes the others: a message is queued whole or not at all.
     */
    if (name && zmq_send(socket, name, strlen(name), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return from_errno();
    return zmq_send(socket, body, len, ZMQ_DONTWAIT) < 0 ? from_errno() : DIFFUSE_OK;
}

diffuse_err link_subscribe(void *socket, const char *prefix) {
    return zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix, strlen(prefix)) ? from_errno()
                                                                         : DIFFUSE_OK;
}

diffuse_err link_unsubscribe(void *socket, const char *prefix) {
    return zmq_setsockopt(socket, ZMQ_UNSUBSCRIBE, prefix, strlen(prefix)) ? from_errno()
                                                                           : DIFFUSE_OK;
}

/* The first frame into message->name without waiting. */
static diffuse_err recv_first(void *socket, struct link_message *m) {
    (void)zmq_msg_init(&m->name);
    (void)zmq_msg_init(&m->body);
    m->frames = 1;
    if (zmq_msg_recv(&m->name, socket, ZMQ_DONTWAIT) >= 0)
        return DIFFUSE_OK;
    return from_errno();
}

diffuse_err link_recv(void *socket, int64_t deadline, struct link_message *ret_message) {
    struct link_message m;
    diffuse_err e;

    while ((e = recv_first(socket, &m)) == DIFFUSE_BUSY) {
        if (link_over(deadline))
            return DIFFUSE_TIMEOUT; /* without asking the kernel: nothing is there */
        if ((e = link_wait(socket, ZMQ_POLLIN, deadline)))
            return e;
    }
    if (e)
        return e;
    while (zmq_msg_more(m.frames == 1 ? &m.name : &m.body)) {
        if (zmq_msg_recv(&m.body, socket, 0) < 0) { /* frames of one message arrive together */
            e = from_errno();
            link_message_done(&m);
            return e;
        }
        m.frames++;
    }
    if (m.frames == 1 && zmq_msg_copy(&m.body, &m.name) != 0) {
        link_message_done(&m);
        return DIFFUSE_NOMEM;
    }
    *ret_message = m;
    return DIFFUSE_OK;
}

size_t link_peer_limit(struct link_message *message) {
    const char *text = zmq_msg_gets(&message->name, "X-Max-Message");
    char *end;
    unsigned long limit = text ? strtoul(text, &end, 10) : 0;

    return limit > 0 && *end == '\0' ? limit : 0;
}

void link_message_done(struct link_message *message) {
    (void)zmq_msg_close(&message->name);
    (void)zmq_msg_close(&message->body);
}

diffuse_err link_monitor(void *context, void *socket, const char *what, void **ret_monitor) {
    char name[64];
    void *monitor = NULL;

    (void)snprintf(name, sizeof name, "inproc://link-monitor-%s", what);
    if (zmq_socket_monitor(socket, name, ZMQ_EVENT_DISCONNECTED) != 0 ||
        !(monitor = zmq_socket(context, ZMQ_PAIR)) || !set_int(monitor, ZMQ_LINGER, 0) ||
        zmq_connect(monitor, name) != 0) {
        link_close(monitor);
        return DIFFUSE_IO;
    }
    *ret_monitor = monitor;
    return DIFFUSE_OK;
}

bool link_was_cut(void *monitor) {
    struct link_message m;
    bool cut = false;

    while (link_recv(monitor, 0, &m) == DIFFUSE_OK) {
        cut = true;
        link_message_done(&m);
    }
    return cut;
}

diffuse_err link_fd(void *socket, int *ret_fd) {
    size_t size = sizeof *ret_fd;

    return zmq_getsockopt(socket, ZMQ_FD, ret_fd, &size) ? DIFFUSE_IO : DIFFUSE_OK;
}
