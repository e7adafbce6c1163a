/* message.h - one message on its way: its frames as libzmq holds them. */
#ifndef CLIENT_RELAY_MESSAGE_H
#define CLIENT_RELAY_MESSAGE_H

#include <stdbool.h>

#include "client/link/link.h"
#include "client/relay/frames.h"

struct message {
    zmq_msg_t frame[DIFFUSE_MESSAGE_FRAMES + 1]; /* the last for frames that are thrown away */
    size_t n;                                    /* 0: empty */
    bool cut;                                    /* there were more frames */
};

/* Take the next message of a socket into an empty m, without waiting. Errors: TIMEOUT (nothing is
 * there), NOMEM, IO. */
diffuse_err message_take(void *socket, struct message *m);

/* Send its frames from `first` on, which stay in m; never waits. Errors: BUSY, NOMEM, IO. */
diffuse_err message_give(struct message *m, size_t first, void *socket);

/* Make m empty. */
void message_drop(struct message *m);

/* Describe it; the frames are borrowed from m. */
void message_show(struct message *m, int way, struct diffuse_message *ret_message);

/* Does its first frame begin so? */
bool message_begins(struct message *m, const char *prefix);

#endif
