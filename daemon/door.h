/* door.h - how many connections our listening sockets take, and how large a message may be.
 *
 * ZeroMQ bounds neither: it accepts whoever comes, ends the process when an ipc listener finds no
 * descriptor (ipc_listener.cpp, accept), and its high-water marks count messages, so that one
 * message of endless frames is never full. So this stands in front of two functions of the C
 * library, accept4 and recv, as ZeroMQ calls them: the executable's definitions are the ones it
 * finds. Descriptors that were not told to a door pass through untouched.
 *
 *   accept4  A connection beyond `max` is closed at once, which the other end's ZeroMQ takes for a
 *            server that is not there yet: it tries again. A place is free again when the
 *            connection has ended and ZeroMQ has given up what belonged to it, for which the socket
 *            has to be read (doors_read): until then what a dead peer left counts as present.
 *            So is one whose process does not belong to the socket's group (permit.h).
 *   recv     A connection that sends a message of more than `message` bytes, in however many
 *            frames, is ended while ZeroMQ still gathers it; so is a subscriber with more
 *            topics than topics.h allows: ZeroMQ keeps what it was sent, whatever the application
 *            thinks of it.
 *
 * With CURVE what a connection sends is sealed, and counted when ZeroMQ opens it (sealed.h). Should
 * another ZeroMQ open messages by other ways, a CURVE connection is ended soon, for having sent
 * much that was never opened.
 *
 * Threads: those are called by ZeroMQ's one I/O thread, the rest by the loop's; one mutex. There is
 * one set of doors in a process, as these functions have no other way to find it.
 */
#ifndef DAEMON_DOOR_H
#define DAEMON_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/permit.h"
#include "daemon/socket.h"
#include "daemon/whois.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct door_limits {
    unsigned max;        /* connections */
    uint64_t message;    /* bytes of one, as zmtp.h counts them */
    uint64_t round;      /* messages after whose reading every older one of these has been read, as
                            connections are read in turn */
    bool topics;         /* who comes here subscribes */
    struct permit enter; /* who may come in at all, */
    struct permit full;  /* and who may do everything there: give feedback (ingest, push), change
                            something (control) */
};

struct doors;

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

/* ZeroMQ keeps the key of the connection heard last at `seal`; and it opened a frame with that.
 * False: more than may be sent. For sealed.c. */
void door_agreed(const uint8_t *seal);
bool door_opened(const uint8_t *seal, const uint8_t *opened, size_t n);

/* Whose key it is that the connection with this descriptor showed, in Z85. */
void doors_name(struct doors *d, enum door door, int fd, const char *key);

/* End the connections of keys that may no longer come in by this door; how many. */
unsigned doors_review(struct doors *d, enum door door,
                      bool (*may)(const void *user, const char *key), const void *user);

/* Since the last call: connections refused at a door, ended for what they sent, and denied for the
 * process that they are of; who was at the other end of the last of them. False: none. */
struct door_news {
    uint64_t refused, ended, denied;
    char who[WHOIS_BYTES];
    unsigned denied_uid;
    int denied_pid;
};
bool doors_news(struct doors *d, enum door door, struct door_news *ret_news);

/* May a message's sender do everything there? By the descriptor that it came through, and the
 * process as ZeroMQ saw it then: when the descriptor is somebody else's by now, it may not. */
bool doors_may_all(struct doors *d, enum door door, int fd, unsigned uid, int pid);

/* Connections that are there now, or whose memory is. */
unsigned doors_present(struct doors *d, enum door door);

#endif
