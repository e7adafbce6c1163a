/* stream_name.h - the name of a stream with its hash, which is taken once, when a message is read;
 * the tables that know streams are handed it (index.h). */
#ifndef DAEMON_COMMON_STREAM_NAME_H
#define DAEMON_COMMON_STREAM_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/keyed.h"

struct stream_name {
    const char *text; /* (len) borrowed; no string */
    size_t len;
    uint64_t hash;
};

static inline struct stream_name stream_name(const struct keyed *key, const char *text,
                                             size_t len) {
    return (struct stream_name){text, len, keyed_hash(key, text, len)};
}

#endif
