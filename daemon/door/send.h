/* send.h - messages out on the labels socket: [topic][body].
 *
 * A subscriber whose queue is full holds everybody back. How long each does is added up, and who
 * has done so for wait_ns within a period is ended (door.h): left in, ZeroMQ would pass it over
 * without a word until it has read. Threads: the socket's.
 */
#ifndef DAEMON_DOOR_SEND_H
#define DAEMON_DOOR_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/door/door.h"
#include "proto/diffuse_err.h"

struct send {
    void *socket; /* XPUB with ZMQ_XPUB_NODROP set; borrowed */
    uint64_t wait_ns;
    struct doors *doors;    /* borrowed */
    uint64_t blocked_since; /* clock_now() of the last refusal; 0: not blocked */
    uint64_t blocked_ns;    /* in all */
};

enum send_outcome {
    SEND_DONE,
    SEND_BLOCKED /* nothing was sent: try again after a pause */
};

enum send_outcome send_message(struct send *s, const void *topic, size_t topic_len,
                               const void *body, size_t body_len, uint64_t now);

/* An Event on a topic, for whoever is there; never blocks, and a full subscriber goes without. */
void send_event(struct send *s, const void *topic, size_t topic_len, const char *kind,
                const char *text);

#endif
