#include "client/relay/place.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/link/address.h"

/* 0 when somebody listens at path, else why not. */
static int try_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd, code;

    if (len >= sizeof address.sun_path)
        return ENAMETOOLONG;
    memcpy(address.sun_path, path, len + 1);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return errno;
    code = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    (void)close(fd);
    return code == EAGAIN ? 0 : code; /* EAGAIN: the listener's backlog is full */
}

diffuse_err place_claim(const char *url, struct reason *why) {
    const char *path = address_ipc_path(url);
    struct stat st;
    int code;

    /* libzmq removes whatever stands in its way without asking. */
    if (!path || (lstat(path, &st) != 0 && errno == ENOENT))
        return DIFFUSE_OK;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return reason_set(why, DIFFUSE_IO,
                          "%s: is there and is no socket; remove it, or choose another folder",
                          path);
    if ((code = try_connect(path)) == 0)
        return reason_set(why, DIFFUSE_IO,
                          "%s: somebody listens there already; choose another folder", path);
    if (code != ECONNREFUSED)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be examined: %s", path, strerror(code));
    if (unlink(path) != 0)
        return reason_set(why, DIFFUSE_IO, "%s: is left over and cannot be removed: %s", path,
                          strerror(errno));
    return DIFFUSE_OK;
}

struct place place_identify(const char *url) {
    const char *path = address_ipc_path(url);
    struct place place = {0};
    struct stat st;

    if (path && lstat(path, &st) == 0) {
        place.device = st.st_dev;
        place.inode = st.st_ino;
    }
    return place;
}

void place_remove(const char *url, const struct place *place) {
    struct place now = place_identify(url);

    if (place->inode != 0 && now.inode == place->inode && now.device == place->device)
        (void)unlink(address_ipc_path(url));
}
