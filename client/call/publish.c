/* publish.c - one-way sending: samples on ingest, feedback on push. */
#include <inttypes.h>
#include <stdio.h>

#include "client/call/client.h"
#include "client/call/resend.h"
#include "client/call/sample.h"
#include "client/call/sync.h"

enum { RETRY_MS = 1, LOOK_MS = 500 };

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

/* Onto push, waiting for room. */
static diffuse_err push_feedback(diffuse_client *c, const struct sample_frame *f,
                                 int64_t deadline) {
    void *socket;
    diffuse_err e;

    if ((e = client_check_size(c, f->len)) || (e = client_open_push(c, &socket)))
        return e;
    while ((e = link_send(socket, f->stream, c->buffer, f->len)) == DIFFUSE_BUSY)
        if ((e = link_wait(socket, ZMQ_POLLOUT, deadline)))
            break;
    if (e == DIFFUSE_TIMEOUT)
        return client_unreachable(c, ROLE_PUSH);
    return e ? reason_set(&c->why, e, "push: %s", diffuse_strerror(e)) : DIFFUSE_OK;
}

diffuse_err diffuse_feedback(diffuse_client *client, const struct diffuse_feedback_info *feedback,
                             int timeout_ms) {
    int64_t deadline = link_deadline(timeout_ms);
    struct sample_frame f;
    diffuse_err e = sample_encode_feedback(client, feedback, NULL, &f);

    return e ? e : push_feedback(client, &f, deadline);
}

/* The event on topic. */
static diffuse_err hear(diffuse_client *c, const char *topic, int64_t deadline,
                        diffuse_result **ret_result) {
    diffuse_err e;

    for (;;) {
        int64_t until = link_earlier(deadline, LOOK_MS);

        if ((e = sync_hear(c, &c->answers, topic, until, ret_result)) != DIFFUSE_TIMEOUT)
            return e;
        resend_look(c);
        if (!c->in_force)
            return reason_set(&c->why, DIFFUSE_UNREACH,
                              "the connection was cut before the daemon said what became of it");
        if (link_over(deadline) || !link_over(until)) /* or a signal */
            return reason_set(&c->why, e,
                              "the daemon did not say what became of it: an older one, or one that "
                              "does not let this key give feedback");
    }
}

diffuse_err diffuse_feedback_told(diffuse_client *client,
                                  const struct diffuse_feedback_info *feedback, int timeout_ms,
                                  diffuse_result **ret_result) {
    int64_t deadline = link_deadline(timeout_ms);
    char prefix[LIMIT_STREAM_BYTES / 2], topic[LIMIT_STREAM_BYTES];
    struct sample_frame f;
    diffuse_err e;
    int len = snprintf(prefix, sizeof prefix, DECODE_SYNC_PREFIX "%s/", client->nonce);

    (void)snprintf(topic, sizeof topic, "%s%" PRIu64, prefix, ++client->last_sync);
    if ((e = resend_stream(client, prefix, flight_hash(prefix, (size_t)len), deadline)) ||
        (e = sample_encode_feedback(client, feedback, topic, &f)) ||
        (e = push_feedback(client, &f, deadline)))
        return e;
    return hear(client, topic, deadline, ret_result);
}
