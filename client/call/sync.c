#include "client/call/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/call/ask.h"

enum { FIRST_PAUSE_MS = 25, LAST_PAUSE_MS = 400 };

diffuse_err sync_ask(diffuse_client *c, const char *topic, int64_t deadline) {
    Diffused__V1__SyncRequest sync = DIFFUSED__V1__SYNC_REQUEST__INIT;
    Diffused__V1__Request request;
    char copy[LIMIT_STREAM_BYTES];
    size_t len = strlen(topic);

    memcpy(copy, topic, len);
    sync.topic = (ProtobufCBinaryData){len, (uint8_t *)copy};
    diffused__v1__request__init(&request);
    request.verb_case = DIFFUSED__V1__REQUEST__VERB_SYNC;
    request.sync = &sync;
    return ask_send(c, &request, deadline);
}

/* Did the daemon refuse? Its consent alone proves nothing. */
static diffuse_err take_reply(diffuse_client *c, bool *ret_replied) {
    struct link_message m;
    diffuse_err e = ask_reply(c, 0, &m);

    if (!e) {
        link_message_done(&m);
        *ret_replied = true;
    }
    return e == DIFFUSE_TIMEOUT ? DIFFUSE_OK : e;
}

diffuse_err sync_refused(diffuse_client *c) {
    bool ignored;

    return take_reply(c, &ignored);
}

static bool is_topic(struct link_message *m, const char *topic) {
    size_t len = strlen(topic);

    return zmq_msg_size(&m->name) == len && memcmp(zmq_msg_data(&m->name), topic, len) == 0;
}

diffuse_err sync_hear(diffuse_client *c, struct inbox *inbox, const char *topic, int64_t deadline,
                      diffuse_result **ret_result) {
    for (;;) {
        struct link_message m;
        diffuse_result *r = NULL;
        diffuse_err e = link_recv(inbox->socket, deadline, &m);
        bool found;

        if (e)
            return e;
        found = is_topic(&m, topic);
        if (found)
            c->max_message = link_peer_limit(&m);
        e = found && !ret_result ? DIFFUSE_OK : result_new(&m, &r, &c->why);
        link_message_done(&m);
        if (found) {
            if (!e && ret_result)
                *ret_result = r;
            return e;
        }
        if (!e)
            e = inbox_keep(inbox, &r, &c->why);
        if (e && e != DIFFUSE_BADMSG)
            return e;
    }
}

static diffuse_err run(diffuse_client *c, struct inbox *inbox, const char *topic,
                       int64_t deadline) {
    int pause_ms = FIRST_PAUSE_MS;
    bool replied = false;

    for (;;) {
        int64_t until = link_earlier(deadline, pause_ms);
        diffuse_err e = sync_ask(c, topic, until);

        if (!e)
            e = sync_hear(c, inbox, topic, until, NULL);
        if (e != DIFFUSE_TIMEOUT)
            return e;
        if (!link_over(until))
            return reason_set(&c->why, DIFFUSE_TIMEOUT, "interrupted by a signal");
        if ((e = take_reply(c, &replied)))
            return e;
        if (link_over(deadline)) /* who replies publishes; that does not reach us */
            return client_unreachable(c, replied ? ROLE_LABELS : ROLE_CONTROL);
        pause_ms = pause_ms * 2 < LAST_PAUSE_MS ? pause_ms * 2 : LAST_PAUSE_MS;
    }
}

/* A new topic each time: late events of an earlier handshake must not end this one. */
static diffuse_err begin(diffuse_client *c, struct inbox *inbox, char *topic) {
    diffuse_err e;

    (void)snprintf(topic, LIMIT_STREAM_BYTES, DECODE_SYNC_PREFIX "%s-%" PRIu64, c->nonce,
                   ++c->last_sync);
    e = link_subscribe(inbox->socket, topic);
    return e ? reason_set(&c->why, e, "subscribing: %s", diffuse_strerror(e)) : DIFFUSE_OK;
}

diffuse_err sync_inbox(diffuse_client *c, struct inbox *inbox, int64_t deadline) {
    char topic[LIMIT_STREAM_BYTES];
    diffuse_err e = begin(c, inbox, topic);

    if (e)
        return e;
    e = run(c, inbox, topic, deadline);
    (void)link_unsubscribe(inbox->socket, topic);
    return e;
}

void sync_forget(diffuse_client *c) {
    if (c->topic[0] && c->answers.socket)
        (void)link_unsubscribe(c->answers.socket, c->topic);
    c->topic[0] = '\0';
}

diffuse_err sync_answers(diffuse_client *c, int64_t deadline) {
    diffuse_err e = DIFFUSE_OK;

    if ((!c->topic[0] && (e = begin(c, &c->answers, c->topic))) ||
        (e = run(c, &c->answers, c->topic, deadline)))
        return e;
    sync_forget(c);
    c->in_force = true;
    return DIFFUSE_OK;
}

static bool is_joined(const diffuse_client *c, uint64_t hash) {
    for (size_t i = c->n_joined; i-- > 0;)
        if (c->joined[i] == hash)
            return true;
    return false;
}

diffuse_err sync_stream(diffuse_client *c, const char *stream, uint64_t hash, int64_t deadline) {
    bool joined = is_joined(c, hash);
    diffuse_err e;

    if ((e = client_open_answers(c)))
        return e;
    if (joined && c->in_force)
        return DIFFUSE_OK;
    if (!joined && c->n_joined >= CLIENT_STREAMS)
        return reason_set(&c->why, DIFFUSE_INVAL, "stream '%s': a client can have %d streams",
                          stream, CLIENT_STREAMS);
    if (!joined && (e = link_subscribe(c->answers.socket, stream)))
        return reason_set(&c->why, e, "subscribing: %s", diffuse_strerror(e));
    if ((e = sync_inbox(c, &c->answers, deadline))) {
        if (!joined)
            (void)link_unsubscribe(c->answers.socket, stream);
        return e;
    }
    if (!joined)
        c->joined[c->n_joined++] = hash;
    c->in_force = true;
    return DIFFUSE_OK;
}
