#include "client/relay/message.h"

#include <errno.h>
#include <string.h>

#include "client/call/client.h"
#include "client/link/result.h"
#include "proto/peek.h"

static diffuse_err from_errno(void) {
    int code = zmq_errno();

    return code == EAGAIN || code == EINTR ? DIFFUSE_BUSY
           : code == ENOMEM                ? DIFFUSE_NOMEM
                                           : DIFFUSE_IO;
}

/* Frames of one message arrive together, so only the first can be missing. */
static diffuse_err take_frame(void *socket, zmq_msg_t *frame) {
    diffuse_err e;

    (void)zmq_msg_init(frame);
    do
        e = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) >= 0 ? DIFFUSE_OK : from_errno();
    while (e && zmq_errno() == EINTR);
    if (e)
        (void)zmq_msg_close(frame);
    return e;
}

diffuse_err message_take(void *socket, struct message *m) {
    bool more = true;

    m->cut = false;
    while (more) {
        zmq_msg_t *frame = &m->frame[m->n];
        diffuse_err e = take_frame(socket, frame);

        if (e) {
            message_drop(m);
            return e == DIFFUSE_BUSY ? DIFFUSE_TIMEOUT : e;
        }
        more = zmq_msg_more(frame);
        m->cut = m->n == DIFFUSE_MESSAGE_FRAMES;
        if (m->cut)
            (void)zmq_msg_close(frame);
        else
            m->n++;
    }
    return DIFFUSE_OK;
}

static diffuse_err give_frame(zmq_msg_t *frame, bool more, void *socket) {
    zmq_msg_t copy; /* of a large frame, only a reference */
    diffuse_err e;

    (void)zmq_msg_init(&copy);
    if (zmq_msg_copy(&copy, frame) == 0 &&
        zmq_msg_send(&copy, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0)
        return DIFFUSE_OK;
    e = from_errno();
    (void)zmq_msg_close(&copy);
    return e;
}

diffuse_err message_give(struct message *m, size_t first, void *socket) {
    diffuse_err e = DIFFUSE_OK;

    /* Once the first frame is in, libzmq takes the others. */
    for (size_t i = first; !e && i < m->n; i++)
        e = give_frame(&m->frame[i], i + 1 < m->n, socket);
    return e;
}

void message_drop(struct message *m) {
    for (size_t i = 0; i < m->n; i++)
        (void)zmq_msg_close(&m->frame[i]);
    m->n = 0;
}

void message_show(struct message *m, int way, struct diffuse_message *ret_message) {
    *ret_message = (struct diffuse_message){.way = way, .cut = m->cut, .n_frames = m->n};
    for (size_t i = 0; i < m->n; i++)
        ret_message->frames[i] =
            (struct diffuse_frame){zmq_msg_data(&m->frame[i]), zmq_msg_size(&m->frame[i])};
}

bool message_begins(struct message *m, const char *prefix) {
    size_t len = strlen(prefix);

    return m->n > 0 && zmq_msg_size(&m->frame[0]) >= len &&
           memcmp(zmq_msg_data(&m->frame[0]), prefix, len) == 0;
}

/* --- diffuse.h ----------------------------------------------------------- */

static struct diffuse_frame frame(const struct diffuse_message *m, size_t i) {
    return i < m->n_frames && i < DIFFUSE_MESSAGE_FRAMES ? m->frames[i]
                                                         : (struct diffuse_frame){"", 0};
}

int diffuse_message_kind(const struct diffuse_message *message) {
    struct diffuse_frame name = frame(message, 0), body = frame(message, 1);

    if (message->n_frames != 2 || message->cut)
        return DIFFUSE_KIND_OTHER;
    if (message->way == DIFFUSE_LABELS)
        return name.len > 0 && *(const char *)name.data == '$' ? DIFFUSE_KIND_EVENT
                                                               : DIFFUSE_KIND_LABEL;
    switch (peek_ingest_kind(body.data, body.len)) {
    case 1:
        return DIFFUSE_KIND_SAMPLE;
    case 2:
        return DIFFUSE_KIND_FEEDBACK;
    default:
        return DIFFUSE_KIND_OTHER;
    }
}

uint64_t diffuse_message_seq(const struct diffuse_message *message) {
    struct diffuse_frame body = frame(message, 1);

    /* seq is field 1 of a Label, as id is of a Request */
    return message->way == DIFFUSE_LABELS ? peek_id(body.data, body.len)
                                          : peek_ingest_seq(body.data, body.len);
}

int diffuse_message_asks(const struct diffuse_message *message) {
    struct diffuse_frame name = frame(message, 0);

    return message->way != DIFFUSE_LABELS && message->n_frames > 1 &&
           diffuse_message_kind(message) != DIFFUSE_KIND_FEEDBACK &&
           decode_stream_name(name.data, name.len, NULL) == DIFFUSE_OK;
}

diffuse_err diffuse_message_result(diffuse_client *client, const struct diffuse_message *message,
                                   diffuse_result **ret_result) {
    if (message->way != DIFFUSE_LABELS || message->n_frames != 2 || message->cut)
        return reason_set(&client->why, DIFFUSE_BADMSG, "neither a label nor an event");
    return result_read(message->frames[0], message->frames[1], ret_result, &client->why);
}

static diffuse_err send_now(const struct diffuse_message *m, void *socket) {
    for (size_t i = 0; i < m->n_frames; i++)
        if (zmq_send(socket, m->frames[i].data, m->frames[i].len,
                     ZMQ_DONTWAIT | (i + 1 < m->n_frames ? ZMQ_SNDMORE : 0)) < 0)
            return from_errno();
    return DIFFUSE_OK;
}

diffuse_err diffuse_message_send(diffuse_client *client, const struct diffuse_message *message,
                                 int timeout_ms) {
    int64_t deadline = link_deadline(timeout_ms);
    bool push = message->way == DIFFUSE_PUSH;
    void *socket;
    diffuse_err e;

    if ((!push && message->way != DIFFUSE_INGEST) || message->n_frames < 1 ||
        message->n_frames > DIFFUSE_MESSAGE_FRAMES)
        return reason_set(&client->why, DIFFUSE_INVAL,
                          "message of %zu frames to socket %d: expected 1 to %d to ingest or push",
                          message->n_frames, message->way, DIFFUSE_MESSAGE_FRAMES);
    if ((e = client_socket(client, push ? ROLE_PUSH : ROLE_INGEST, &socket)) ||
        (!push && (e = client_await_listener(client, socket, deadline))))
        return e;
    while ((e = send_now(message, socket)) == DIFFUSE_BUSY && push)
        if ((e = link_wait(socket, ZMQ_POLLOUT, deadline)))
            break;
    if (e == DIFFUSE_TIMEOUT)
        e = DIFFUSE_BUSY;
    return e ? reason_set(&client->why, e, "%s: %s", push ? "push" : "ingest", diffuse_strerror(e))
             : DIFFUSE_OK;
}
