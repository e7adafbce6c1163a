/* journal.c - see journal.h. */
#include "model/tune/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/ckpt/atomic_file.h"
#include "model/tune/journal_record.h"

struct journal {
    char *path; /* owned */
    char root[DIGEST_HEX_BYTES];
    int fd; /* reads anywhere, writes at the end */
    uint64_t max, bytes;
    uint64_t trained; /* bytes up to the end of the last mark; the header, when there is none */
    uint64_t dropped;
    bool torn;     /* what lies beyond `bytes` could not be cut off yet */
    bool dirty;    /* since the last sync */
    uint8_t *room; /* (JOURNAL_RECORD_MAX) one record on its way */
};

static diffuse_err fail(const struct journal *j, const char *what, struct reason *why) {
    return reason_set(why, DIFFUSE_IO, "%.200s: %s: %s", j->path, what, strerror(errno));
}

/* --- walking -----------------------------------------------------------------------------------
 */

/* Records one after the other, through a window of the file. */
struct walk {
    int fd;
    uint8_t *room;   /* (JOURNAL_RECORD_MAX) */
    size_t at, held; /* the next record, and the end of what was read, in room */
    uint64_t offset; /* of the next record, in the file */
    int error;       /* errno of a read that failed: what follows is not known to be damaged */
};

static struct walk walk_begin(const struct journal *j) {
    return (struct walk){.fd = j->fd, .room = j->room, .offset = JOURNAL_HEADER_BYTES};
}

/* At least n bytes from w->at on, if the file has them. The window moves by whole records, whose
 * sizes keep it aligned. */
static bool have(struct walk *w, size_t n) {
    if (w->held - w->at >= n)
        return true;
    memmove(w->room, w->room + w->at, w->held - w->at);
    w->held -= w->at;
    w->at = 0;
    while (w->held < JOURNAL_RECORD_MAX) {
        ssize_t got = pread(w->fd, w->room + w->held, JOURNAL_RECORD_MAX - w->held,
                            (off_t)(w->offset + w->held));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            w->error = errno;
        if (got <= 0)
            break;
        w->held += (size_t)got;
    }
    return w->held >= n;
}

/* The next record; false: there is none that is whole and good. */
static bool walk_next(struct walk *w, enum journal_kind *ret_kind, struct journal_row *ret_row) {
    size_t n;

    if (!have(w, JOURNAL_FRAME_BYTES) || (n = journal_record_bytes(w->room + w->at)) == 0 ||
        !have(w, n) || !journal_record_parse(w->room + w->at, n, ret_kind, ret_row))
        return false;
    w->at += n;
    w->offset += n;
    return true;
}

/* --- rewriting ---------------------------------------------------------------------------------
 */

/* Bytes from .. j->bytes of the old file. */
static diffuse_err copy(struct journal *j, struct atomic_file *f, uint64_t from,
                        struct reason *why) {
    while (from < j->bytes) {
        uint64_t left = j->bytes - from;
        ssize_t got =
            pread(j->fd, j->room, left < JOURNAL_RECORD_MAX ? (size_t)left : JOURNAL_RECORD_MAX,
                  (off_t)from);
        diffuse_err e;

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return reason_set(why, DIFFUSE_IO, "cannot read: %s",
                              got ? strerror(errno) : "it became shorter meanwhile");
        if ((e = atomic_file_write(f, j->room, (size_t)got, why)))
            return e;
        from += (uint64_t)got;
    }
    return DIFFUSE_OK;
}

/* The new file aside, and a descriptor of it for later. */
static diffuse_err write_aside(struct journal *j, uint64_t from, struct atomic_file *f, int *ret_fd,
                               struct reason *why) {
    uint8_t header[JOURNAL_HEADER_BYTES];
    diffuse_err e = atomic_file_open(f, j->path, why);

    if (e)
        return e;
    journal_record_header(j->root, header);
    if (!(e = atomic_file_write(f, header, sizeof header, why)) && !(e = copy(j, f, from, why)) &&
        (*ret_fd = open(f->temp, O_RDWR | O_APPEND | O_CLOEXEC)) < 0)
        e = reason_set(why, DIFFUSE_IO, "cannot open what was written: %s", strerror(errno));
    if (e)
        atomic_file_abort(f);
    return e;
}

static bool is_at(int fd, const char *path) {
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/* A new file in the place of the old one: a header, and the old one's bytes from an offset on.
 * After an error the journal is in either, and goes on. */
static diffuse_err rewrite(struct journal *j, uint64_t from, struct reason *why) {
    struct reason inner = {""};
    struct atomic_file f;
    int fd = -1;
    diffuse_err e = write_aside(j, from, &f, &fd, &inner);

    if (!e) {
        e = atomic_file_commit(&f, &inner);
        if (!e || is_at(fd, j->path)) { /* only its folder may not be flushed */
            if (j->fd >= 0)
                (void)close(j->fd);
            j->fd = fd;
            j->trained = JOURNAL_HEADER_BYTES + (j->trained > from ? j->trained - from : 0);
            j->bytes = JOURNAL_HEADER_BYTES + (j->bytes - from);
            j->torn = j->dirty = false;
        } else {
            (void)close(fd);
        }
    }
    return e ? reason_set(why, e, "%.200s: %.200s", j->path, inner.text) : DIFFUSE_OK;
}

/* The oldest go, until half of what is trained is left, need bytes fit, and a quarter of the file
 * is free: then it will be long until the next time. */
static diffuse_err make_room(struct journal *j, size_t need, struct reason *why) {
    uint64_t most = j->max - j->max / 4 < j->max - need ? j->max - j->max / 4 : j->max - need;
    uint64_t from = JOURNAL_HEADER_BYTES + (j->trained - JOURNAL_HEADER_BYTES) / 2, dropped = 0;
    struct walk w = walk_begin(j);
    struct journal_row row;
    enum journal_kind kind;
    diffuse_err e;

    if (j->bytes > most && from < JOURNAL_HEADER_BYTES + (j->bytes - most))
        from = JOURNAL_HEADER_BYTES + (j->bytes - most);
    while (w.offset < from && walk_next(&w, &kind, &row))
        dropped += kind == JOURNAL_ROW && w.offset > j->trained;
    if (w.offset < from)
        return reason_set(why, DIFFUSE_IO, "%.200s: cannot read it to make room: %s", j->path,
                          w.error ? strerror(w.error) : "it was changed by somebody else");
    if (!(e = rewrite(j, w.offset, why)))
        j->dropped += dropped;
    return e;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static diffuse_err begin_new(struct journal *j, struct reason *why) {
    j->bytes = j->trained = JOURNAL_HEADER_BYTES;
    return rewrite(j, j->bytes, why);
}

/* Out of the way, but not lost: somebody may want it. */
static diffuse_err set_aside(struct journal *j, struct reason *why) {
    char *aside = NULL;
    diffuse_err e = DIFFUSE_OK;

    if (asprintf(&aside, "%s.aside", j->path) < 0)
        return DIFFUSE_NOMEM;
    if (rename(j->path, aside))
        e = fail(j, "is not this checkpoint's, and cannot be renamed", why);
    free(aside);
    (void)close(j->fd);
    j->fd = -1;
    return e ? e : begin_new(j, why);
}

/* The file and its size; there is a journal of ours then, perhaps an empty one. */
static diffuse_err open_file(struct journal *j, uint64_t *ret_size, bool *ret_aside,
                             struct reason *why) {
    uint8_t header[JOURNAL_HEADER_BYTES];
    struct stat st;
    ssize_t got;

    *ret_size = JOURNAL_HEADER_BYTES;
    /* O_NONBLOCK: a FIFO in its place must not hold us up. */
    j->fd = open(j->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    if (j->fd < 0 && errno == ENOENT)
        return begin_new(j, why);
    if (j->fd < 0 || fstat(j->fd, &st))
        return fail(j, "cannot open it", why);
    if (!S_ISREG(st.st_mode))
        return reason_set(why, DIFFUSE_IO, "%.200s: not a regular file; remove it", j->path);
    if (st.st_size == 0)
        return begin_new(j, why);
    while ((got = pread(j->fd, header, sizeof header, 0)) < 0 && errno == EINTR)
        ;
    if (got < 0)
        return fail(j, "cannot read it", why);
    *ret_aside = got < (ssize_t)sizeof header || !journal_record_is_header(header, j->root);
    if (*ret_aside)
        return set_aside(j, why);
    *ret_size = (uint64_t)st.st_size;
    return DIFFUSE_OK;
}

/* Count what is good, up to the first record that is not. */
static diffuse_err measure(struct journal *j, struct journal_found *found, struct reason *why) {
    struct walk w = walk_begin(j);
    struct journal_row row;
    enum journal_kind kind;

    found->rows = found->untrained = 0;
    j->trained = JOURNAL_HEADER_BYTES;
    while (walk_next(&w, &kind, &row)) {
        if (kind == JOURNAL_MARK) {
            found->untrained = 0;
            j->trained = w.offset;
        } else {
            found->rows++;
            found->untrained++;
        }
    }
    j->bytes = w.offset;
    errno = w.error;
    return w.error ? fail(j, "cannot read it", why) : DIFFUSE_OK;
}

static diffuse_err replay_all(const struct journal *j, journal_replay *replay, void *user,
                              struct reason *why) {
    struct walk w = walk_begin(j);
    struct journal_row row;
    enum journal_kind kind;

    while (w.offset < j->bytes && walk_next(&w, &kind, &row))
        if (kind == JOURNAL_ROW)
            replay(user, &row, w.offset < j->trained);
    errno = w.error;
    return w.error ? fail(j, "cannot read it", why) : DIFFUSE_OK;
}

static diffuse_err open_all(struct journal *j, struct journal_found *found, struct reason *why) {
    uint64_t size;
    diffuse_err e;

    if ((e = open_file(j, &size, &found->set_aside, why)) || (e = measure(j, found, why)))
        return e;
    found->cut = size > j->bytes ? size - j->bytes : 0;
    if (found->cut && (ftruncate(j->fd, (off_t)j->bytes) || fdatasync(j->fd)))
        return fail(j, "cannot cut off its damaged end", why);
    if (j->bytes <= j->max)
        return DIFFUSE_OK;
    if ((e = make_room(j, 0, why))) /* it was allowed to be larger before */
        return e;
    return measure(j, found, why);
}

static void sweep(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

    if (folder)
        (void)atomic_file_sweep(folder, slash ? slash + 1 : path);
    free(folder);
}

diffuse_err journal_open(const char *path, const char *root_id, uint64_t max_bytes,
                         journal_replay *replay, void *user, struct journal **ret_journal,
                         struct journal_found *ret_found, struct reason *why) {
    struct journal_found found = {.rows = 0};
    struct journal *j = calloc(1, sizeof *j);
    diffuse_err e = DIFFUSE_OK;

    if (max_bytes < JOURNAL_BYTES_MIN || strlen(root_id) >= sizeof j->root) {
        free(j);
        return reason_set(why, DIFFUSE_INVAL, "%.200s: %llu bytes at most, expected %u or more",
                          path, (unsigned long long)max_bytes, JOURNAL_BYTES_MIN);
    }
    if (j) {
        j->fd = -1;
        j->max = max_bytes;
        (void)snprintf(j->root, sizeof j->root, "%s", root_id);
        j->path = strdup(path);
        j->room = malloc(JOURNAL_RECORD_MAX);
    }
    if (!j || !j->path || !j->room)
        e = reason_set(why, DIFFUSE_NOMEM, "%.200s: out of memory", path);
    if (!e) {
        sweep(path);
        e = open_all(j, &found, why);
    }
    if (!e && replay)
        e = replay_all(j, replay, user, why);
    if (e) {
        journal_close(j);
        return e;
    }
    *ret_journal = j;
    *ret_found = found;
    return DIFFUSE_OK;
}

void journal_close(struct journal *j) {
    if (!j)
        return;
    if (j->fd >= 0) {
        if (j->dirty)
            (void)fdatasync(j->fd);
        (void)close(j->fd);
    }
    free(j->path);
    free(j->room);
    free(j);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static bool cut_back(struct journal *j) {
    j->torn = ftruncate(j->fd, (off_t)j->bytes) != 0;
    return !j->torn;
}

/* n bytes of j->room to the end of the file, all or none. */
static diffuse_err put(struct journal *j, size_t n, struct reason *why) {
    size_t done = 0;

    if (j->torn && !cut_back(j))
        return fail(j, "cannot cut off a record that was not finished", why);
    while (done < n) {
        ssize_t got = write(j->fd, j->room + done, n - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = errno;

            (void)cut_back(j);
            errno = error;
            return fail(j, "cannot write; free some space", why);
        }
        done += (size_t)got;
    }
    j->bytes += n;
    j->dirty = true;
    return DIFFUSE_OK;
}

diffuse_err journal_append(struct journal *j, const struct journal_row *row, struct reason *why) {
    size_t n = journal_record_row(row, j->room);
    diffuse_err e;

    if (n == 0)
        return reason_set(why, DIFFUSE_INVAL,
                          "%.200s: expected 1 to %u bytes of stream, 1 to %u of label, 1 to %u "
                          "token ids and a finite confidence",
                          j->path, LIMIT_STREAM_BYTES, LIMIT_LABEL_BYTES, LIMIT_TOKENS);
    if (j->bytes + n > j->max) {
        if ((e = make_room(j, n, why)))
            return e;
        n = journal_record_row(row, j->room); /* which making room has used */
    }
    return put(j, n, why);
}

diffuse_err journal_mark(struct journal *j, struct reason *why) {
    size_t n = journal_record_mark(j->room);
    diffuse_err e;

    if (j->trained == j->bytes)
        return DIFFUSE_OK;
    if (j->bytes + n > j->max) {
        if ((e = make_room(j, n, why)))
            return e;
        n = journal_record_mark(j->room);
    }
    if ((e = put(j, n, why)))
        return e;
    j->trained = j->bytes;
    return DIFFUSE_OK;
}

diffuse_err journal_sync(struct journal *j, struct reason *why) {
    if (!j->dirty)
        return DIFFUSE_OK;
    if (fdatasync(j->fd))
        return fail(j, "cannot flush it to the disk", why);
    j->dirty = false;
    return DIFFUSE_OK;
}

diffuse_err journal_clear(struct journal *j, struct reason *why) {
    return rewrite(j, j->bytes, why);
}

uint64_t journal_bytes(const struct journal *j) {
    return j->bytes;
}

uint64_t journal_dropped(const struct journal *j) {
    return j->dropped;
}
