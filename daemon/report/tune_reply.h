/* tune_reply.h - the reply to a request about tuning. Pure: a report in, bytes out. Threads: the
 * loop thread only. */
#ifndef DAEMON_REPORT_TUNE_REPLY_H
#define DAEMON_REPORT_TUNE_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/learn/tuner_queue.h"
#include "model/base/arena.h"
#include "proto/diffuse_err.h"

struct tune_reply {
    uint8_t *reply; /* (TUNE_REPLY_BYTES) encoded */
    struct tuner_queue_report report;
};

#define TUNE_REPLY_BYTES (TUNER_QUEUE_STREAMS * (LIMIT_STREAM_BYTES + 64u) + 2048u)

size_t tune_reply_bytes(void); /* arena bytes of tune_reply_new */
DIFFUSE_MUST_CHECK diffuse_err tune_reply_new(struct arena *arena, struct tune_reply **ret_tune);

/* The reply to request id, from c->report; *ret_bytes is valid until the next call. Errors: TOOBIG
 * (our mistake). */
DIFFUSE_MUST_CHECK diffuse_err tune_reply_make(struct tune_reply *c, uint64_t id,
                                               const char *serving_id, const char *state_dir,
                                               const void **ret_bytes, size_t *ret_len);

#endif
