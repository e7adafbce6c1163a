/* peers.h - how a publisher's connection ended, which ZeroMQ does not say.
 *
 *   cut   ZeroMQ dropped it, for a frame above the limit or for bytes that are not ZMTP
 *   lost  the publisher left while bytes of its were still in the kernel. On ipc, ZeroMQ forgets
 * those when its own queue was full at that moment: a publisher should stay until its last label
 * has come. (On tcp it reads them first.) left  neither
 *
 * This keeps a second descriptor of each accepted connection, which the door has taken when it came
 * (by now the number may be another's), and looks at it when the connection has ended. At most
 * PEERS_MAX connections are followed; others end without a line. Threads: the loop thread only.
 */
#ifndef DAEMON_DOOR_PEERS_H
#define DAEMON_DOOR_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/door/door.h"
#include "daemon/door/peer_name.h"

#define PEERS_MAX 64u /* connections that are followed on one socket */

struct peers {
    void *monitor;       /* borrowed: a socket that gives ACCEPTED and DISCONNECTED events */
    struct doors *doors; /* borrowed */
    enum door door;
    struct {
        int number; /* ZeroMQ's descriptor */
        int copy;   /* ours; -1: this place is free */
        char who[PEER_NAME_BYTES];
    } peer[PEERS_MAX];
};

void peers_init(struct peers *p, void *monitor, struct doors *doors, enum door door);
void peers_done(struct peers *p);

enum peers_ending {
    PEERS_NONE,
    PEERS_LEFT,       /* or the door ended it, and says so itself */
    PEERS_UNFINISHED, /* cut in its handshake */
    PEERS_CUT,
    PEERS_LOST
};

/* Take one event. False: there are no more. *ret_ending: how a connection ended, if the event was
 * an end; ret_who is then who was at its other end. */
bool peers_next(struct peers *p, enum peers_ending *ret_ending, char ret_who[PEER_NAME_BYTES]);

#endif
