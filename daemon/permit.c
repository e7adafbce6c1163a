#include "daemon/permit.h"

#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

diffuse_err permit_group(const char *group, const char *key, struct permit *ret_permit,
                         struct reason *why) {
    *ret_permit = (struct permit){.n = 0};
    if (!group[0])
        return DIFFUSE_OK;
    const struct group *entry = getgrnam(group);
    if (!entry)
        return reason_set(why, DIFFUSE_NOTFOUND,
                          "%s: there is no group '%s'; create it (groupadd --system), or name "
                          "another",
                          key, group);
    *ret_permit = (struct permit){.n = 1, .group = {entry->gr_gid}};
    return DIFFUSE_OK;
}

static bool has(const struct permit *permit, gid_t group) {
    bool found = false;
    for (unsigned i = 0; i < permit->n; i++)
        found |= permit->group[i] == group;
    return found;
}

void permit_add(struct permit *permit, const struct permit *other) {
    if (permit->n == 0 || other->n == 0) {
        permit->n = 0;
        return;
    }
    for (unsigned i = 0; i < other->n; i++) {
        if (!has(permit, other->group[i]) && permit->n < PERMIT_GROUPS)
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

struct permit_peer permit_peer(int fd) {
    struct ucred who;
    if (!read_credentials(fd, &who))
        return (struct permit_peer){.local = false};
    return (struct permit_peer){.local = true, .uid = who.uid, .pid = who.pid};
}

bool permit_allows(const struct permit *permit, int fd) {
    struct ucred who;
    gid_t groups[PERMIT_GROUPS_MAX];
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
