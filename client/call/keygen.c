/* keygen.c - new key pairs, as ZeroMQ's certificate files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "client/diffuse.h"
#include "proto/reason.h"

#include "keys/keyfile.h"

enum { PATH_BYTES = 4096 };

struct place_of_key {
    char path[PATH_BYTES];
    int fd; /* -1: not ours */
};

static diffuse_err create(struct place_of_key *p, const char *path, const char *ending, mode_t mode,
                          struct reason *why) {
    int n = snprintf(p->path, sizeof p->path, "%s%s", path, ending);

    if (n < 0 || (size_t)n >= sizeof p->path)
        return reason_set(why, DIFFUSE_INVAL, "%.100s...: too long a path", path);
    p->fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (p->fd >= 0)
        return DIFFUSE_OK;
    if (errno == EEXIST)
        return reason_set(why, DIFFUSE_IO, "%.300s: is there already, and is left as it is",
                          p->path);
    return reason_set(why, DIFFUSE_IO, "%.300s: cannot be made: %s", p->path, strerror(errno));
}

static diffuse_err fill(const struct place_of_key *p, const char *public_key,
                        const char *secret_key, struct reason *why) {
    char text[512];
    int n = snprintf(text, sizeof text,
                     "# ZeroMQ CURVE %s\n"
                     "metadata\n"
                     "curve\n"
                     "    public-key = \"%s\"\n"
                     "%s%s%s",
                     secret_key ? "secret certificate: hand it to nobody" : "public certificate",
                     public_key, secret_key ? "    secret-key = \"" : "",
                     secret_key ? secret_key : "", secret_key ? "\"\n" : "");
    bool done = n > 0 && write(p->fd, text, (size_t)n) == n && fsync(p->fd) == 0;
    int code = errno;

    explicit_bzero(text, sizeof text);
    return done ? DIFFUSE_OK
                : reason_set(why, DIFFUSE_IO, "%.300s: cannot be written: %s", p->path,
                             strerror(code));
}

static void leave(const struct place_of_key *p, bool keep) {
    if (p->fd < 0)
        return;
    (void)close(p->fd);
    if (!keep)
        (void)unlink(p->path);
}

static diffuse_err make(const char *path, char ret_key[DIFFUSE_KEY_BYTES], struct reason *why) {
    struct place_of_key secret = {.fd = -1}, open_one = {.fd = -1};
    char public_key[KEYFILE_CHARS + 1], secret_key[KEYFILE_CHARS + 1];
    diffuse_err e;

    if (!path || !path[0] || path[strlen(path) - 1] == '/')
        return reason_set(why, DIFFUSE_INVAL, "a key takes a path to be written to");
    if (zmq_curve_keypair(public_key, secret_key) != 0)
        return reason_set(why, DIFFUSE_UNSUPPORTED, "this ZeroMQ has no CURVE");
    if (!(e = create(&secret, path, ".key_secret", 0600, why)) &&
        !(e = create(&open_one, path, ".key", 0644, why)) &&
        !(e = fill(&secret, public_key, secret_key, why)))
        e = fill(&open_one, public_key, NULL, why);
    leave(&secret, !e);
    leave(&open_one, !e);
    explicit_bzero(secret_key, sizeof secret_key);
    if (!e)
        memcpy(ret_key, public_key, sizeof public_key);
    return e;
}

diffuse_err diffuse_keygen(const char *path, char ret_key[DIFFUSE_KEY_BYTES], char *why,
                           size_t why_size) {
    struct reason reason = {""};
    diffuse_err e = make(path, ret_key, &reason);

    if (e && why && why_size > 0)
        (void)snprintf(why, why_size, "%s", reason.text);
    return e;
}
