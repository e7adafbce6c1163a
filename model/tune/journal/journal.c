#include "model/tune/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/ckpt/file/atomic_file.h"
#include "model/tune/journal/journal_record.h"

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

/* --- walking ------------------------------------------------------------- */

/* Records one after the other, through a window of the file. */
struct walk {
    int fd;
    uint8_t *room;   /* (JOURNAL_RECORD_MAX) */
    size_t at, held; /* the next record, and the end of what was read, in room */
    uint64_t offset; /* of the next record, in the file */
    int error;       /* errno of a read that failed: what follows is not known to be damaged */
};

static struct walk walk_from(const struct journal *j, uint64_t offset) {
    return (struct walk){.fd = j->fd, .room = j->room, .offset = offset};
}

static struct walk walk_begin(const struct journal *j) {
    return walk_from(j, JOURNAL_HEADER_BYTES);
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

/* What the record at which the walk stands says of its size: the smaller of what its frame and its
 * fields say, and the larger; 0: neither says anything that can be. */
static void look(struct walk *w, size_t *ret_least, size_t *ret_most) {
    uint8_t record[JOURNAL_LOOK_BYTES] = {0};
    size_t left, frame, fields;

    (void)have(w, sizeof record);
    left = w->held - w->at;
    memcpy(record, w->room + w->at, left < sizeof record ? left : sizeof record);
    frame = journal_record_bytes(record);
    fields = journal_record_bytes_by_fields(record);
    *ret_most = frame > fields ? frame : fields;
    *ret_least = frame && fields ? frame + fields - *ret_most : *ret_most;
}

/* The next record; false: there is none that is whole and good. */
static bool walk_next(struct walk *w, enum journal_kind *ret_kind, struct feedback_row *ret_row) {
    size_t n;

    if (!have(w, JOURNAL_FRAME_BYTES) || (n = journal_record_bytes(w->room + w->at)) == 0 ||
        !have(w, n) || !journal_record_parse(w->room + w->at, n, ret_kind, ret_row))
        return false;
    w->at += n;
    w->offset += n;
    return true;
}

/* A place whose records are damaged. */
struct gap {
    uint64_t from, to;
    bool single; /* it was one record */
};

/* Is there a good record at an offset? The walk goes there. */
static bool good_at(struct walk *w, uint64_t offset) {
    struct feedback_row row;
    enum journal_kind kind;
    struct walk there = {.fd = w->fd, .room = w->room, .offset = offset};
    bool good = walk_next(&there, &kind, &row);

    *w = (struct walk){.fd = w->fd, .room = w->room, .offset = offset, .error = there.error};
    return good;
}

/* On to the next good record, from one that is not. Where that says how long it is itself, the next
 * is looked for behind it first: what lies within it is not to be taken for one. False: there is
 * none up to the end of the file, where the walk then is. */
static bool walk_skip(struct walk *w, uint64_t end, struct gap *ret) {
    size_t least, most, one, other;
    bool found;

    *ret = (struct gap){.from = w->offset, .to = end};
    look(w, &least, &most);
    found = (least && good_at(w, ret->from + least)) || (most && good_at(w, ret->from + most));
    if (!found)
        *w = (struct walk){.fd = w->fd, .room = w->room, .offset = ret->from, .error = w->error};
    while (!found && !w->error) {
        if (w->held - w->at < 4 && !have(w, 4))
            break;
        w->at += 4;
        w->offset += 4;
        if (!have(w, JOURNAL_FRAME_BYTES + 4))
            break;
        look(w, &one, &other);
        if (one && one == other)
            found = good_at(w, w->offset);
    }
    if (!found)
        w->offset = end;
    ret->to = w->offset;
    ret->single = ret->to - ret->from <= (least ? least : JOURNAL_LOOK_BYTES);
    return found;
}

/* --- rewriting ----------------------------------------------------------- */

/* Bytes from .. to of the old file. */
static diffuse_err copy(const struct journal *j, struct atomic_file *f, uint64_t from, uint64_t to,
                        struct reason *why) {
    while (from < to) {
        uint64_t left = to - from;
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

/* A file that was written anew. */
struct written {
    int fd;
    uint64_t bytes, trained; /* as the journal's */
};

/* The good records from an offset on; what is damaged between them is left out. */
static diffuse_err copy_good(const struct journal *j, struct atomic_file *f, uint64_t from,
                             struct written *ret, struct reason *why) {
    struct gap gap = {.to = from};
    diffuse_err e = DIFFUSE_OK;

    while (!e && gap.to < j->bytes) {
        struct walk w = walk_from(j, gap.to);
        struct feedback_row row;
        enum journal_kind kind;
        uint64_t begin = w.offset;

        while (w.offset < j->bytes && walk_next(&w, &kind, &row))
            if (kind == JOURNAL_MARK)
                ret->trained = ret->bytes + (w.offset - begin);
        ret->bytes += w.offset - begin;
        gap = (struct gap){.from = w.offset, .to = w.offset};
        if (w.offset < j->bytes)
            (void)walk_skip(&w, j->bytes, &gap);
        if (w.error)
            return reason_set(why, DIFFUSE_IO, "cannot read: %s", strerror(w.error));
        e = copy(j, f, begin, gap.from, why);
    }
    return e;
}

/* The new file aside, and a descriptor of it for later. */
static diffuse_err write_aside(struct journal *j, uint64_t from, struct atomic_file *f,
                               struct written *ret, struct reason *why) {
    uint8_t header[JOURNAL_HEADER_BYTES];
    diffuse_err e = atomic_file_open(f, j->path, why);

    if (e)
        return e;
    *ret = (struct written){-1, JOURNAL_HEADER_BYTES, JOURNAL_HEADER_BYTES};
    journal_record_header(j->root, header);
    if (!(e = atomic_file_write(f, header, sizeof header, why)) &&
        !(e = copy_good(j, f, from, ret, why)) &&
        (ret->fd = open(f->temp, O_RDWR | O_APPEND | O_CLOEXEC)) < 0)
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
    struct written new;
    diffuse_err e = write_aside(j, from, &f, &new, &inner);

    if (!e) {
        e = atomic_file_commit(&f, &inner);
        if (!e || is_at(new.fd, j->path)) { /* only its folder may not be flushed */
            if (j->fd >= 0)
                (void)close(j->fd);
            j->fd = new.fd;
            j->trained = new.trained;
            j->bytes = new.bytes;
            j->torn = j->dirty = false;
        } else {
            (void)close(new.fd);
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
    struct feedback_row row;
    enum journal_kind kind;
    diffuse_err e;

    if (j->bytes > most && from < JOURNAL_HEADER_BYTES + (j->bytes - most))
        from = JOURNAL_HEADER_BYTES + (j->bytes - most);
    while (w.offset < from && !w.error) {
        struct gap gap; /* damaged since it was opened: it goes with the rest */

        if (walk_next(&w, &kind, &row))
            dropped += kind == JOURNAL_ROW && w.offset > j->trained;
        else
            (void)walk_skip(&w, j->bytes, &gap);
    }
    if (w.error)
        return reason_set(why, DIFFUSE_IO, "%.200s: cannot read it to make room: %s", j->path,
                          strerror(w.error));
    if (!(e = rewrite(j, w.offset, why)))
        j->dropped += dropped;
    return e;
}

/* --- opening ------------------------------------------------------------- */

static diffuse_err begin_new(struct journal *j, struct reason *why) {
    j->bytes = j->trained = JOURNAL_HEADER_BYTES;
    return rewrite(j, j->bytes, why);
}

/* Out of the way, but not lost: somebody may want it. */
static diffuse_err set_aside(struct journal *j, struct reason *why) {
    char *background = NULL;
    diffuse_err e = DIFFUSE_OK;

    if (asprintf(&background, "%s.aside", j->path) < 0)
        return DIFFUSE_NOMEM;
    if (rename(j->path, background))
        e = fail(j, "is not this checkpoint's, and cannot be renamed", why);
    free(background);
    (void)close(j->fd);
    j->fd = -1;
    return e ? e : begin_new(j, why);
}

/* The file and its size; there is a journal of ours then, perhaps an empty one. */
static diffuse_err open_file(struct journal *j, uint64_t *ret_size, struct journal_found *found,
                             struct reason *why) {
    uint8_t header[JOURNAL_HEADER_BYTES];
    enum journal_header whose;
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
    whose =
        got < (ssize_t)sizeof header ? JOURNAL_FOREIGN : journal_record_is_header(header, j->root);
    found->set_aside = whose == JOURNAL_FOREIGN;
    if (found->set_aside)
        return set_aside(j, why);
    found->damaged += whose == JOURNAL_OURS_DAMAGED;
    *ret_size = (uint64_t)st.st_size;
    return DIFFUSE_OK;
}

static void note_gap(struct journal_found *found, const struct gap *gap, bool last, bool *many) {
    *many |= !gap->single || found->lost > 0;
    found->damaged += !last || !gap->single;
    found->lost += gap->to - gap->from;
    if (last)
        found->cut = gap->to - gap->from;
}

/* Count what is good, and what is not, in `size` bytes of file; ret_many: the latter may be more
 * than one record. */
static diffuse_err measure(struct journal *j, uint64_t size, struct journal_found *found,
                           bool *ret_many, struct reason *why) {
    struct walk w = walk_begin(j);
    struct feedback_row row;
    enum journal_kind kind;

    found->rows = found->untrained = 0;
    j->trained = j->bytes = JOURNAL_HEADER_BYTES;
    *ret_many = false;
    while (w.offset < size && !w.error) {
        struct gap gap;
        bool good = walk_next(&w, &kind, &row);

        if (!good && !w.error) {
            bool last = !walk_skip(&w, size, &gap);

            if (!w.error)
                note_gap(found, &gap, last, ret_many);
            continue;
        }
        j->bytes = w.offset;
        if (good && kind == JOURNAL_MARK) {
            found->untrained = 0;
            j->trained = w.offset;
        } else if (good) {
            found->rows++;
            found->untrained++;
        }
    }
    errno = w.error;
    return w.error ? fail(j, "cannot read it", why) : DIFFUSE_OK;
}

/* The file as it was found, in the place of what was kept before. */
static diffuse_err keep_copy(const struct journal *j, struct reason *why) {
    char *name = NULL;
    diffuse_err e = DIFFUSE_OK;

    if (asprintf(&name, "%s.damaged", j->path) < 0)
        return DIFFUSE_NOMEM;
    if ((unlink(name) && errno != ENOENT) || link(j->path, name))
        e = reason_set(why, DIFFUSE_IO, "%.200s: it is damaged, and cannot be kept as %.200s: %s",
                       j->path, name, strerror(errno));
    free(name);
    return e;
}

/* A lone torn tail is cut off where it is. For all else the good records are written anew, so that
 * what was kept stays as it was. */
static diffuse_err mend(struct journal *j, bool many, struct journal_found *found,
                        struct reason *why) {
    diffuse_err e;

    if (found->damaged == 0) {
        if (found->cut && (ftruncate(j->fd, (off_t)j->bytes) || fdatasync(j->fd)))
            return fail(j, "cannot cut off its damaged end", why);
        return DIFFUSE_OK;
    }
    if (many && (e = keep_copy(j, why)))
        return e;
    found->kept = many;
    return rewrite(j, JOURNAL_HEADER_BYTES, why);
}

static diffuse_err replay_all(const struct journal *j, journal_replay *replay, void *user,
                              struct reason *why) {
    struct walk w = walk_begin(j);
    struct feedback_row row;
    enum journal_kind kind;

    while (w.offset < j->bytes && walk_next(&w, &kind, &row))
        if (kind == JOURNAL_ROW)
            replay(user, &row, w.offset < j->trained);
    errno = w.error;
    return w.error ? fail(j, "cannot read it", why) : DIFFUSE_OK;
}

static diffuse_err open_all(struct journal *j, struct journal_found *found, struct reason *why) {
    struct journal_found now = {.rows = 0};
    bool many;
    uint64_t size;
    diffuse_err e;

    if ((e = open_file(j, &size, found, why)) || (e = measure(j, size, found, &many, why)) ||
        (e = mend(j, many, found, why)) || j->bytes <= j->max)
        return e;
    if ((e = make_room(j, 0, why))) /* it was allowed to be larger before */
        return e;
    e = measure(j, j->bytes, &now, &many, why);
    found->rows = now.rows;
    found->untrained = now.untrained;
    return e;
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

/* --- writing ------------------------------------------------------------- */

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

diffuse_err journal_append(struct journal *j, const struct feedback_row *row, struct reason *why) {
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
