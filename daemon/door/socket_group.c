#include "daemon/door/socket_group.h"

#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

diffuse_err socket_group_group(const char *group, const char *key, struct socket_group *ret_permit,
                               struct reason *why) {
    *ret_permit = (struct socket_group){.n = 0};
    if (!group[0])
        return DIFFUSE_OK;
    const struct group *entry = getgrnam(group);
    if (!entry)
        return reason_set(why, DIFFUSE_NOTFOUND,
                          "%s: there is no group '%s'; create it (groupadd --system), or name "
                          "another",
                          key, group);
    *ret_permit = (struct socket_group){.n = 1, .group = {entry->gr_gid}};
    return DIFFUSE_OK;
}

static bool has(const struct socket_group *permit, gid_t group) {
    bool found = false;
    for (unsigned i = 0; i < permit->n; i++)
        found |= permit->group[i] == group;
    return found;
}

void socket_group_add(struct socket_group *permit, const struct socket_group *other) {
    if (permit->n == 0 || other->n == 0) {
        permit->n = 0;
        return;
    }
    for (unsigned i = 0; i < other->n; i++) {
        if (!has(permit, other->group[i]) && permit->n < SOCKET_GROUP_GROUPS)
            permit->group[permit->n++] = other->group[i];
    }
}

static bool read_credentials(int fd, struct ucred *ret_who) {
    int domain = 0;
    socklen_t len = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX)
        return false;
    len = sizeof *ret_who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_who, &len) == 0;
}

struct socket_group_peer socket_group_peer(int fd) {
    struct ucred who;
    if (!read_credentials(fd, &who))
        return (struct socket_group_peer){.local = false};
    return (struct socket_group_peer){.local = true, .uid = who.uid, .pid = who.pid};
}

bool socket_group_allows(const struct socket_group *permit, int fd) {
    struct ucred who;
    gid_t groups[SOCKET_GROUP_GROUPS_MAX];
    socklen_t len = sizeof groups;
    if (permit->n == 0 || !read_credentials(fd, &who) || who.uid == 0 || who.uid == geteuid() ||
        has(permit, who.gid))
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
        return false;
    for (size_t i = 0; i < len / sizeof groups[0]; i++) {
        if (has(permit, groups[i]))
            return true;
    }
    return false;
}
