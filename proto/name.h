/* name.h - what is allowed in a name that travels: streams, topics, labels.
 *
 * Names are printed in journals and on terminals and used as subscription prefixes, so they are
 * strict UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF) without control
 * characters (U+0000..U+001F, U+007F..U+009F).
 */
#ifndef PROTO_NAME_H
#define PROTO_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the longest prefix that is allowed in a name; equals len when all of it is. */
size_t name_span(const void *bytes, size_t len);

/* 1..LIMIT_STREAM_BYTES bytes, all allowed. Reserved names ("$...") pass: see decode_stream_name.
 */
bool name_valid(const void *bytes, size_t len);

#endif
