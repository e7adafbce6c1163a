/* log.h - one line for a person, to the journal or to stderr.
 *
 * Every line is of a kind, a row of event.def: its MESSAGE_ID in the journal. With it go the model
 * that serves and, where they are known, stream, sequence number and error: as fields in the
 * journal, as key=value behind the text on stderr.
 *
 * What outsiders cause is limited in rate, so that bad input cannot fill a disk: each kind, and
 * each error, may log LOG_BURST lines a second, and then says how many it left out. Payloads are
 * never logged. Threads: the loop thread only (workers have nothing to say).
 */
#ifndef DAEMON_COMMON_LOG_H
#define DAEMON_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

/* Gravest first; words as in the configuration. Syslog counts them from LOG_FIRST_PRIORITY on. */
#define LOG_LEVELS(X)                                                                              \
    X(LOG_LEVEL_ERROR, "error")                                                                    \
    X(LOG_LEVEL_WARNING, "warning")                                                                \
    X(LOG_LEVEL_NOTICE, "notice")                                                                  \
    X(LOG_LEVEL_INFO, "info")                                                                      \
    X(LOG_LEVEL_DEBUG, "debug")
#define LOG_FIRST_PRIORITY 3

#define LOG_LEVEL(name, word) name,
enum log_level { LOG_LEVELS(LOG_LEVEL) };
#undef LOG_LEVEL

enum log_event {
#define EVENT(name, level, id, subject, explanation) LOG_##name,
#include "daemon/common/event.def"
#undef EVENT
    LOG_EVENTS
};

struct log_row {
    const char *name;
    enum log_level level;
    const char *id; /* MESSAGE_ID: 32 hexadecimal digits */
    const char *subject, *explanation;
};

/* Row of a kind. Static, never NULL for event < LOG_EVENTS. */
const struct log_row *log_row(enum log_event event);

#define LOG_ERRORS      32u /* error numbers that are limited apart */
#define LOG_BURST       5u
#define LOG_MODEL_BYTES 65u

struct log {
    bool journal;
    enum log_level level;        /* least severe that is written */
    char model[LOG_MODEL_BYTES]; /* id of what serves; "": nothing yet */
    uint64_t suppressed;         /* lines left out, in all */
    struct {
        uint64_t since; /* clock_now() of the running second */
        uint32_t lines; /* written in it */
        uint32_t held;  /* left out in it */
    } kind[LOG_ERRORS + LOG_EVENTS];
};

/* Ready to log to stderr from INFO up. */
void log_init(struct log *log);

/* True when stderr is a stream of the journal: a service started by systemd. */
bool log_under_systemd(void);

/* The model that serves from now on; copied. */
void log_model(struct log *log, const char *id);

/* Where a line comes from: CODE_FILE and the like. */
struct log_place {
    const char *file;
    int line;
    const char *function;
};
#define LOG_HERE (&(const struct log_place){__FILE__, __LINE__, __func__})

/* log_line(log, LOG_name, format, ...): something that happened here. */
#define log_line(log, event, ...) log_line_at(log, LOG_HERE, event, __VA_ARGS__)
__attribute__((format(printf, 4, 5))) void log_line_at(struct log *log,
                                                       const struct log_place *place,
                                                       enum log_event event, const char *format,
                                                       ...);

/* log_named(log, kind, warning, text): of the kind of this name, '-' for '_'; LOG_tuner where there
 * is none. warning: at least that severe. */
#define log_named(log, kind, warning, text) log_named_at(log, LOG_HERE, kind, warning, text)
void log_named_at(struct log *log, const struct log_place *place, const char *kind, bool warning,
                  const char *text);

/* log_input(log, LOG_name, error, stream, stream_len, seq, format, ...): a line that an outsider
 * caused, on a stream (NULL: none is known) about seq. error: DIFFUSE_OK where there is none.
 * stream is a checked name, or is shown with its odd bytes replaced. */
#define log_input(log, event, error, stream, stream_len, seq, ...)                                 \
    log_input_at(log, LOG_HERE, event, error, stream, stream_len, seq, __VA_ARGS__)
__attribute__((format(printf, 8, 9))) void log_input_at(struct log *log,
                                                        const struct log_place *place,
                                                        enum log_event event, diffuse_err error,
                                                        const char *stream, size_t stream_len,
                                                        uint64_t seq, const char *format, ...);

/* Say how many lines were left out in seconds that are over. Call about once a second. */
void log_tick(struct log *log);

#endif
