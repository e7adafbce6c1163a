/* send.h - messages out on the labels socket: [topic][body].
 *
 * A subscriber whose queue is full holds everybody back for at most wait_ns; after that, labels are
 * dropped for the full ones, and counted, until none is full. Threads: the socket's.
 */
#ifndef DAEMON_SEND_H
#define DAEMON_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

struct send {
    void *socket; /* XPUB with ZMQ_XPUB_NODROP set; borrowed */
    uint64_t wait_ns;
    uint64_t blocked_since; /* clock_now() of the first refusal; 0: not blocked */
    bool dropping;          /* the wait is over */
};

enum send_outcome {
    SEND_DONE,
    SEND_DROPPED, /* sent, but at least one full subscriber did not get it */
    SEND_BLOCKED  /* nothing was sent: try again after a pause */
};

enum send_outcome send_message(struct send *s, const void *topic, size_t topic_len,
                               const void *body, size_t body_len, uint64_t now);

/* An Event on a topic, for whoever is there; never blocks, and a full subscriber goes without. */
void send_event(struct send *s, const void *topic, size_t topic_len, const char *kind,
                const char *text);

#endif
