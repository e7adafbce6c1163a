/* answers.h - what became of a sample, told to subscribers and written into the books. Threads: the
 * loop thread. */
#ifndef DAEMON_LOOP_ANSWERS_H
#define DAEMON_LOOP_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/log.h"
#include "daemon/common/stats.h"
#include "daemon/door/send.h"
#include "daemon/loop/tuner_loop.h"
#include "daemon/path/inflight.h"
#include "daemon/path/stream.h"

/* All borrowed. */
struct answers {
    struct send *send;
    struct stats *stats;
    struct log *log;
    struct stream_table *streams;
    const struct segments *running;
    struct tuner_loop *tuning;
    uint8_t *buffer; /* (cap) one encoded Label */
    size_t cap;
};

/* Answer a sample that is done; one that is too old by now, with EXPIRED. False: a full subscriber
 * holds us back, and nothing was sent or counted. */
bool answers_send(struct answers *a, struct inflight_sample *s);

/* A sample dropped for overload that is not answered. */
void answers_drop(struct answers *a, const struct inflight_sample *s);

#endif
