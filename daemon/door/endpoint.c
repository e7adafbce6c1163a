#include "daemon/door/endpoint.h"

#include <errno.h>
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

diffuse_err endpoint_make_dir(const char *dir, bool open, struct reason *why) {
    struct stat st;
    mode_t mode = open ? 0711 : 0750;
    int code = mkdir(dir, mode) == 0 ? 0 : errno;
    if (code == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
        code = 0;
    if (code)
        return reason_set(why, DIFFUSE_IO, "%s: the runtime folder cannot be made: %s", dir,
                          strerror(code));
    if (!open || stat(dir, &st) != 0 || (st.st_mode & 0011) == 0011 || st.st_uid != geteuid())
        return DIFFUSE_OK;
    if (chmod(dir, (st.st_mode & 07777) | 0011) != 0)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be opened to the sockets' groups: %s", dir,
                          strerror(errno));
    return DIFFUSE_OK;
}

diffuse_err endpoint_permit(const char *endpoint, const struct socket_group *permit, unsigned mode,
                            struct reason *why) {
    const char *path = endpoint_path(endpoint);
    if (!path)
        return DIFFUSE_OK;
    if (permit->n > 1)
        mode |= 0666; /* a file has one group; the door judges */
    if (permit->n == 1 && permit->group[0] != getegid() &&
        chown(path, (uid_t)-1, permit->group[0]) != 0)
        return reason_set(why, DIFFUSE_IO,
                          "%s: cannot be given to group %u: %s; who starts the daemon has to "
                          "belong to it (SupplementaryGroups= of the unit)",
                          path, (unsigned)permit->group[0], strerror(errno));
    if (chmod(path, (mode_t)mode) != 0)
        return reason_set(why, DIFFUSE_IO, "%s: permissions cannot be set: %s", path,
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
