/* recording_write.c - the writing half of recording.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/recording/recording_bytes.h"

enum { BUFFER = 256 * 1024 };

struct recording_writer {
    char *path;
    int fd;
    int64_t begun_ns;
    int64_t sync_ns, synced_ns;
    uint64_t count;
    uint64_t whole; /* bytes of the file, up to the end of a record */
    diffuse_err error;
    struct recording_why why; /* of that error */
    size_t used;
    unsigned char buffer[BUFFER];
};

__attribute__((format(printf, 3, 4))) static diffuse_err
say(struct recording_why *why, diffuse_err e, const char *format, ...) {
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return e;
}

/* Nothing more is written; what was is cut back to its last whole record. */
static diffuse_err give_up(struct recording_writer *w, const char *what) {
    int code = errno;

    (void)(ftruncate(w->fd, (off_t)w->whole) == 0);
    w->used = 0;
    w->error = say(&w->why, DIFFUSE_IO, "%s: %s: %s", w->path, what, strerror(code));
    return w->error;
}

static diffuse_err write_all(struct recording_writer *w, const unsigned char *bytes, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t k = write(w->fd, bytes + done, n - done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return give_up(w, "cannot be written");
        done += (size_t)k;
    }
    w->whole += n;
    return DIFFUSE_OK;
}

static diffuse_err flush(struct recording_writer *w) {
    diffuse_err e = w->error ? w->error : write_all(w, w->buffer, w->used);

    w->used = 0;
    return e;
}

/* The buffer holds whole records only. A record beyond its size goes past it. */
static diffuse_err add(struct recording_writer *w, struct recording_parts *parts) {
    size_t n = recording_bytes_measure(parts);
    unsigned char *own;
    diffuse_err e = w->error;

    if (!e && n > BUFFER - w->used)
        e = flush(w);
    if (e)
        return e;
    if (n <= BUFFER) {
        recording_bytes_put(parts, w->buffer + w->used);
        w->used += n;
        return DIFFUSE_OK;
    }
    if (!(own = malloc(n))) {
        errno = ENOMEM;
        return give_up(w, "a long message");
    }
    recording_bytes_put(parts, own);
    e = write_all(w, own, n);
    free(own);
    return e;
}

static void release(struct recording_writer *w) {
    if (w->fd >= 0)
        (void)close(w->fd);
    free(w->path);
    free(w);
}

static diffuse_err create(struct recording_writer *w, const struct recording_about *about) {
    unsigned char header[RECORDING_HEADER_MAX];
    size_t n = recording_bytes_header(about, header);
    diffuse_err e;

    if (n == 0)
        return say(&w->why, DIFFUSE_INVAL, "%s: version or model id of more than %d bytes", w->path,
                   RECORDING_TEXT);
    w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (w->fd < 0 && errno == EEXIST)
        return say(&w->why, DIFFUSE_IO, "%s: is there already; remove it, or choose another name",
                   w->path);
    if (w->fd < 0)
        return say(&w->why, DIFFUSE_IO, "%s: cannot be made: %s", w->path, strerror(errno));
    if ((e = write_all(w, header, n)))
        return e;
    return fsync(w->fd) == 0 || errno == EINVAL ? DIFFUSE_OK : give_up(w, "cannot be synced");
}

diffuse_err recording_create(const char *path, const struct recording_about *about, int sync_ms,
                             struct recording_writer **ret_writer, struct recording_why *why) {
    struct recording_writer *w = calloc(1, sizeof *w);
    diffuse_err e;

    if (!w || !(w->path = strdup(path))) {
        free(w);
        return say(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    }
    w->fd = -1;
    w->begun_ns = w->synced_ns = about->mono_ns;
    w->sync_ns = (int64_t)sync_ms * 1000000;
    if ((e = create(w, about))) {
        *why = w->why;
        release(w);
        return e;
    }
    *ret_writer = w;
    return DIFFUSE_OK;
}

static int64_t after(const struct recording_writer *w, int64_t mono_ns) {
    return mono_ns > w->begun_ns ? mono_ns - w->begun_ns : 0;
}

static diffuse_err told(struct recording_writer *w, diffuse_err e, struct recording_why *why) {
    if (e)
        *why = w->why;
    return e;
}

diffuse_err recording_add(struct recording_writer *w, int64_t mono_ns,
                          const struct diffuse_message *message, struct recording_why *why) {
    struct recording_parts parts = {
        .after_ns = after(w, mono_ns), .kind = diffuse_message_kind(message), .message = *message};
    diffuse_err e = add(w, &parts);

    w->count += !e;
    return told(w, e, why);
}

diffuse_err recording_tend(struct recording_writer *w, int64_t mono_ns, struct recording_why *why) {
    diffuse_err e = flush(w);

    if (!e && w->sync_ns > 0 && mono_ns - w->synced_ns >= w->sync_ns) {
        w->synced_ns = mono_ns;
        if (fdatasync(w->fd) != 0 && errno != EINVAL)
            e = give_up(w, "cannot be synced");
    }
    return told(w, e, why);
}

uint64_t recording_count(const struct recording_writer *w) {
    return w->count;
}

uint64_t recording_bytes(const struct recording_writer *w) {
    return w->whole + w->used;
}

diffuse_err recording_close(struct recording_writer *w, int64_t mono_ns,
                            struct recording_why *why) {
    struct recording_parts end = {.after_ns = after(w, mono_ns), .kind = RECORDING_END};
    diffuse_err e = add(w, &end);

    if (!e)
        e = flush(w);
    if (!e && fsync(w->fd) != 0 && errno != EINVAL)
        e = give_up(w, "cannot be synced");
    (void)told(w, e, why);
    release(w);
    return e;
}
