/* door.h - who is let in at our listening sockets, what it may send, and when it is ended.
 *
 * ZeroMQ bounds none of it: it accepts whoever comes, ends the process when an ipc listener finds
 * no descriptor (ipc_listener.cpp, accept), and its high-water marks count messages, so that one
 * message of endless frames is never full. So this is asked first, by what stands in front of the
 * functions that ZeroMQ calls (sealed.h). Descriptors that were not told to a door pass through
 * untouched.
 *
 *   come     A connection is a stranger until it has greeted, with CURVE until its key is known and
 *            ZeroMQ has welcomed it. Strangers have DOOR_STRANGERS places of their own, those over
 *            ipc and those over TCP apart; when these are full the oldest is ended. Then it takes
 *            one of the `max` places; `kept` of those are for ipc alone, and over TCP one key, or
 *            where nobody shows one an address, has at most `each`. Who finds no place is closed,
 *            which the other end's ZeroMQ takes for a server that is not there yet: it tries again.
 *            So is one whose process does not belong to the socket's group (socket_group.h). A
 * place is free again when the connection has ended and ZeroMQ has given up what belonged to it,
 *            for which the socket has to be read (doors_read).
 *   say      What zmtp.h does not allow is never seen by ZeroMQ: the connection is ended before. So
 *            is a subscriber with more topics than topics.h allows.
 *   wait     Strangers for handshake_ns, and who has begun a frame or message, and of whom nothing
 *            else waits to be read, for message_ns.
 *   lag      Of subscribers it is known which labels were for them, and how many were sent: who
 *            holds everybody back for too long is ended, and what it did not get is counted.
 *
 * With CURVE what a connection sends is sealed, and seen when ZeroMQ opens it. Should another
 * ZeroMQ open messages by other ways, a CURVE connection is ended soon, for having sent much that
 * was never opened.
 *
 * Threads: door_* are called by ZeroMQ's one I/O thread, doors_* by the loop's; one mutex. There is
 * one set of doors in a process, as these functions have no other way to find it.
 */
#ifndef DAEMON_DOOR_DOOR_H
#define DAEMON_DOOR_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "daemon/conf/socket.h"
#include "daemon/door/peer_name.h"
#include "daemon/door/socket_group.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define DOOR_STRANGERS 8u /* connections of each kind that have not finished their handshake */

struct door_limits {
    unsigned max;          /* connections */
    unsigned kept;         /* of them, for ipc alone */
    unsigned each;         /* over TCP, of one key or address */
    uint64_t handshake_ns; /* for it */
    uint64_t message_ns;   /* for a message, once begun */
    uint64_t message;      /* bytes of one, as zmtp.h counts them */
    uint64_t round; /* messages after whose reading every older one of these has been read, as
                       connections are read in turn */
    bool topics;    /* who comes here subscribes */
    bool followed;  /* doors_copy is asked about who comes here */
    struct socket_group enter; /* who may come in at all, */
    struct socket_group full;  /* and who may do everything there: give feedback (ingest, push),
                            change  something (control) */
};

struct doors;

/* Memory of the tables, as laid for these limits; of those each connection more at that door. */
uint64_t doors_bytes(const struct door_limits limits[DOORS]);
uint64_t doors_place_bytes(const struct door_limits *limits);

/* The doors of this process. Errors: NOMEM; BUDGET, when the connections could need more
 * descriptors than RLIMIT_NOFILE allows beside `others`, the reason naming both. */
DIFFUSE_MUST_CHECK diffuse_err doors_new(const struct door_limits limits[DOORS], unsigned others,
                                         struct doors **ret_doors, struct reason *why);
void doors_done(struct doors *d); /* when ZeroMQ's threads are gone; fine with NULL */

/* The sockets that came to listen since doors_new, or since the last call, are this door's. Until
 * this is called nobody is let in through them. */
void doors_bound(struct doors *d, enum door door);

/* n messages were read through a door, and whether it was then found empty. Call it after each
 * reading. */
void doors_read(struct doors *d, enum door door, uint64_t n, bool empty);

/* Readable when somebody waits for a place that a reading would give; read it empty with
 * doors_acknowledge. */
int doors_fd(const struct doors *d);
void doors_acknowledge(struct doors *d);

/* For sealed.c: accept4, recv and send as ZeroMQ calls them. */
int door_accept(int fd, struct sockaddr *address, socklen_t *len, int flags);
ssize_t door_receive(int fd, void *bytes, size_t n, int flags);
ssize_t door_send(int fd, const void *bytes, size_t n, int flags);

/* For sealed.c: the connection heard last showed these properties in its handshake (false: it may
 * not have that Identity); it showed this key, of 32 bytes (false: it has connections enough);
 * ZeroMQ keeps the key of its session at `seal`; it is welcomed; ZeroMQ opened a frame with that
 * (false: it is not allowed). */
bool door_introduced(const uint8_t *properties, size_t n);
bool door_vouched(const uint8_t *key);
void door_agreed(const uint8_t *seal);
void door_welcomed(const uint8_t *seal);
bool door_opened(const uint8_t *seal, const uint8_t *opened, size_t n);

/* Whose key it is that the connection with this descriptor showed, in Z85. */
void doors_name(struct doors *d, enum door door, int fd, const char *key);

/* End the connections of keys that may no longer come in by this door; how many. */
unsigned doors_review(struct doors *d, enum door door,
                      bool (*may)(const void *user, const char *key), const void *user);

/* End who has taken too long; once a second or so. */
void doors_tick(struct doors *d, uint64_t now);

/* A label was sent on a topic to whoever wants it. Its subscribers: */
void doors_labelled(struct doors *d, const void *topic, size_t len);

/* Nothing could be sent for `held` nanoseconds, up to now: who did not read meanwhile? Each may
 * hold everybody back for `most`, in each period of DOOR_PERIOD times that; beyond that it is
 * ended. How many were. */
#define DOOR_PERIOD 10u
unsigned doors_held(struct doors *d, uint64_t held, uint64_t most, uint64_t now);

/* What happened since the last call, and to whom it happened last: connections refused; ended for
 * what they sent; ended for having taken too long; ended as they held others back; denied for the
 * process that they are of. why_*: the rest of a sentence about the last. labels: that were for
 * subscribers who were ended, and that they did not get, also until they come again. False: none.
 */
struct door_news {
    uint64_t refused, ended, unfinished, slow, denied, labels;
    const char *why_refused, *why_ended, *why_unfinished;
    char who_refused[PEER_NAME_BYTES], who_ended[PEER_NAME_BYTES], who_unfinished[PEER_NAME_BYTES],
        who_slow[PEER_NAME_BYTES];
    unsigned denied_uid;
    int denied_pid;
};
bool doors_news(struct doors *d, enum door door, struct door_news *ret_news);

/* May a message's sender do everything there? By the descriptor that it came through, and the
 * process as ZeroMQ saw it then: when the descriptor is somebody else's by now, it may not. */
bool doors_may_all(struct doors *d, enum door door, int fd, unsigned uid, int pid);

/* A second descriptor of the connection that came with this one, taken when it came: for each that
 * ZeroMQ says was accepted, in that order. The caller closes it; -1: there is none. At most
 * DOOR_COPIES wait to be asked for at a door. */
#define DOOR_COPIES 32u
int doors_copy(struct doors *d, enum door door, int fd);

/* Of that connection: was it ended by us, had it shaken hands? False: it is not known any more. */
bool doors_recall(struct doors *d, enum door door, int copy, bool *ret_cut, bool *ret_known);

/* Connections that are there now, or whose memory is. */
unsigned doors_present(struct doors *d, enum door door);

#endif
