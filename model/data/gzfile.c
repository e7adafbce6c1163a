#include "model/data/gzfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "proto/limits.h"

#define CHUNK       (256u * 1024) /* of a large file, or one of unknown size */
#define SMALL_CHUNK (8u * 1024)   /* the least, for a small file: there may be many thousands */
#define GZIP_WINDOW (15 + 16)     /* the largest window, and gzip's frame around the data */

/* What is to come of a file that is stored as gzip. */
enum part { MEMBER, BETWEEN, PADDING };

struct gzfile {
    int fd;
    char *path;
    uint64_t bytes_total, bytes_read;
    unsigned chunk; /* bytes asked of the system at a time */
    bool begun;     /* the first bytes were looked at */
    bool packed;    /* they are gzip's */
    enum part part;
    z_stream z;
    unsigned char *stored; /* (chunk) bytes as they are on disk, with packed */
    uint64_t line_number;
    char *buffer; /* (cap + 1): room for a NUL */
    size_t cap;
    size_t start, end; /* bytes not yet handed out */
    bool eof;
};

static unsigned chunk_for(uint64_t bytes_total) {
    if (bytes_total == 0 || bytes_total >= CHUNK)
        return CHUNK;
    return bytes_total < SMALL_CHUNK ? SMALL_CHUNK : (unsigned)bytes_total + 1;
}

static diffuse_err open_stream(struct gzfile *f, struct reason *why) {
    struct stat st;

    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 && errno == ENOENT) {
        memcpy(f->path + strlen(f->path), ".gz", sizeof ".gz"); /* there is room */
        f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
        if (f->fd < 0)
            f->path[strlen(f->path) - 3] = 0;
    }
    if (f->fd < 0)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO, "%s: %s", f->path,
                          errno == ENOENT ? "no such file, nor with .gz" : strerror(errno));
    if (fstat(f->fd, &st) || S_ISDIR(st.st_mode))
        return reason_set(why, DIFFUSE_IO, "%s: a folder; expected a file", f->path);
    f->bytes_total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    f->chunk = chunk_for(f->bytes_total);
    return DIFFUSE_OK;
}

diffuse_err gzfile_open(const char *path, struct gzfile **ret_file, struct reason *why) {
    struct gzfile *f = calloc(1, sizeof *f);
    diffuse_err e;

    if (!f || !(f->path = malloc(strlen(path) + sizeof ".gz"))) {
        free(f);
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    }
    f->fd = -1;
    memcpy(f->path, path, strlen(path) + 1);
    if ((e = open_stream(f, why))) {
        gzfile_close(f);
        return e;
    }
    *ret_file = f;
    return DIFFUSE_OK;
}

void gzfile_close(struct gzfile *f) {
    if (!f)
        return;
    if (f->fd >= 0)
        (void)close(f->fd);
    if (f->packed)
        (void)inflateEnd(&f->z);
    free(f->stored);
    free(f->path);
    free(f->buffer);
    free(f);
}

static diffuse_err make_room(struct gzfile *f, struct reason *why) {
    size_t cap;
    char *buffer;

    if (f->start > 0) {
        memmove(f->buffer, f->buffer + f->start, f->end - f->start);
        f->end -= f->start;
        f->start = 0;
    }
    if (f->cap - f->end >= f->chunk)
        return DIFFUSE_OK;
    if (f->end > LIMIT_ROW_BYTES)
        return reason_set(why, DIFFUSE_TOOBIG, "%s:%llu: row over %u bytes", f->path,
                          (unsigned long long)f->line_number + 1, LIMIT_ROW_BYTES);
    cap = 2 * f->cap + f->chunk;
    buffer = realloc(f->buffer, cap + 1);
    if (!buffer)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory for a line", f->path);
    f->buffer = buffer;
    f->cap = cap;
    return DIFFUSE_OK;
}

/* Bytes of the file as it is stored. *ret_n 0: its end. */
static diffuse_err take(struct gzfile *f, void *bytes, size_t size, size_t *ret_n,
                        struct reason *why) {
    ssize_t got;

    do
        got = read(f->fd, bytes, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return reason_set(why, DIFFUSE_IO, "%s: %s", f->path, strerror(errno));
    f->bytes_read += (uint64_t)got;
    *ret_n = (size_t)got;
    return DIFFUSE_OK;
}

/* More of the stored bytes for inflate. f->eof: there are none. */
static diffuse_err take_stored(struct gzfile *f, struct reason *why) {
    size_t n = 0;
    diffuse_err e = take(f, f->stored, f->chunk, &n, why);

    if (e)
        return e;
    if (n == 0 && f->part == MEMBER)
        return reason_set(why, DIFFUSE_IO, "%s: gzip data ends early; copy the file again",
                          f->path);
    f->z.next_in = f->stored;
    f->z.avail_in = (uInt)n;
    f->eof = n == 0;
    return DIFFUSE_OK;
}

/* One byte behind a member: another one begins, or the file is filled up with zeros. */
static diffuse_err step_between(struct gzfile *f, struct reason *why) {
    unsigned char next = *f->z.next_in;

    if (next == 0x1f && f->part == BETWEEN && inflateReset(&f->z) == Z_OK) {
        f->part = MEMBER;
        return DIFFUSE_OK;
    }
    if (next != 0)
        return reason_set(why, DIFFUSE_IO,
                          "%s: bytes behind the end of its gzip data, from byte %llu on, which "
                          "are no gzip data; remove them, or pack them too",
                          f->path, (unsigned long long)(f->bytes_read - f->z.avail_in));
    f->part = PADDING;
    f->z.next_in++;
    f->z.avail_in--;
    return DIFFUSE_OK;
}

static diffuse_err inflate_some(struct gzfile *f, struct reason *why) {
    int code;

    if (f->part != MEMBER)
        return step_between(f, why);
    f->z.next_out = (unsigned char *)f->buffer + f->end;
    f->z.avail_out = f->chunk;
    code = inflate(&f->z, Z_NO_FLUSH);
    f->end += f->chunk - f->z.avail_out;
    if (code == Z_STREAM_END)
        f->part = BETWEEN;
    else if (code != Z_OK && code != Z_BUF_ERROR)
        return reason_set(why, code == Z_MEM_ERROR ? DIFFUSE_NOMEM : DIFFUSE_IO,
                          "%s: damaged gzip data: %s", f->path, f->z.msg ? f->z.msg : zError(code));
    return DIFFUSE_OK;
}

/* The first bytes, and what they are of. */
static diffuse_err begin(struct gzfile *f, struct reason *why) {
    size_t n = 1;

    f->begun = true;
    for (f->end = 0; n > 0 && f->end < 2; f->end += n) {
        diffuse_err e = take(f, f->buffer + f->end, f->chunk - f->end, &n, why);

        if (e)
            return e;
    }
    f->eof = n == 0;
    if (f->end < 2 || memcmp(f->buffer, "\x1f\x8b", 2) != 0)
        return DIFFUSE_OK;
    f->stored = malloc(f->chunk);
    if (!f->stored || inflateInit2(&f->z, GZIP_WINDOW) != Z_OK)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", f->path);
    f->packed = true;
    memcpy(f->stored, f->buffer, f->end);
    f->z.next_in = f->stored;
    f->z.avail_in = (uInt)f->end;
    f->z.avail_out = f->chunk;
    f->end = 0;
    return DIFFUSE_OK;
}

/* More bytes behind f->end, or f->eof. */
static diffuse_err fill(struct gzfile *f, struct reason *why) {
    diffuse_err e = make_room(f, why);
    size_t n = 0, before = f->end;

    if (!e && !f->begun && ((e = begin(f, why)) || !f->packed))
        return e;
    if (!e && !f->packed && !(e = take(f, f->buffer + f->end, f->chunk, &n, why))) {
        f->end += n;
        f->eof = n == 0;
    }
    while (!e && f->packed && !f->eof && f->end == before)
        e = f->z.avail_in || (f->part == MEMBER && f->z.avail_out == 0) ? inflate_some(f, why)
                                                                        : take_stored(f, why);
    return e;
}

static const char *skip_byte_order_mark(const struct gzfile *f, const char *line, size_t *len) {
    if (f->line_number > 0 || *len < 3 || memcmp(line, "\xef\xbb\xbf", 3) != 0)
        return line;
    *len -= 3;
    return line + 3;
}

static diffuse_err hand_out(struct gzfile *f, size_t len, const char **ret_line, size_t *ret_len,
                            struct reason *why) {
    char *line = f->buffer + f->start;

    if (len > LIMIT_ROW_BYTES)
        return reason_set(why, DIFFUSE_TOOBIG, "%s:%llu: row over %u bytes", f->path,
                          (unsigned long long)f->line_number + 1, LIMIT_ROW_BYTES);
    f->start += len < f->end - f->start ? len + 1 : len;
    if (len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = 0;
    *ret_line = skip_byte_order_mark(f, line, &len);
    *ret_len = len;
    f->line_number++;
    return DIFFUSE_OK;
}

diffuse_err gzfile_line(struct gzfile *f, const char **ret_line, size_t *ret_len, bool *ret_more,
                        struct reason *why) {
    size_t searched = 0;
    diffuse_err e;

    for (;;) {
        size_t held = f->end - f->start;
        const char *newline = NULL;

        if (held > searched)
            newline = memchr(f->buffer + f->start + searched, '\n', held - searched);
        if (newline || f->eof) {
            if (held > 0 &&
                (e = hand_out(f, newline ? (size_t)(newline - f->buffer) - f->start : held,
                              ret_line, ret_len, why)))
                return e;
            *ret_more = held > 0;
            return DIFFUSE_OK;
        }
        searched = held;
        if ((e = fill(f, why)))
            return e;
    }
}

diffuse_err gzfile_whole(struct gzfile *f, char **ret_bytes, size_t *ret_len, struct reason *why) {
    diffuse_err e;

    while (!f->eof)
        if ((e = fill(f, why)))
            return e;
    if (f->end > LIMIT_ROW_BYTES)
        return reason_set(why, DIFFUSE_TOOBIG, "%s: over %u bytes", f->path, LIMIT_ROW_BYTES);
    f->buffer[f->end] = 0;
    *ret_bytes = f->buffer;
    *ret_len = f->end;
    return DIFFUSE_OK;
}

const char *gzfile_path(const struct gzfile *f) {
    return f->path;
}

uint64_t gzfile_line_number(const struct gzfile *f) {
    return f->line_number;
}

void gzfile_progress(const struct gzfile *f, uint64_t *ret_read, uint64_t *ret_total) {
    *ret_read = f->bytes_read;
    *ret_total = f->bytes_total;
}
