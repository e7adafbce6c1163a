/* caller.h - who asked on the control socket, so that the answer may come later. */
#ifndef DAEMON_DOOR_CALLER_H
#define DAEMON_DOOR_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/door/recv.h"

#define CALLER_BYTES 255u /* of a ROUTER's identity: ZeroMQ's own limit */

struct caller {
    uint8_t identity[CALLER_BYTES];
    size_t len;
    bool envelope; /* REQ sends an empty frame before the request, DEALER does not */
};

/* Who sent m, and the request in it, borrowed from m. False: not the frames of a request. */
bool caller_read(struct caller *c, struct recv_message *m, const void **ret_request,
                 size_t *ret_len);

/* Send a reply; it is lost when the caller has gone. */
void caller_reply(const struct caller *c, void *socket, const void *bytes, size_t len);

#endif
