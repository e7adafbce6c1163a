/* gzfile.c - see gzfile.h. */
#include "model/data/gzfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "proto/limits.h"

#define CHUNK       (256u * 1024) /* of a large file, or one of unknown size */
#define SMALL_CHUNK (8u * 1024)   /* the least, for a small file: there may be many thousands */

struct gzfile {
    gzFile stream;
    char *path;
    uint64_t bytes_total;
    unsigned chunk; /* bytes asked of zlib at a time */
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

    f->stream = gzopen(f->path, "rbe");
    if (!f->stream && errno == ENOENT) {
        memcpy(f->path + strlen(f->path), ".gz", sizeof ".gz"); /* there is room */
        f->stream = gzopen(f->path, "rbe");
        if (!f->stream)
            f->path[strlen(f->path) - 3] = 0;
    }
    if (!f->stream)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO, "%s: %s", f->path,
                          errno == ENOENT ? "no such file, nor with .gz" : strerror(errno));
    if (stat(f->path, &st) || S_ISDIR(st.st_mode))
        return reason_set(why, DIFFUSE_IO, "%s: a folder; expected a file", f->path);
    f->bytes_total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    f->chunk = chunk_for(f->bytes_total);
    (void)gzbuffer(f->stream, f->chunk);
    return DIFFUSE_OK;
}

diffuse_err gzfile_open(const char *path, struct gzfile **ret_file, struct reason *why) {
    struct gzfile *f = calloc(1, sizeof *f);
    diffuse_err e;

    if (!f || !(f->path = malloc(strlen(path) + sizeof ".gz"))) {
        gzfile_close(f);
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    }
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
    if (f->stream)
        (void)gzclose(f->stream);
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

static diffuse_err fill(struct gzfile *f, struct reason *why) {
    diffuse_err e = make_room(f, why);
    int got, code = Z_OK;
    const char *text;

    if (e)
        return e;
    got = gzread(f->stream, f->buffer + f->end, f->chunk);
    text = gzerror(f->stream, &code);
    if (got >= 0 && (code == Z_OK || (code == Z_BUF_ERROR && got > 0))) {
        f->end += (size_t)got;
        f->eof = got == 0;
        return DIFFUSE_OK;
    }
    if (code == Z_BUF_ERROR)
        return reason_set(why, DIFFUSE_IO, "%s: gzip data ends early; copy the file again",
                          f->path);
    return reason_set(why, DIFFUSE_IO, "%s: %s", f->path, code == Z_ERRNO ? strerror(errno) : text);
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
    z_off_t at = gzoffset(f->stream);

    *ret_read = at > 0 ? (uint64_t)at : 0;
    *ret_total = f->bytes_total;
}
