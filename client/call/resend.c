#include "client/call/resend.h"

#include <stdio.h>
#include <string.h>

#include "client/call/sync.h"
#include "proto/encode.h"

enum { TRIES_MAX = 8, LABEL_BYTES = 1024 };

void resend_look(diffuse_client *c) {
    bool labels = c->monitor && link_was_cut(c->monitor);
    bool push = c->push_monitor && link_was_cut(c->push_monitor);

    if (!labels && !push)
        return;
    c->in_force = false;
    c->cuts += !c->cut; /* both sockets of one daemon */
    flight_unsend(&c->flight);
    c->cut = c->flight.n > 0;
    sync_forget(c);
}

/* What an answer that is here already belongs to needs not be sent again. */
static void settle(diffuse_client *c) {
    for (const diffuse_result *r = c->answers.first; r; r = r->next)
        flight_settle(&c->flight, flight_hash(r->stream, strlen(r->stream)), diffuse_result_seq(r));
}

/* The answer to what cannot be sent: made here, and kept as the daemon's own would be. */
static diffuse_err refuse(diffuse_client *c, struct flight_entry *entry, diffuse_err error,
                          const char *words) {
    const struct flight_message *m = entry->message;
    Diffused__V1__Label label = DIFFUSED__V1__LABEL__INIT;
    unsigned char bytes[LABEL_BYTES];
    struct diffuse_frame name = {m->stream, strlen(m->stream)}, body = {bytes, 0};
    diffuse_result *r;
    diffuse_err e;

    label.seq = entry->seq;
    label.error = (uint32_t)error;
    label.error_text = (ProtobufCBinaryData){strlen(words), (uint8_t *)(uintptr_t)words};
    if ((e = encode_label(&label, bytes, sizeof bytes, &body.len)) ||
        (e = result_read(name, body, &r, &c->why)))
        return e;
    flight_sent(&c->flight, entry);
    return inbox_keep(&c->answers, &r, &c->why);
}

static diffuse_err takes_nothing(diffuse_client *c) {
    return reason_set(&c->why, DIFFUSE_BUSY, "%s: the daemon takes nothing at the moment%s",
                      c->address.url[ROLE_PUSH],
                      c->keys.server[0] ? ", or lets this key not publish" : "");
}

/* OK also when a connection was cut meanwhile: c->cut then. */
static diffuse_err send_one(diffuse_client *c, struct flight_entry *entry, int64_t deadline) {
    struct flight_message *m = entry->message;
    void *socket;
    diffuse_err e = client_open_push(c, &socket);

    if (e)
        return e;
    if (m->tries > 0 && client_check_size(c, m->len)) /* a daemon of another configuration */
        return refuse(c, entry, DIFFUSE_TOOBIG, c->why.text);
    if (m->tries >= TRIES_MAX)
        return refuse(c, entry, DIFFUSE_IO,
                      "the connection was cut each time that this text was sent");
    while ((e = link_send(socket, m->stream, m->bytes, m->len)) == DIFFUSE_BUSY) {
        if ((e = link_wait(socket, ZMQ_POLLOUT, deadline)))
            return e == DIFFUSE_TIMEOUT ? takes_nothing(c) : e;
        resend_look(c);
        if (c->cut)
            return DIFFUSE_OK;
    }
    if (e)
        return reason_set(&c->why, e, "push: %s", diffuse_strerror(e));
    c->resent += m->tries++ > 0;
    flight_sent(&c->flight, entry);
    return DIFFUSE_OK;
}

static diffuse_err hear_again(diffuse_client *c, int64_t deadline) {
    struct reason inner;
    diffuse_err e = sync_answers(c, deadline);

    if (e) {
        inner = c->why;
        return reason_set(&c->why, e,
                          "the connection was cut, and %u texts have no answer yet: %.300s",
                          (unsigned)c->flight.n, inner.text);
    }
    settle(c);
    c->cut = false;
    return DIFFUSE_OK;
}

diffuse_err resend_flush(diffuse_client *c, int64_t deadline) {
    struct flight_entry *entry;
    diffuse_err e = DIFFUSE_OK;

    resend_look(c);
    c->cut = c->cut && c->flight.n > 0;
    while (!e && (c->cut || c->flight.unsent > 0)) {
        if (c->cut && (e = hear_again(c, deadline)))
            break;
        if ((entry = flight_unsent(&c->flight)))
            e = send_one(c, entry, deadline);
    }
    return e;
}

static diffuse_err wait_for_any(diffuse_client *c, int64_t deadline) {
    zmq_pollitem_t items[] = {{.socket = c->answers.socket, .events = ZMQ_POLLIN},
                              {.socket = c->monitor, .events = ZMQ_POLLIN},
                              {.socket = c->push_monitor, .events = ZMQ_POLLIN}};

    return link_poll(items, c->push_monitor ? 3 : 2, deadline);
}

diffuse_err resend_receive(diffuse_client *c, int64_t deadline, diffuse_result **ret_result) {
    diffuse_err e;

    for (;;) {
        e = inbox_receive(&c->answers, link_deadline(0), ret_result, &c->why);
        if (e != DIFFUSE_TIMEOUT)
            return e;
        resend_look(c);
        if (c->cut || c->flight.unsent > 0) {
            if ((e = resend_flush(c, deadline)))
                return e;
            *ret_result = NULL;
            return DIFFUSE_OK;
        }
        if (link_over(deadline))
            return e;
        if ((e = wait_for_any(c, deadline)))
            return reason_set(&c->why, e, "waiting for an answer: %s", diffuse_strerror(e));
    }
}

diffuse_err resend_stream(diffuse_client *c, const char *stream, uint64_t hash, int64_t deadline) {
    diffuse_err e = client_open_answers(c);
    if (e)
        return e;
    resend_look(c);
    return sync_stream(c, stream, hash, deadline);
}
