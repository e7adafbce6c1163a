/* socket_group.h - which processes of this machine may use a socket: those of some groups.
 *
 * The socket's file keeps others out already, when it is one group. This asks the kernel once more
 * who is at the other end, where the file lets everybody through (several groups, socket_mode =
 * 0666, or an abstract name, which has no file), so that who is turned away is seen; and it tells
 * those apart who come over the same socket and may not do the same. root and the daemon's own user
 * always may.
 */
#ifndef DAEMON_DOOR_SOCKET_GROUP_H
#define DAEMON_DOOR_SOCKET_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define SOCKET_GROUP_GROUPS 5u
#define SOCKET_GROUP_GROUPS_MAX                                                                    \
    1024u /* of one process; one in more belongs to none of them, for us */

struct socket_group {
    unsigned n; /* 0: everybody may */
    gid_t group[SOCKET_GROUP_GROUPS];
};

/* Members of the group of this name may; "": everybody. key is the configuration's, for the reason.
 * Reads the system's tables: at the start only. Errors: NOTFOUND. */
DIFFUSE_MUST_CHECK diffuse_err socket_group_group(const char *group, const char *key,
                                                  struct socket_group *ret_permit,
                                                  struct reason *why);

/* Whom other permits may too: everybody, when it permits everybody. At most SOCKET_GROUP_GROUPS in
 * all.
 */
void socket_group_add(struct socket_group *permit, const struct socket_group *other);

struct socket_group_peer {
    bool local; /* a process of this machine; else nothing else is known */
    uid_t uid;
    pid_t pid;
};

/* Who is at the other end of a connection, and may it? What is not local may. Threads: any. */
struct socket_group_peer socket_group_peer(int fd);
bool socket_group_allows(const struct socket_group *permit, int fd);

#endif
