/* stream.h - the streams that were heard, in a table of fixed size.
 *
 * Follows each stream's sequence numbers to see gaps. When the table is full, the stream that was
 * silent longest is forgotten. Lives in the arena it was made in. Threads: the loop thread only.
 */
#ifndef DAEMON_STREAM_H
#define DAEMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"

struct stream_table;

struct stream_note {
    uint64_t missing; /* sequence numbers skipped since this stream's sample before */
    bool forgot;      /* another stream was forgotten to make room */
};

size_t stream_bytes(size_t cap); /* arena bytes of stream_new */
DIFFUSE_MUST_CHECK diffuse_err stream_new(struct arena *arena, size_t cap,
                                          struct stream_table **ret_table);

/* A sample arrived: name (1..LIMIT_STREAM_BYTES bytes) and its seq. A seq that does not go up means
 * a sender that began anew: nothing is missing. */
struct stream_note stream_hear(struct stream_table *t, const char *name, size_t len, uint64_t seq);

/* The number of its latest sample; false: not heard, or forgotten. Does not count as use. */
bool stream_last(struct stream_table *t, const char *name, size_t len, uint64_t *ret_seq);

size_t stream_count(const struct stream_table *t);

#endif
