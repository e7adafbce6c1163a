#include "model/train/rows/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES  4096
#define FIRST_BYTES 4096 /* of memory */

void spool_init(struct spool *s) {
    *s = (struct spool){.fd = -1};
}

void spool_done(struct spool *s) {
    if (s->fd >= 0)
        close(s->fd);
    free(s->tail);
    free(s->folder);
    spool_init(s);
}

/* --- the file ------------------------------------------------------------ */

/* A file system without O_TMPFILE gets a named file, which loses its name at once. */
static int open_named(const char *folder) {
    char path[PATH_BYTES];
    int fd, n = snprintf(path, sizeof path, "%s/diffuse-XXXXXX", folder);

    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

static int open_in(const char *folder) {
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        fd = open_named(folder);
    return fd;
}

static diffuse_err open_file(struct spool *s, struct reason *why) {
    const char *asked = getenv("TMPDIR"), *folder = asked && *asked ? asked : "/var/tmp";
    char *name;
    int fd = open_in(folder);

    if (fd < 0 && folder != asked) {
        folder = "/tmp";
        fd = open_in(folder);
    }
    if (fd < 0)
        return reason_set(why, DIFFUSE_IO,
                          "%s: no temporary file can be made for the token rows: %s; set TMPDIR to "
                          "a folder that can be written",
                          folder, strerror(errno));
    name = strdup(folder);
    if (!name) {
        close(fd);
        return DIFFUSE_NOMEM;
    }
    s->fd = fd;
    s->folder = name;
    return DIFFUSE_OK;
}

static diffuse_err write_tail(struct spool *s, struct reason *why) {
    size_t done = 0;

    while (done < s->used) {
        ssize_t n =
            pwrite(s->fd, s->tail + done, s->used - done, (off_t)(s->written + (uint64_t)done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return reason_set(why, DIFFUSE_IO,
                              "%s: a temporary file of token rows cannot grow past %llu MiB: %s; "
                              "make room there, or set TMPDIR to a folder with more",
                              s->folder, (unsigned long long)((s->written + done) >> 20),
                              n < 0 ? strerror(errno) : "nothing was written");
        done += (size_t)n;
    }
    s->written += s->used;
    s->used = 0;
    return DIFFUSE_OK;
}

diffuse_err spool_to_file(struct spool *s, struct reason *why) {
    uint8_t *buffer;
    diffuse_err e = s->fd < 0 ? open_file(s, why) : DIFFUSE_OK;

    if (e || (e = write_tail(s, why)))
        return e;
    if (s->cap == SPOOL_BUFFER)
        return DIFFUSE_OK;
    buffer = malloc(SPOOL_BUFFER);
    if (!buffer)
        return DIFFUSE_NOMEM;
    free(s->tail);
    s->tail = buffer;
    s->cap = SPOOL_BUFFER;
    return DIFFUSE_OK;
}

/* --- bytes --------------------------------------------------------------- */

static diffuse_err append_in_memory(struct spool *s, const void *bytes, size_t n) {
    size_t cap = s->cap ? s->cap : FIRST_BYTES;
    uint8_t *tail;

    while (cap - s->used < n) {
        if (cap > SIZE_MAX / 2)
            return DIFFUSE_NOMEM;
        cap *= 2;
    }
    if (cap > s->cap) {
        tail = realloc(s->tail, cap);
        if (!tail)
            return DIFFUSE_NOMEM;
        s->tail = tail;
        s->cap = cap;
    }
    memcpy(s->tail + s->used, bytes, n);
    s->used += n;
    return DIFFUSE_OK;
}

diffuse_err spool_append(struct spool *s, const void *bytes, size_t n, struct reason *why) {
    const uint8_t *from = bytes;
    size_t take;

    if (s->fd < 0)
        return append_in_memory(s, bytes, n);
    for (; n; from += take, n -= take) {
        diffuse_err e = s->used == s->cap ? write_tail(s, why) : DIFFUSE_OK;

        if (e)
            return e;
        take = s->cap - s->used < n ? s->cap - s->used : n;
        memcpy(s->tail + s->used, from, take);
        s->used += take;
    }
    return DIFFUSE_OK;
}

static diffuse_err read_file(const struct spool *s, uint64_t at, size_t n, uint8_t *bytes,
                             struct reason *why) {
    while (n) {
        ssize_t got = pread(s->fd, bytes, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return reason_set(why, DIFFUSE_IO,
                              "%s: the temporary file of token rows cannot be read: %s", s->folder,
                              got < 0 ? strerror(errno) : "it ends early");
        bytes += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return DIFFUSE_OK;
}

diffuse_err spool_read(const struct spool *s, uint64_t at, size_t n, void *bytes,
                       struct reason *why) {
    uint8_t *to = bytes;
    size_t in_file = 0;

    if (at > spool_size(s) || n > spool_size(s) - at)
        return reason_set(why, DIFFUSE_INVAL, "token rows end before byte %llu",
                          (unsigned long long)at + n);
    if (at < s->written) {
        diffuse_err e;

        in_file = n < s->written - at ? n : (size_t)(s->written - at);
        if ((e = read_file(s, at, in_file, to, why)))
            return e;
    }
    if (n > in_file)
        memcpy(to + in_file, s->tail + (at + in_file - s->written), n - in_file);
    return DIFFUSE_OK;
}
