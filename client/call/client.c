/* client.c - a client's life: options, sockets on demand, the end. */
#include "client/call/client.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/link/secure.h"

enum { INFLIGHT = 64, INFLIGHT_MAX = 65536, QUEUE = 1000, LINGER_MS = 1000 };

const char *diffuse_version(void) {
    return DIFFUSE_VERSION;
}

size_t diffuse_text_max(void) {
    return LIMIT_MESSAGE_BYTES - 64; /* less the other fields of an Ingest */
}

const char *diffuse_why(const diffuse_client *client) {
    return client->why.text;
}

const char *diffuse_endpoint(const diffuse_client *client) {
    return client->address.text;
}

const char *diffuse_stream(const diffuse_client *client) {
    return client->stream;
}

diffuse_err client_read_struct(void *to, size_t full, const void *from, const char *what,
                               struct reason *why) {
    const unsigned char *bytes = from;
    size_t size;

    memset(to, 0, full);
    memcpy(&size, from, sizeof size);
    if (size < 2 * sizeof size || size > 4096)
        return reason_set(why, DIFFUSE_INVAL, "%s.size: %zu, expected sizeof(struct %s)", what,
                          size, what);
    for (size_t i = full; i < size; i++)
        if (bytes[i])
            return reason_set(why, DIFFUSE_INVAL, "%s: a field that this library does not know",
                              what);
    memcpy(to, from, size < full ? size : full);
    return DIFFUSE_OK;
}

/* The names that no other client has. */
static diffuse_err name_client(diffuse_client *c, struct reason *why) {
    unsigned char random[CLIENT_NONCE_BYTES / 2];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return reason_set(why, DIFFUSE_IO, "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(c->nonce + 2 * i, 3, "%02x", random[i]);
    (void)snprintf(c->stream, sizeof c->stream, "client/%s", c->nonce);
    return DIFFUSE_OK;
}

static diffuse_err set_up(diffuse_client *c, const struct diffuse_options *o, struct reason *why) {
    uint32_t inflight = o->inflight ? o->inflight : INFLIGHT;
    diffuse_err e;

    c->queue = o->queue ? o->queue : QUEUE;
    c->linger_ms = o->linger_ms ? o->linger_ms : LINGER_MS;
    if (inflight > INFLIGHT_MAX)
        return reason_set(why, DIFFUSE_INVAL, "diffuse_options.inflight: %u, at most %d",
                          (unsigned)inflight, INFLIGHT_MAX);
    if ((e = address_resolve(o, &c->address, why)) ||
        (e = secure_resolve(o, &c->address, &c->keys, why)) || (e = name_client(c, why)))
        return e;
    if ((e = flight_init(&c->flight, inflight)) ||
        (e = (c->joined = calloc(CLIENT_STREAMS, sizeof *c->joined)) ? DIFFUSE_OK : DIFFUSE_NOMEM))
        return reason_set(why, e, "client: out of memory");
    if (!(c->context = zmq_ctx_new()))
        return reason_set(why, DIFFUSE_IO, "client: %s", zmq_strerror(zmq_errno()));
    return DIFFUSE_OK;
}

diffuse_err diffuse_client_new(const struct diffuse_options *options, diffuse_client **ret_client) {
    struct diffuse_options o = {.size = sizeof o};
    struct reason why = {""};
    diffuse_client *c = NULL;
    diffuse_err e =
        options ? client_read_struct(&o, sizeof o, options, "diffuse_options", &why) : DIFFUSE_OK;

    if (!e && !(c = calloc(1, sizeof *c)))
        e = reason_set(&why, DIFFUSE_NOMEM, "client: out of memory");
    if (e || (e = set_up(c, &o, &why))) {
        if (o.why && o.why_size > 0)
            (void)snprintf(o.why, o.why_size, "%s", why.text);
        diffuse_client_free(c);
        return e;
    }
    *ret_client = c;
    return DIFFUSE_OK;
}

void diffuse_client_free(diffuse_client *client) {
    if (!client)
        return;
    link_close(client->monitor);
    link_close(client->push_monitor);
    inbox_done(&client->answers);
    for (int r = 0; r < ROLES; r++)
        link_close(client->socket[r]);
    if (client->context)
        while (zmq_ctx_term(client->context) != 0 && zmq_errno() == EINTR)
            ;
    explicit_bzero(&client->keys, sizeof client->keys);
    flight_done(&client->flight);
    free(client->joined);
    free(client->buffer);
    free(client);
}

diffuse_err client_socket(diffuse_client *c, enum role role, void **ret_socket) {
    /* ingest is an XPUB here, and not a PUB, to learn when the daemon has subscribed. */
    static const int types[ROLES] = {ZMQ_XPUB, ZMQ_PUSH, ZMQ_SUB, ZMQ_DEALER};
    diffuse_err e;

    if (!c->socket[role] && ((e = client_check_access(c, role)) ||
                             (e = link_open(c->context, types[role], c->address.url[role], &c->keys,
                                            c->queue, c->linger_ms, &c->socket[role], &c->why))))
        return e;
    *ret_socket = c->socket[role];
    return DIFFUSE_OK;
}

diffuse_err client_open_inbox(diffuse_client *c, struct inbox *inbox) {
    /* libzmq may count a reader's progress up to half a queue late. */
    uint32_t queue = 2 * c->flight.cap + c->queue;
    diffuse_err e = client_check_access(c, ROLE_LABELS);

    return e ? e
             : link_open(c->context, ZMQ_SUB, c->address.url[ROLE_LABELS], &c->keys, queue, 0,
                         &inbox->socket, &c->why);
}

diffuse_err client_open_answers(diffuse_client *c) {
    diffuse_err e;

    if (!c->answers.socket && (e = client_open_inbox(c, &c->answers)))
        return e;
    if (!c->monitor && (e = link_monitor(c->context, c->answers.socket, "labels", &c->monitor)))
        return reason_set(&c->why, e, "labels: %s", zmq_strerror(zmq_errno()));
    return DIFFUSE_OK;
}

diffuse_err client_open_push(diffuse_client *c, void **ret_socket) {
    diffuse_err e = client_socket(c, ROLE_PUSH, ret_socket);

    if (!e && !c->push_monitor &&
        (e = link_monitor(c->context, *ret_socket, "push", &c->push_monitor)))
        return reason_set(&c->why, e, "push: %s", zmq_strerror(zmq_errno()));
    return e;
}

diffuse_err client_check_size(diffuse_client *c, size_t len) {
    if (c->max_message == 0 || len <= c->max_message)
        return DIFFUSE_OK;
    return reason_set(&c->why, DIFFUSE_TOOBIG,
                      "a message of %zu bytes, of which the daemon takes at most %zu (max_message)",
                      len, c->max_message);
}

diffuse_err client_reserve(diffuse_client *c, size_t size) {
    unsigned char *larger;

    if (size <= c->buffer_size)
        return DIFFUSE_OK;
    if (!(larger = realloc(c->buffer, size)))
        return reason_set(&c->why, DIFFUSE_NOMEM, "message of %zu bytes: out of memory", size);
    c->buffer = larger;
    c->buffer_size = size;
    return DIFFUSE_OK;
}

/* What of the way to path is closed to us: the first folder that may not be entered, or the socket
 * itself; false when it is open, or not there. */
static bool find_closed(const char *path, char *closed, struct stat *ret_stat) {
    for (const char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
        size_t n = end ? (size_t)(end - path) : strlen(path);

        memcpy(closed, path, n);
        closed[n] = '\0';
        if (stat(closed, ret_stat) != 0)
            return false;
        if (access(closed, end ? X_OK : W_OK) != 0 && errno == EACCES)
            return true;
        if (!end)
            return false;
    }
}

diffuse_err client_check_access(diffuse_client *c, enum role role) {
    const char *path = address_ipc_path(c->address.url[role]);
    char closed[ADDRESS_URL_BYTES], name[256];
    struct group group, *found = NULL;
    struct stat st;

    if (!path || !find_closed(path, closed, &st))
        return DIFFUSE_OK;
    if (!(st.st_mode & (S_ISDIR(st.st_mode) ? S_IXGRP : S_IWGRP)))
        return reason_set(&c->why, DIFFUSE_DENIED,
                          "%s: you may not use it, and no group may: only its owner, uid %u",
                          closed, (unsigned)st.st_uid);
    if (getgrgid_r(st.st_gid, &group, name, sizeof name, &found) != 0 || !found)
        return reason_set(&c->why, DIFFUSE_DENIED,
                          "%s: you may not use it; its group is %u, and you are not in it", closed,
                          (unsigned)st.st_gid);
    return reason_set(
        &c->why, DIFFUSE_DENIED,
        "%s: you may not use it; who is in its group %s may: have an administrator add "
        "you, and log in again",
        closed, group.gr_name);
}

diffuse_err client_unreachable(diffuse_client *c, enum role role) {
    const char *url = c->address.url[role], *path = address_ipc_path(url);

    if (client_check_access(c, role))
        return DIFFUSE_DENIED;
    if (path && access(path, F_OK) != 0)
        return reason_set(&c->why, DIFFUSE_UNREACH, "%s: no such socket (%s)", path,
                          strerror(errno));
    if (!path)
        return reason_set(&c->why, DIFFUSE_UNREACH, "%s: nobody answers%s", url,
                          secure_hint(&c->keys));
    return reason_set(&c->why, DIFFUSE_UNREACH, "%s: nobody answers", url);
}
