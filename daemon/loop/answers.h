/* answers.h - what became of a sample, told to subscribers and written into the books. Threads: the
 * loop thread. */
#ifndef DAEMON_LOOP_ANSWERS_H
#define DAEMON_LOOP_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/loop/shared.h"
#include "daemon/loop/tuner_loop.h"
#include "daemon/path/inflight.h"

/* All borrowed. */
struct answers {
    const struct shared *shared;
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
