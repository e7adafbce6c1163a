/* log.h - one line for a person, to the journal or to stderr.
 *
 * What outsiders cause is limited in rate, so that bad input cannot fill a disk: each kind may log
 * LOG_BURST lines a second, and then says how many it left out. Payloads are never logged.
 * Threads: the loop thread only (workers have nothing to say).
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

#define LOG_KINDS 40u /* kinds that are limited apart: by error number, and a few more */
#define LOG_BURST 5u

enum log_kind {
    LOG_KIND_PEER = 32,
    LOG_KIND_DROP,
    LOG_KIND_FEEDBACK,
    LOG_KIND_GAP,
    LOG_KIND_REQUEST
};

struct log {
    bool journal;
    enum log_level level; /* least severe that is written */
    uint64_t suppressed;  /* lines left out, in all */
    struct {
        uint64_t since; /* clock_now() of the running second */
        uint32_t lines; /* written in it */
        uint32_t held;  /* left out in it */
    } kind[LOG_KINDS];
};

/* Ready to log to stderr from INFO up. */
void log_init(struct log *log);

/* True when stderr is a stream of the journal: a service started by systemd. */
bool log_under_systemd(void);

/* "<level>: text" on stderr, or the journal's PRIORITY and MESSAGE. */
__attribute__((format(printf, 3, 4))) void log_line(struct log *log, enum log_level level,
                                                    const char *format, ...);

/* A line that an outsider caused, on a stream (NULL: none is known) about seq. kind is an error
 * number or one of enum log_kind. stream is a checked name, or is shown with its odd bytes
 * replaced. */
__attribute__((format(printf, 6, 7))) void log_input(struct log *log, unsigned kind,
                                                     const char *stream, size_t stream_len,
                                                     uint64_t seq, const char *format, ...);

/* Say how many lines were left out in seconds that are over. Call about once a second. */
void log_tick(struct log *log);

#endif
