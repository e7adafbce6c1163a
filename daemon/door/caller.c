#include "daemon/door/caller.h"

#include <string.h>

bool caller_read(struct caller *c, struct recv_message *m, const void **ret_request,
                 size_t *ret_len) {
    size_t identity_len, empty_len = 1;
    const void *identity = recv_data(m, 0, &identity_len);
    (void)recv_data(m, 1, &empty_len);
    c->envelope = m->frames == 3 && empty_len == 0;
    if ((m->frames != 2 && !c->envelope) || identity_len > CALLER_BYTES)
        return false;
    memcpy(c->identity, identity, identity_len);
    c->len = identity_len;
    *ret_request = recv_data(m, c->envelope ? 2 : 1, ret_len);
    return true;
}

void caller_reply(const struct caller *c, void *socket, const void *bytes, size_t len) {
    if (zmq_send(socket, c->identity, c->len, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return;
    if (c->envelope)
        (void)zmq_send(socket, "", 0, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    (void)zmq_send(socket, bytes, len, ZMQ_DONTWAIT);
}
