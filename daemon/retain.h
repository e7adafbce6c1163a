/* retain.h - the samples answered last, kept so that feedback {stream, seq, label} finds its text.
 *
 * A ring in fixed memory: the oldest makes room. Lives in the arena it was made in. Threads: the
 * loop thread only.
 */
#ifndef DAEMON_RETAIN_H
#define DAEMON_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/inflight.h"
#include "model/base/arena.h"
#include "proto/diffuse_err.h"

#define RETAIN_NO_LABEL UINT32_MAX

/* A sample as it was answered. */
struct retain_row {
    const char *stream;
    size_t stream_len;
    uint64_t seq;
    const uint32_t *ids; /* (n) */
    uint32_t n;
    uint32_t predicted;
    float confidence;
    uint32_t truth; /* what feedback said first; RETAIN_NO_LABEL: nothing yet */
};

struct retain;

size_t retain_bytes(size_t rows, size_t max_length); /* arena bytes of retain_new */
DIFFUSE_MUST_CHECK diffuse_err retain_new(struct arena *arena, size_t rows, size_t max_length,
                                          struct retain **ret_retain);

/* Keep a sample that was classified. One with the same stream and seq takes the other's place. */
void retain_keep(struct retain *r, const struct inflight_sample *s);

/* The row of a sample, borrowed until the next retain_keep; false: it is not here. */
bool retain_find(const struct retain *r, const char *stream, size_t len, uint64_t seq,
                 struct retain_row *ret_row);

/* What feedback said of a row that is here. */
void retain_judge(struct retain *r, const char *stream, size_t len, uint64_t seq, uint32_t truth);

void retain_clear(struct retain *r);
size_t retain_count(const struct retain *r);

#endif
