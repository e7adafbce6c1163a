/* name.h - what is allowed in a name that travels: streams, topics, labels.
 *
 * Names are printed in journals and on terminals and used as subscription prefixes, so they are
 * strict UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF) without control
 * characters (U+0000..U+001F, U+007F..U+009F), line breaks (U+2028, U+2029), and what changes the
 * direction of the text around it (U+202A..U+202E, U+2066..U+2069).
 */
#ifndef PROTO_NAME_H
#define PROTO_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* What is the matter with the byte that name_span stops at, for a reason. */
#define NAME_FAULT                                                                                 \
    "is not UTF-8 or is a control character, or one that changes the direction of text"

/* Bytes of the longest prefix that is allowed in a name; equals len when all of it is. */
size_t name_span(const void *bytes, size_t len);

/* 1..LIMIT_STREAM_BYTES bytes, all allowed. Reserved names ("$...") pass: see decode_stream_name.
 */
bool name_valid(const void *bytes, size_t len);

#endif
