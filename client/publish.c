/* publish.c - one-way sending: samples on ingest, feedback on push. */
#include "client/client.h"
#include "client/sample.h"

enum { RETRY_MS = 1 };

/* Read what the other side subscribes to (1) and no longer wants (0), until somebody listens. */
diffuse_err client_await_listener(diffuse_client *c, void *socket, int64_t deadline) {
    for (;;) {
        struct link_message m;
        diffuse_err e = link_recv(socket, c->listeners > 0 ? 0 : deadline, &m);

        if (e == DIFFUSE_TIMEOUT && c->listeners > 0)
            return DIFFUSE_OK;
        if (e == DIFFUSE_TIMEOUT)
            return client_unreachable(c, ROLE_INGEST);
        if (e)
            return reason_set(&c->why, e, "ingest: %s", diffuse_strerror(e));
        if (zmq_msg_size(&m.body) > 0)
            c->listeners += *(const unsigned char *)zmq_msg_data(&m.body) == 1 ? 1 : -1;
        link_message_done(&m);
    }
}

/* A publisher's socket never says when it has room again. */
static diffuse_err publish(void *socket, const struct sample_frame *f, const void *bytes,
                           int64_t deadline) {
    diffuse_err e;

    while ((e = link_send(socket, f->stream, bytes, f->len)) == DIFFUSE_BUSY &&
           !link_over(deadline)) {
        int64_t until = link_earlier(deadline, RETRY_MS);

        if (link_wait(socket, ZMQ_POLLIN, until) == DIFFUSE_TIMEOUT && !link_over(until))
            break; /* a signal */
    }
    return e;
}

diffuse_err diffuse_publish(diffuse_client *client, const struct diffuse_sample *sample,
                            int timeout_ms) {
    int64_t deadline = link_deadline(timeout_ms);
    struct sample_frame f;
    void *socket;
    diffuse_err e;

    if ((e = sample_encode(client, sample, &f)) || (e = client_check_size(client, f.len)) ||
        (e = client_socket(client, ROLE_INGEST, &socket)) ||
        (e = client_await_listener(client, socket, deadline)))
        return e;
    if ((e = publish(socket, &f, client->buffer, deadline)))
        return reason_set(&client->why, e, "ingest: %s",
                          e == DIFFUSE_BUSY ? "the queue is full; the daemon does not keep up"
                                            : diffuse_strerror(e));
    if (f.own)
        client->own_seq = f.seq;
    return DIFFUSE_OK;
}

diffuse_err diffuse_feedback(diffuse_client *client, const struct diffuse_feedback_info *feedback,
                             int timeout_ms) {
    int64_t deadline = link_deadline(timeout_ms);
    struct sample_frame f;
    void *socket;
    diffuse_err e;

    if ((e = sample_encode_feedback(client, feedback, &f)) ||
        (e = client_check_size(client, f.len)) || (e = client_socket(client, ROLE_PUSH, &socket)))
        return e;
    while ((e = link_send(socket, f.stream, client->buffer, f.len)) == DIFFUSE_BUSY)
        if ((e = link_wait(socket, ZMQ_POLLOUT, deadline)))
            break;
    if (e == DIFFUSE_TIMEOUT)
        return client_unreachable(client, ROLE_PUSH);
    return e ? reason_set(&client->why, e, "push: %s", diffuse_strerror(e)) : DIFFUSE_OK;
}
