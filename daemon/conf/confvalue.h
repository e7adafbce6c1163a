/* confvalue.h - one configuration value: text to number and back. */
#ifndef DAEMON_CONF_CONFVALUE_H
#define DAEMON_CONF_CONFVALUE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

enum confvalue_type {
    CONFVALUE_TEXT,
    CONFVALUE_LIST,
    CONFVALUE_UINT,
    CONFVALUE_SIZE, /* bytes */
    CONFVALUE_SPAN, /* nanoseconds */
    CONFVALUE_MODE, /* permission bits */
    CONFVALUE_BOOL,
    CONFVALUE_ENUM /* place in the list of choices, from 0 */
};

/* The number that text means. choices (ENUM only) is a list of words at spaces. Errors: INVAL, the
 * reason saying what was expected. TEXT and LIST are not numbers: INVAL. */
DIFFUSE_MUST_CHECK diffuse_err confvalue_parse(enum confvalue_type type, const char *choices,
                                               const char *text, uint64_t *ret_value,
                                               struct reason *why);

/* The shortest text that means value; cut at cap, always NUL-terminated. */
void confvalue_format(enum confvalue_type type, const char *choices, uint64_t value, char *ret_text,
                      size_t cap);

#endif
