#include "daemon/door/send.h"

#include <string.h>
#include <zmq.h>

#include "daemon/common/clock.h"
#include "proto/encode.h"
#include "proto/limits.h"

static bool send_frames(struct send *s, const void *topic, size_t topic_len, const void *body,
                        size_t body_len) {
    if (zmq_send(s->socket, topic, topic_len, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return false;
    /* Room was found for the whole message, so this cannot be refused. */
    return zmq_send(s->socket, body, body_len, ZMQ_DONTWAIT) >= 0;
}

static void set_nodrop(struct send *s, int on) {
    zmq_setsockopt(s->socket, ZMQ_XPUB_NODROP, &on, sizeof on);
}

static void send_lossy(struct send *s, const void *topic, size_t topic_len, const void *body,
                       size_t body_len) {
    set_nodrop(s, 0);
    (void)send_frames(s, topic, topic_len, body, body_len);
    set_nodrop(s, 1);
}

/* Who does not read is found out while it holds us back. */
static void hold(struct send *s, uint64_t now) {
    uint64_t held = s->blocked_since > 0 ? now - s->blocked_since : 0;
    s->blocked_since = now;
    s->blocked_ns += held;
    (void)doors_held(s->doors, held, s->wait_ns, now);
}

enum send_outcome send_message(struct send *s, const void *topic, size_t topic_len,
                               const void *body, size_t body_len, uint64_t now) {
    if (!send_frames(s, topic, topic_len, body, body_len)) {
        hold(s, now);
        return SEND_BLOCKED;
    }
    if (s->blocked_since > 0)
        s->blocked_ns += now - s->blocked_since;
    s->blocked_since = 0;
    doors_labelled(s->doors, topic, topic_len);
    return SEND_DONE;
}

void send_event(struct send *s, const void *topic, size_t topic_len, const char *kind,
                const char *text) {
    uint8_t buffer[2 * LIMIT_REASON_BYTES + 64];
    size_t len;
    Diffused__V1__Event event = DIFFUSED__V1__EVENT__INIT;
    event.stamp_ns = clock_wall();
    event.kind = (ProtobufCBinaryData){strlen(kind), (uint8_t *)(uintptr_t)kind};
    event.text = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    if (encode_event(&event, buffer, sizeof buffer, &len) == DIFFUSE_OK)
        send_lossy(s, topic, topic_len, buffer, len);
}
