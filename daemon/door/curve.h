/* curve.h - who comes in over TCP: the daemon's key, the keys that are let in, and ZAP.
 *
 * ZeroMQ asks about each connection (rfc.zeromq.org/spec/27) on a socket that the loop serves
 * between messages; the connection waits so long, and nobody else. A key that is let in goes with
 * every message of its connection, so that what it may do is looked up when it does it, in the list
 * as it is then. Threads: the loop thread only.
 */
#ifndef DAEMON_DOOR_CURVE_H
#define DAEMON_DOOR_CURVE_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "daemon/common/log.h"
#include "daemon/common/stats.h"
#include "daemon/conf/conf.h"
#include "daemon/door/door.h"
#include "daemon/door/keyring.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct curve;

uint64_t curve_bytes(void); /* that curve_new takes */

/* Read the key and the list that the configuration names. Errors: NOMEM, and as keyfile_read and
 * keyring_read. log and stats are borrowed. */
DIFFUSE_MUST_CHECK diffuse_err curve_new(const struct conf *c, struct log *log, struct stats *stats,
                                         struct curve **ret_curve, struct reason *why);
void curve_free(struct curve *c); /* NULL is fine */

/* Could they be read, if they are to be? Errors: as curve_new. */
DIFFUSE_MUST_CHECK diffuse_err curve_check(const struct conf *c, struct reason *why);

/* Be asked about the connections of this context; before the first socket is bound. Errors: IO,
 * UNSUPPORTED. */
DIFFUSE_MUST_CHECK diffuse_err curve_listen(struct curve *c, void *context, struct reason *why);
void curve_deafen(struct curve *c);        /* before the context ends; NULL is fine */
void *curve_socket(const struct curve *c); /* to poll; NULL: none */

/* What is bound from now on to a socket speaks CURVE; there is no way back. Errors: UNSUPPORTED. */
DIFFUSE_MUST_CHECK diffuse_err curve_protect(const struct curve *c, void *socket, enum door door,
                                             struct reason *why);

/* Answer what ZeroMQ asks. True: that was read to its end. c may be NULL. */
bool curve_answer(struct curve *c);

/* What the sender of a message may do: a sum of enum keyring_role. All, when it came through a
 * socket file, or over TCP that the configuration leaves open. c may be NULL. ret_name (may be
 * NULL): who that is in the list, for a line in the log. */
unsigned curve_roles(const struct curve *c, zmq_msg_t *message, const char **ret_name);

/* The key that goes with a message, in Z85; NULL: none. */
const char *curve_key(zmq_msg_t *message);

/* May this key come in by that door? */
bool curve_admits(const struct curve *c, enum door door, const char *key);

/* Read the list again. Errors: as keyring_read; they are logged, and the old one goes on. */
DIFFUSE_MUST_CHECK diffuse_err curve_reload(struct curve *c, struct reason *why);

#endif
