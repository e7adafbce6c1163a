#include "daemon/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/clock.h"
#include "proto/limits.h"

#define SECOND 1000000000u

static const char *const level_words[] = {"error", "warning", "notice", "info", "debug"};
static const int level_priorities[] = {3, 4, 5, 6, 7}; /* as syslog counts them */

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

static void blank_controls(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

/* stream may be "": then the line is about no stream. */
static void write_line(struct log *log, enum log_level level, const char *stream, uint64_t seq,
                       char *text) {
    blank_controls(text);
    if (!log->journal)
        fprintf(stderr, "%s: %s\n", level_words[level], text);
    else if (*stream)
        sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", level_priorities[level],
                        "DIFFUSED_STREAM=%s", stream, "DIFFUSED_SEQ=%" PRIu64, seq, NULL);
    else
        sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", level_priorities[level], NULL);
}

void log_line(struct log *log, enum log_level level, const char *format, ...) {
    char text[2 * LIMIT_REASON_BYTES];
    if (level > log->level)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_line(log, level, "", 0, text);
}

static const char *about(unsigned kind) {
    static const char *const words[] = {"connections", "dropped labels", "feedback", "gaps",
                                        "requests"};
    unsigned i = kind - LOG_KIND_PEER;
    if (kind < LOG_KIND_PEER)
        return diffuse_errname((diffuse_err)kind);
    return i < sizeof words / sizeof words[0] ? words[i] : "input";
}

/* Close a kind's second if it is over, and say what it left out. */
static void roll(struct log *log, unsigned kind, uint64_t now) {
    if (now - log->kind[kind].since < SECOND)
        return;
    uint32_t held = log->kind[kind].held;
    log->kind[kind].since = now;
    log->kind[kind].lines = 0;
    log->kind[kind].held = 0;
    if (held > 0)
        log_line(log, LOG_LEVEL_WARNING, "%" PRIu32 " more lines about %s were left out", held,
                 about(kind));
}

void log_input(struct log *log, unsigned kind, const char *stream, size_t stream_len, uint64_t seq,
               const char *format, ...) {
    if (LOG_LEVEL_WARNING > log->level)
        return;
    if (kind >= LOG_KINDS)
        kind = LOG_KINDS - 1;
    roll(log, kind, clock_now());
    if (log->kind[kind].lines == LOG_BURST) {
        log->kind[kind].held++;
        log->suppressed++;
        return;
    }
    log->kind[kind].lines++;
    char name[LIMIT_STREAM_BYTES + 1];
    char text[2 * LIMIT_REASON_BYTES];
    snprintf(name, sizeof name, "%.*s", stream ? (int)stream_len : 0, stream ? stream : "");
    blank_controls(name);
    int n = 0;
    if (*name)
        n = snprintf(text, sizeof text, "stream %s seq %" PRIu64 ": ", name, seq);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    write_line(log, LOG_LEVEL_WARNING, name, seq, text);
}

void log_tick(struct log *log) {
    uint64_t now = clock_now();
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        roll(log, kind, now);
}
