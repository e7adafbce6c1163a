/* intake.h - samples in: from push and ingest into slots in flight, and what happens when more come
 * than can be answered.
 *
 * A stream that has its share of the queue (inflight.h) gets no more slots. Then, by `overload`:
 *
 *    push_back    its message is kept in hand, and its socket is not read until there is a slot
 *    drop_oldest  the oldest of its samples that waits makes room; when there is none, the new one
 * goes drop_newest  the new one goes reject       the new one goes
 *
 * What goes is answered OVERLOADED at once, before others of its stream that are still worked on;
 * but not what came from ingest, unless rejected: that is counted, logged and told by
 * $sys/overload, once a second at most. Pieces of running segments that were accepted never go: the
 * text would have a hole. ZeroMQ reads the connections of a socket in turn, and each in order: so a
 * message in hand holds up the other streams of its connection, and the other connections only
 * until it has a slot.
 *
 * Threads: the loop thread.
 */
#ifndef DAEMON_LOOP_INTAKE_H
#define DAEMON_LOOP_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/door/access.h"
#include "daemon/door/recv.h"
#include "daemon/loop/answers.h"
#include "daemon/loop/shared.h"
#include "daemon/loop/tuner_loop.h"
#include "daemon/path/inflight.h"
#include "daemon/path/path.h"

enum intake_way { INTAKE_INGEST, INTAKE_PUSH, INTAKE_WAYS };

struct intake {
    /* Borrowed, set by the owner. */
    const struct shared *shared;
    struct tuner_loop *tuning;
    struct answers *answers;
    struct access *access;

    /* Its own. */
    struct recv_message message[INTAKE_WAYS]; /* the one at hand, */
    bool in_hand[INTAKE_WAYS];                /* which waits for a slot */
    bool empty[INTAKE_WAYS];      /* the socket was, and nothing is known to have come since */
    struct inflight_sample *owed; /* dropped, and a full subscriber holds its answer up */
    bool push_first;              /* whose turn it is when room is short */
    uint64_t told;                /* samples dropped, when that was told last */
};

/* Read what there is room for; more: from the sockets too, not only what is in hand. True: anything
 * was read. */
bool intake_read(struct intake *in, bool more);

/* Something may have come to a socket: until this is called one that was empty is not read again.
 */
void intake_wake(struct intake *in, enum intake_way way);

/* Send what is owed. False: a full subscriber holds us back. */
bool intake_settle(struct intake *in);

/* Is a socket worth waiting for, and was it read to its end; can a message in hand go on now; is
 * nothing in hand or owed? */
bool intake_wants(const struct intake *in, enum intake_way way);
bool intake_empty(const struct intake *in, enum intake_way way);
bool intake_ready(struct intake *in);
bool intake_idle(const struct intake *in);

/* Tell of what was dropped. Call about once a second. */
void intake_tick(struct intake *in);

void intake_done(struct intake *in); /* gives messages in hand up */

#endif
