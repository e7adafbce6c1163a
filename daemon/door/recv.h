/* recv.h - one message in: frames off a socket, however many there are. Threads: the socket's. */
#ifndef DAEMON_DOOR_RECV_H
#define DAEMON_DOOR_RECV_H

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

#define RECV_FRAMES 3u /* kept of a message; the rest is read and counted */

struct recv_message {
    zmq_msg_t frame[RECV_FRAMES];
    unsigned kept;   /* of them in use */
    unsigned frames; /* that the message had */
};

/* The next message when one is there. False: none. A true result needs recv_close. */
bool recv_next(void *socket, struct recv_message *m);
void recv_close(struct recv_message *m);

const void *recv_data(struct recv_message *m, unsigned i, size_t *ret_len);

#endif
