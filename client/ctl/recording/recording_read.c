/* recording_read.c - the reading half of recording.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/ctl/recording/recording_bytes.h"

struct recording_reader {
    char *path;
    FILE *file;
    uint64_t at;   /* where the next record begins */
    uint64_t size; /* of the file, when it was opened */
    bool over, complete;
    unsigned char *record;
    size_t room;
};

__attribute__((format(printf, 4, 5))) static diffuse_err say(const struct recording_reader *r,
                                                             struct recording_why *why,
                                                             diffuse_err e, const char *format,
                                                             ...) {
    size_t used = (size_t)snprintf(why->text, sizeof why->text, "%.300s: ", r->path);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why->text + used, sizeof why->text - used, format, args);
    va_end(args);
    return e;
}

static diffuse_err read_header(struct recording_reader *r, struct recording_about *ret_about,
                               struct recording_why *why) {
    unsigned char header[RECORDING_HEADER_MAX];
    uint32_t version;
    size_t n;

    if (fread(header, 1, RECORDING_FIXED, r->file) != RECORDING_FIXED)
        return ferror(r->file)
                   ? say(r, why, DIFFUSE_IO, "cannot be read: %s", strerror(errno))
                   : say(r, why, DIFFUSE_CORRUPT, "no recording: it ends within its header");
    n = recording_bytes_header_len(header, &version);
    if (n == 0 && version > 1)
        return say(r, why, DIFFUSE_UNSUPPORTED,
                   "a recording of version %" PRIu32 ", expected 1; use a newer diffusectl",
                   version);
    if (n == 0 && version == 0)
        return say(r, why, DIFFUSE_CORRUPT, "no recording of diffusectl record");
    if (n == 0 ||
        fread(header + RECORDING_FIXED, 1, n - RECORDING_FIXED, r->file) != n - RECORDING_FIXED ||
        !recording_bytes_about(header, n, ret_about))
        return say(r, why, DIFFUSE_CORRUPT, "its header is damaged");
    r->at = n;
    return DIFFUSE_OK;
}

diffuse_err recording_open(const char *path, struct recording_about *ret_about,
                           struct recording_reader **ret_reader, struct recording_why *why) {
    struct recording_reader *r = calloc(1, sizeof *r);
    struct stat st;
    diffuse_err e;

    if (!r || !(r->path = strdup(path))) {
        free(r);
        (void)snprintf(why->text, sizeof why->text, "%.300s: out of memory", path);
        return DIFFUSE_NOMEM;
    }
    if (!(r->file = fopen(path, "rbe")) || fstat(fileno(r->file), &st) != 0)
        e = say(r, why, DIFFUSE_IO, "cannot be opened: %s", strerror(errno));
    else
        e = read_header(r, ret_about, why);
    if (e) {
        recording_free(r);
        return e;
    }
    r->size = (uint64_t)st.st_size;
    *ret_reader = r;
    return DIFFUSE_OK;
}

static diffuse_err reserve(struct recording_reader *r, size_t n, struct recording_why *why) {
    unsigned char *larger;

    if (n <= r->room)
        return DIFFUSE_OK;
    if (!(larger = realloc(r->record, n)))
        return say(r, why, DIFFUSE_NOMEM, "a record of %zu bytes: out of memory", n);
    r->record = larger;
    r->room = n;
    return DIFFUSE_OK;
}

static diffuse_err stop(struct recording_reader *r, struct recording_why *why, const char *what) {
    r->over = true;
    return say(r, why, DIFFUSE_CORRUPT,
               "%s at byte %" PRIu64 " of %" PRIu64 "; what comes before it is whole", what, r->at,
               r->size);
}

static diffuse_err short_of(struct recording_reader *r, struct recording_why *why) {
    if (!ferror(r->file))
        return stop(r, why, "ends within a record (its recorder was killed, or its disk was full)");
    r->over = true;
    return say(r, why, DIFFUSE_IO, "cannot be read: %s", strerror(errno));
}

/* A record's bytes, checked, into r->record. */
static diffuse_err read_record(struct recording_reader *r, struct recording_parts *ret_parts,
                               struct recording_why *why) {
    unsigned char head[RECORDING_HEAD];
    size_t n = fread(head, 1, sizeof head, r->file), body;
    diffuse_err e;

    if (n == 0 && !ferror(r->file))
        return DIFFUSE_NOTFOUND;
    if (n < sizeof head)
        return short_of(r, why);
    if ((body = recording_bytes_body_len(head)) == 0)
        return stop(r, why, "is damaged");
    /* Not more memory than the file has bytes for. */
    if (r->size > r->at && body > r->size - r->at)
        return short_of(r, why);
    if ((e = reserve(r, sizeof head + body, why)))
        return e;
    memcpy(r->record, head, sizeof head);
    if (fread(r->record + sizeof head, 1, body, r->file) != body)
        return short_of(r, why);
    if (!recording_bytes_parse(r->record, sizeof head + body, ret_parts))
        return stop(r, why, "is damaged");
    r->at += sizeof head + body;
    return DIFFUSE_OK;
}

diffuse_err recording_next(struct recording_reader *r, int64_t *ret_after_ns,
                           struct diffuse_message *ret_message, struct recording_why *why) {
    struct recording_parts parts;

    while (!r->over) {
        diffuse_err e = read_record(r, &parts, why);

        if (e == DIFFUSE_NOTFOUND)
            break;
        if (e)
            return e;
        r->complete = parts.kind == RECORDING_END;
        if (r->complete)
            continue;
        *ret_after_ns = parts.after_ns;
        *ret_message = parts.message;
        return DIFFUSE_OK;
    }
    r->over = true;
    return DIFFUSE_NOTFOUND;
}

void recording_progress(const struct recording_reader *r, uint64_t *ret_at, uint64_t *ret_size) {
    *ret_at = r->at;
    *ret_size = r->size;
}

bool recording_complete(const struct recording_reader *r) {
    return r->complete;
}

void recording_free(struct recording_reader *r) {
    if (!r)
        return;
    if (r->file)
        (void)fclose(r->file);
    free(r->record);
    free(r->path);
    free(r);
}
