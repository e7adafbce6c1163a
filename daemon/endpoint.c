#include "daemon/endpoint.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/limits.h"

const char *endpoint_path(const char *endpoint) {
    // "ipc://@name" is an abstract name, and "ipc://*" asks for a temporary one.
    if (strncmp(endpoint, "ipc://", 6) != 0 || endpoint[6] == '@' || endpoint[6] == '*')
        return NULL;
    return endpoint + 6;
}

/* 0 when somebody listens at path, else why not. */
static int try_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof address.sun_path)
        return ENAMETOOLONG;
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int code = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(fd);
    return code == EAGAIN ? 0 : code; /* EAGAIN: the listener's backlog is full */
}

diffuse_err endpoint_claim(const char *endpoint, bool *ret_stale, struct reason *why) {
    struct stat st;
    const char *path = endpoint_path(endpoint);
    *ret_stale = false;
    if (!path || (lstat(path, &st) != 0 && errno == ENOENT))
        return DIFFUSE_OK;
    if (!S_ISSOCK(st.st_mode))
        return reason_set(why, DIFFUSE_IO,
                          "%s: exists and is no socket; remove it or choose another path", path);
    int code = try_connect(path);
    if (code == 0)
        return reason_set(why, DIFFUSE_IO,
                          "%s: another process listens there; stop it or choose another path",
                          path);
    if (code != ECONNREFUSED)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be examined: %s", path, strerror(code));
    if (unlink(path) != 0)
        return reason_set(why, DIFFUSE_IO, "%s: is left over and cannot be removed: %s", path,
                          strerror(errno));
    *ret_stale = true;
    return DIFFUSE_OK;
}

diffuse_err endpoint_make_dir(const char *dir, struct reason *why) {
    struct stat st;
    if (mkdir(dir, 0750) == 0)
        return DIFFUSE_OK;
    int code = errno;
    if (code == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_IO, "%s: the runtime folder cannot be made: %s", dir,
                      strerror(code));
}

diffuse_err endpoint_set_group(const char *endpoint, const char *group, struct reason *why) {
    const char *path = endpoint_path(endpoint);
    if (!path || !group[0])
        return DIFFUSE_OK;
    const struct group *entry = getgrnam(group);
    if (!entry)
        return reason_set(why, DIFFUSE_NOTFOUND, "socket_group: there is no group '%s'", group);
    if (chown(path, (uid_t)-1, entry->gr_gid) != 0)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be given to group '%s': %s", path, group,
                          strerror(errno));
    return DIFFUSE_OK;
}

struct endpoint_file endpoint_identify(const char *endpoint) {
    struct stat st;
    struct endpoint_file file = {0};
    const char *path = endpoint_path(endpoint);
    if (path && lstat(path, &st) == 0) {
        file.device = st.st_dev;
        file.inode = st.st_ino;
    }
    return file;
}

void endpoint_remove(const char *endpoint, const struct endpoint_file *file) {
    struct endpoint_file now = endpoint_identify(endpoint);
    if (file->inode != 0 && now.inode == file->inode && now.device == file->device)
        unlink(endpoint_path(endpoint));
}
