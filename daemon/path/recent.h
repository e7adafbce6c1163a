/* recent.h - the samples answered last, kept so that feedback {stream, seq, label} finds its text.
 *
 * A ring in fixed memory: the oldest makes room. Lives in the arena it was made in. Threads: the
 * loop thread only.
 */
#ifndef DAEMON_PATH_RECENT_H
#define DAEMON_PATH_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/path/inflight.h"
#include "model/base/arena.h"
#include "model/tune/journal/feedback_row.h"
#include "proto/diffuse_err.h"

struct recent;

size_t recent_bytes(size_t rows, size_t max_length); /* arena bytes of recent_new */
DIFFUSE_MUST_CHECK diffuse_err recent_new(struct arena *arena, size_t rows, size_t max_length,
                                          struct recent **ret_retain);

/* Keep a sample that was classified. One with the same stream and seq takes the other's place. */
void recent_keep(struct recent *r, const struct inflight_sample *s);

/* The row of a sample, borrowed until the next recent_keep; its label: what feedback said first, or
 * FEEDBACK_NO_LABEL. False: it is not here. */
bool recent_find(const struct recent *r, struct stream_name stream, uint64_t seq,
                 struct feedback_row *ret_row);

/* What feedback said of a row that is here. */
void recent_judge(struct recent *r, struct stream_name stream, uint64_t seq, uint32_t label_id);

void recent_clear(struct recent *r);
size_t recent_count(const struct recent *r);

#endif
