/* sealed.h - what CURVE seals, seen by the doors when ZeroMQ opens it.
 *
 * This stands in front of two functions of libsodium: crypto_box_beforenm, by which ZeroMQ agrees
 * on the key of a connection, and crypto_box_open_afternm, by which it opens each frame of it. As
 * with accept4 and recv (door.h), the executable's definitions are the ones that ZeroMQ finds.
 *
 * Threads: ZeroMQ's I/O thread calls those.
 */
#ifndef DAEMON_SEALED_H
#define DAEMON_SEALED_H

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* Are they the ones that ZeroMQ finds? Errors: UNSUPPORTED. */
DIFFUSE_MUST_CHECK diffuse_err sealed_check(struct reason *why);

#endif
