/* sealed.h - the functions of other libraries that this program stands in front of.
 *
 * ZeroMQ has no place where an application sees a connection before it acts on it. So the
 * executable defines these functions itself, which are then the ones that ZeroMQ finds, and does
 * what they do besides asking the doors (door.h):
 *
 *   accept4, recv, send           of the C library: who comes, what it sends, what was sent to it
 *   crypto_box_open               of libsodium: with which key a CURVE connection comes
 *   crypto_box_beforenm           ... and where ZeroMQ keeps the key of its session
 *   crypto_box_afternm            ... seals READY: it is welcomed
 *   crypto_box_open_afternm,
 *   crypto_box_open_easy_afternm  ... opens each frame of it
 *
 * Nothing else in this program may define a function of another library. It refuses to start where
 * these are not the ones that are found (sealed_check): linked statically, with hidden symbols, or
 * with a library loaded before it that defines them too.
 *
 * Threads: ZeroMQ's I/O thread calls those; accept4, recv and send anybody.
 */
#ifndef DAEMON_DOOR_SEALED_H
#define DAEMON_DOOR_SEALED_H

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* Are they the ones that ZeroMQ finds? Errors: UNSUPPORTED. */
DIFFUSE_MUST_CHECK diffuse_err sealed_check(struct reason *why);

#endif
