/* sockets.h - the four sockets: made, bounded, bound; and taken down. Threads: one, see loop.h. */
#ifndef DAEMON_DOOR_SOCKETS_H
#define DAEMON_DOOR_SOCKETS_H

#include <stdint.h>

#include "daemon/common/log.h"
#include "daemon/conf/conf.h"
#include "daemon/door/curve.h"
#include "daemon/door/door.h"
#include "daemon/door/endpoint.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* Clients of control beside `subscribers`: one that asks again over a new connection finds a place
 * before the one it had is given up. */
#define SOCKETS_CLIENTS_SPARE 2u

/* In the metadata of every handshake, so that a client knows what it may send: max_message in
 * bytes, in figures. */
#define SOCKETS_MAX_MESSAGE "X-Max-Message"

struct sockets_bound {
    char endpoint[CONF_TEXT_BYTES]; /* "": not bound */
    struct endpoint_file file;
};

struct sockets {
    void *context;
    struct curve *curve; /* owned; NULL: nobody comes with a key */
    struct doors *doors; /* owned */
    void *ingest, *push, *labels, *control;
    void *ingest_peers, *push_peers;   /* monitors: connections that come and go */
    struct socket_group permit[DOORS]; /* by whom each may be reached on this machine */
    struct sockets_bound ingest_at, push_at, labels_at, control_at;
};

struct sockets_limits {
    uint64_t frame_max;   /* bytes; a publisher who sends more is disconnected */
    uint64_t request_max; /* bytes of a control frame */
    int control_hwm;
};

/* Connections and messages as the doors take them, from the same keys as the plan. */
void sockets_doors(const struct conf *c, const struct sockets_limits *limits,
                   struct door_limits ret_limits[DOORS]);

/* Make, set up, bind and connect all. Files of sockets that nobody listens on are replaced, with a
 * line in the log. Errors: IO, NOTFOUND; BUDGET, as doors_new; as curve_new; the reason names what.
 * log and stats are borrowed.
 * Whatever was opened is for sockets_close, also after a failure. */
DIFFUSE_MUST_CHECK diffuse_err sockets_open(struct sockets *s, const struct conf *c,
                                            const struct sockets_limits *limits, struct log *log,
                                            struct stats *stats, struct reason *why);

/* Remove the socket files, so that nobody new finds us; the connections that are there go on.
 * (ZeroMQ's unbind would end those too, and leave the files.) */
void sockets_hide(struct sockets *s);

/* Close everything; waits up to linger_ms for subscribers to take what was sent. Fine when zeroed.
 */
void sockets_close(struct sockets *s, int linger_ms);

#endif
