/* endpoint.h - the path of an ipc endpoint: whose is it, and whose shall it be?
 *
 * ZeroMQ takes over the path of a running daemon without a word; this looks first.
 */
#ifndef DAEMON_DOOR_ENDPOINT_H
#define DAEMON_DOOR_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/door/socket_group.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* The path of an ipc:// endpoint in the file system, else NULL. */
const char *endpoint_path(const char *endpoint);

/* May we bind here? A socket file that nobody listens on is removed, *ret_stale then says so.
 * Errors: IO, somebody listens there, or what is there is no socket. Anything that is not ipc is
 * fine. */
DIFFUSE_MUST_CHECK diffuse_err endpoint_claim(const char *endpoint, bool *ret_stale,
                                              struct reason *why);

/* Create a runtime folder (0750) if it is missing; its parent must be there. open: others have to
 * pass through it to sockets that are theirs, so it is 0711, as is one of ours that was there.
 * Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err endpoint_make_dir(const char *dir, bool open, struct reason *why);

/* Give the socket file of a bound endpoint to its group, and then its permissions; with several
 * groups, it lets everybody through. Bind it with nothing for others than the owner, and nobody
 * gets in between. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err endpoint_permit(const char *endpoint,
                                               const struct socket_group *permit, unsigned mode,
                                               struct reason *why);

/* Which file an endpoint was bound to; all zero: none. */
struct endpoint_file {
    uint64_t device, inode;
};

struct endpoint_file endpoint_identify(const char *endpoint);

/* Remove the socket file, if it is still the one that was identified. */
void endpoint_remove(const char *endpoint, const struct endpoint_file *file);

#endif
