#include "daemon/common/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/common/clock.h"
#include "proto/limits.h"

#define SECOND      1000000000u
#define TEXT_BYTES  (2 * LIMIT_REASON_BYTES)
#define FIELD_BYTES (LIMIT_STREAM_BYTES + 64u)
#define FIELDS      11u
#define SHORT_ID    12 /* digits of an id in a line for a person */

/* What goes with a line. */
struct about {
    enum log_event event;
    enum log_level level;
    const struct log_place *place;
    const char *stream; /* "": the line is about none */
    uint64_t seq;
    diffuse_err error; /* DIFFUSE_OK: about none */
};

static const char *const level_words[] = {
#define LOG_LEVEL(name, word) word,
    LOG_LEVELS(LOG_LEVEL)
#undef LOG_LEVEL
};

static const struct log_row rows[LOG_EVENTS] = {
#define EVENT(name, level, id, subject, explanation)                                               \
    {#name, LOG_LEVEL_##level, id, subject, explanation},
#include "daemon/common/event.def"
#undef EVENT
};

const struct log_row *log_row(enum log_event event) {
    return &rows[event];
}

void log_init(struct log *log) {
    memset(log, 0, sizeof *log);
    log->level = LOG_LEVEL_INFO;
}

bool log_under_systemd(void) {
    const char *where = getenv("JOURNAL_STREAM"); /* device:inode of the stream */
    struct stat st;
    uintmax_t device, inode;
    if (!where || sscanf(where, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_model(struct log *log, const char *id) {
    snprintf(log->model, sizeof log->model, "%s", id);
}

static void blank_controls(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

/* --- stderr --- */

static void print_value(const char *value) {
    bool plain = !strpbrk(value, " \"\\]");
    if (!plain)
        putc('"', stderr);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            putc('\\', stderr);
        putc(*value, stderr);
    }
    if (!plain)
        putc('"', stderr);
}

static void print_line(const struct log *log, const struct about *a, const char *text) {
    flockfile(stderr);
    fprintf(stderr, "%s: %s [event=%s", level_words[a->level], text, rows[a->event].name);
    if (log->model[0])
        fprintf(stderr, " model=%.*s", SHORT_ID, log->model);
    if (*a->stream) {
        fputs(" stream=", stderr);
        print_value(a->stream);
        fprintf(stderr, " seq=%" PRIu64, a->seq);
    }
    if (a->error)
        fprintf(stderr, " error=%s", diffuse_errname(a->error));
    fputs("]\n", stderr);
    fflush(stderr);
    funlockfile(stderr);
}

/* --- the journal --- */

struct fields {
    char text[FIELDS][FIELD_BYTES];
    struct iovec part[FIELDS + 1]; /* the last: MESSAGE */
    int n;
};

__attribute__((format(printf, 2, 3))) static void add(struct fields *f, const char *format, ...) {
    char *text = f->text[f->n];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, FIELD_BYTES, format, args);
    va_end(args);
    if (len < 0)
        return;
    size_t bytes = (size_t)len < FIELD_BYTES ? (size_t)len : FIELD_BYTES - 1;
    f->part[f->n++] = (struct iovec){text, bytes};
}

static void send_line(const struct log *log, const struct about *a, const char *text) {
    char message[TEXT_BYTES + 8];
    struct fields f = {.n = 0};
    add(&f, "PRIORITY=%d", LOG_FIRST_PRIORITY + (int)a->level);
    add(&f, "MESSAGE_ID=%s", rows[a->event].id);
    add(&f, "CODE_FILE=%s", a->place->file);
    add(&f, "CODE_LINE=%d", a->place->line);
    add(&f, "CODE_FUNC=%s", a->place->function);
    add(&f, "DIFFUSED_EVENT=%s", rows[a->event].name);
    if (log->model[0])
        add(&f, "DIFFUSED_MODEL=%s", log->model);
    if (*a->stream) {
        add(&f, "DIFFUSED_STREAM=%s", a->stream);
        add(&f, "DIFFUSED_SEQ=%" PRIu64, a->seq);
    }
    if (a->error)
        add(&f, "DIFFUSED_ERROR=%s", diffuse_errname(a->error));
    int len = snprintf(message, sizeof message, "MESSAGE=%s", text);
    f.part[f.n++] = (struct iovec){message, (size_t)len};
    (void)sd_journal_sendv(f.part, f.n);
}

static void write_line(struct log *log, const struct about *a, char *text) {
    blank_controls(text);
    if (log->journal)
        send_line(log, a, text);
    else
        print_line(log, a, text);
}

/* --- what happened --- */

void log_line_at(struct log *log, const struct log_place *place, enum log_event event,
                 const char *format, ...) {
    char text[TEXT_BYTES];
    struct about about = {event, rows[event].level, place, "", 0, DIFFUSE_OK};
    if (about.level > log->level)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_line(log, &about, text);
}

/* '-' in a name for a person is '_' in a row's. */
static bool named(const char *row, const char *kind) {
    for (; *row && *kind; row++, kind++) {
        if (*row != *kind && !(*row == '_' && *kind == '-'))
            return false;
    }
    return *row == *kind;
}

void log_named_at(struct log *log, const struct log_place *place, const char *kind, bool warning,
                  const char *words) {
    char text[TEXT_BYTES];
    unsigned event = 0;
    while (event < LOG_EVENTS && !named(rows[event].name, kind))
        event++;
    if (event == LOG_EVENTS)
        event = LOG_tuner;
    struct about about = {(enum log_event)event, rows[event].level, place, "", 0, DIFFUSE_OK};
    if (warning && about.level > LOG_LEVEL_WARNING)
        about.level = LOG_LEVEL_WARNING;
    if (about.level > log->level)
        return;
    snprintf(text, sizeof text, "%s: %s", kind, words);
    write_line(log, &about, text);
}

/* --- what outsiders cause --- */

/* Close a kind's second if it is over, and say what it left out. */
static void roll(struct log *log, unsigned kind, uint64_t now) {
    if (now - log->kind[kind].since < SECOND)
        return;
    uint32_t held = log->kind[kind].held;
    log->kind[kind].since = now;
    log->kind[kind].lines = 0;
    log->kind[kind].held = 0;
    if (held > 0)
        log_line(log, LOG_suppressed, "%" PRIu32 " more lines about %s were left out", held,
                 kind < LOG_ERRORS ? diffuse_errname((diffuse_err)kind)
                                   : rows[kind - LOG_ERRORS].name);
}

static bool may_write(struct log *log, unsigned kind) {
    roll(log, kind, clock_now());
    if (log->kind[kind].lines < LOG_BURST) {
        log->kind[kind].lines++;
        return true;
    }
    log->kind[kind].held++;
    log->suppressed++;
    return false;
}

void log_input_at(struct log *log, const struct log_place *place, enum log_event event,
                  diffuse_err error, const char *stream, size_t stream_len, uint64_t seq,
                  const char *format, ...) {
    unsigned kind =
        error && (unsigned)error < LOG_ERRORS ? (unsigned)error : LOG_ERRORS + (unsigned)event;
    if (rows[event].level > log->level || !may_write(log, kind))
        return;
    char name[LIMIT_STREAM_BYTES + 1];
    char text[TEXT_BYTES];
    snprintf(name, sizeof name, "%.*s", stream ? (int)stream_len : 0, stream ? stream : "");
    blank_controls(name);
    int n = 0;
    if (*name)
        n = snprintf(text, sizeof text, "stream %s seq %" PRIu64 ": ", name, seq);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    struct about about = {event, rows[event].level, place, name, seq, error};
    write_line(log, &about, text);
}

void log_tick(struct log *log) {
    uint64_t now = clock_now();
    for (unsigned kind = 0; kind < LOG_ERRORS + LOG_EVENTS; kind++)
        roll(log, kind, now);
}
