/* peers.h - which publisher was cut off, and was it for what it sent?
 *
 * ZeroMQ drops a connection that sends a frame above the limit, or bytes that are not ZMTP, and says
 * only "disconnected", as for a peer that left. This keeps a second descriptor of each accepted
 * connection: when a connection ends while its peer is still there, it was we who ended it.
 * At most PEERS_MAX connections are followed; others end without a line.
 * Threads: the loop thread only.
 */
#ifndef DAEMON_PEERS_H
#define DAEMON_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#define PEERS_MAX 64u /* connections that are followed on one socket */

struct peers {
    void *monitor; /* borrowed: a socket that gives ACCEPTED and DISCONNECTED events */
    struct {
        int number; /* ZeroMQ's descriptor */
        int copy;   /* ours; -1: this place is free */
    } peer[PEERS_MAX];
};

void peers_init(struct peers *p, void *monitor);
void peers_done(struct peers *p);

/* Take one event. False: there are no more. *ret_cut: a connection was cut off for what it sent, and
 * *ret_pid is the process at its other end (0: not known). */
bool peers_next(struct peers *p, bool *ret_cut, int *ret_pid);

#endif
