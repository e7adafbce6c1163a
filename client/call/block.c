#include "client/call/block.h"

#include <stdlib.h>
#include <string.h>

#include "client/call/ask.h"

const char *block_text(struct msgmem *m, ProtobufCBinaryData bytes) {
    char *s = bytes.len ? msgmem_alloc(m, bytes.len + 1) : NULL;

    if (!s)
        return "";
    memcpy(s, bytes.data, bytes.len);
    s[bytes.len] = '\0';
    return s;
}

static diffuse_err build(void *head, struct msgmem *m, const struct link_message *message,
                         block_fill *fill, struct reason *why) {
    size_t len = zmq_msg_size(&message->body);
    Diffused__V1__Reply *reply;
    diffuse_err e =
        decode_reply(zmq_msg_data((zmq_msg_t *)(uintptr_t)&message->body), len, m, &reply, why);

    if (!e)
        e = fill(head, m, reply, why);
    if (!e && msgmem_full(m))
        e = reason_set(why, DIFFUSE_TOOBIG, "reply of %zu bytes unpacks to too much", len);
    return e;
}

diffuse_err block_ask(diffuse_client *c, Diffused__V1__Request *request, int64_t deadline,
                      size_t head, block_fill *fill, void **ret_head) {
    struct link_message message;
    struct msgmem m;
    unsigned char *block;
    size_t room;
    diffuse_err e;

    if ((e = ask_send(c, request, deadline)) || (e = ask_reply(c, deadline, &message)))
        return e;
    room = 2 * decode_reply_room(zmq_msg_size(&message.body)); /* unpacked, and copies */
    if (!(block = malloc(head + room))) {
        link_message_done(&message);
        return reason_set(&c->why, DIFFUSE_NOMEM, "reply: out of memory");
    }
    memset(block, 0, head);
    msgmem_init(&m, block + head, room);
    e = build(block, &m, &message, fill, &c->why);
    link_message_done(&message);
    if (e)
        free(block);
    else
        *ret_head = block;
    return e;
}
