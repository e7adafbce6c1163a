#include "client/call/ask.h"

#include <stdlib.h>

#include "proto/encode.h"
#include "proto/peek.h"

diffuse_err ask_send(diffuse_client *c, Diffused__V1__Request *request, int64_t deadline) {
    unsigned char frame[LIMIT_PATH_BYTES + 64]; /* the longest thing that a request holds */
    size_t len;
    void *socket;
    diffuse_err e;

    request->id = ++c->last_request;
    if ((e = client_socket(c, ROLE_CONTROL, &socket)))
        return e;
    if ((e = encode_request(request, frame, sizeof frame, &len)))
        return reason_set(&c->why, e, "request: %s", diffuse_strerror(e));
    while ((e = link_send(socket, NULL, frame, len)) == DIFFUSE_BUSY)
        if ((e = link_wait(socket, ZMQ_POLLOUT, deadline)))
            break;
    return e ? reason_set(&c->why, e, "control: %s", diffuse_strerror(e)) : DIFFUSE_OK;
}

/* The error that a reply carries, with its text. Not in c->buffer: that may hold what is to be
 * sent. */
static diffuse_err refusal(diffuse_client *c, const void *bytes, size_t len) {
    size_t room = decode_reply_room(len);
    void *block = malloc(room);
    struct msgmem mem;
    Diffused__V1__Reply *reply;
    diffuse_err e;

    if (!block)
        return reason_set(&c->why, DIFFUSE_NOMEM, "reply of %zu bytes: out of memory", len);
    msgmem_init(&mem, block, room);
    e = decode_reply(bytes, len, &mem, &reply, &c->why);
    if (!e && reply->error)
        e = reason_set(&c->why, (diffuse_err)reply->error, "the daemon refused: %.*s",
                       (int)reply->error_text.len, (const char *)reply->error_text.data);
    free(block);
    return e;
}

diffuse_err ask_reply(diffuse_client *c, int64_t deadline, struct link_message *ret_message) {
    struct link_message m;
    void *socket;
    diffuse_err e;

    if ((e = client_socket(c, ROLE_CONTROL, &socket)))
        return e;
    while (!(e = link_recv(socket, deadline, &m))) {
        const void *bytes = zmq_msg_data(&m.body);
        size_t len = zmq_msg_size(&m.body);

        if (peek_id(bytes, len) == c->last_request) {
            e = refusal(c, bytes, len);
            if (!e)
                *ret_message = m;
            else
                link_message_done(&m);
            return e;
        }
        link_message_done(&m);
    }
    return reason_set(&c->why, e, "control: %s", diffuse_strerror(e));
}
