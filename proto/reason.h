/* reason.h - why a call failed, in one line for a person.
 *
 * Libraries do not print: they return a diffuse_err and, where the caller passed one, fill a reason
 * that names the file or field, what was expected and what to do. Programs print it.
 */
#ifndef PROTO_REASON_H
#define PROTO_REASON_H

#include "proto/diffuse_err.h"
#include "proto/limits.h"

struct reason {
    char text[LIMIT_REASON_BYTES]; /* NUL-terminated, one line, no trailing newline */
};

/* Write the line into why (may be NULL) and hand err back, so that a caller can
 * `return reason_set(why, DIFFUSE_CORRUPT, "%s: ...", path)`. Control characters become '?'. */
diffuse_err reason_set(struct reason *why, diffuse_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
