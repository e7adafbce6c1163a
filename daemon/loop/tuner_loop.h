/* tuner_loop.h - the loop's side of tuning: feedback on its way to the tuner, orders from control,
 * and what the tuner says to the world. Threads: the loop thread. */
#ifndef DAEMON_LOOP_TUNER_LOOP_H
#define DAEMON_LOOP_TUNER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/door/caller.h"
#include "daemon/learn/feedback.h"
#include "daemon/learn/tuner_queue.h"
#include "daemon/loop/shared.h"
#include "daemon/report/tune_reply.h"

struct tuner_loop {
    /* Borrowed, set by the owner. */
    const struct shared *shared;
    struct tuner_queue *box;
    struct tune_reply *replies;

    /* Its own. */
    struct recent *retain;       /* NULL while tuning is off */
    char root[DIGEST_HEX_BYTES]; /* of the model that answered what is retained */
    bool on;                     /* as of the last tuner_loop_refresh, for status */
    uint64_t planned;            /* bytes, likewise */
    bool off_owed;               /* tuning went off by itself, and the tuner may let go */
    bool waits;                  /* for the order that is under way: */
    struct caller caller;        /* this one, */
    uint64_t caller_id;          /* with this request */
};

/* The configuration says that tuning is on from the start: waits until it is, or the log says why
 * not. Before the sockets are there, so that no feedback comes too early. */
void tuner_loop_begin(struct tuner_loop *t);

/* Feedback that path_read read into said and slot. Returns what came of it. */
enum feedback_fate tuner_loop_feedback(struct tuner_loop *t, const struct path_feedback *said,
                                       const struct inflight_sample *slot);

/* A sample was answered. */
void tuner_loop_answered(struct tuner_loop *t, const struct inflight_sample *s);

/* A request from control. True: *ret_bytes is the reply, to be sent now; false: it comes later, and
 * goes to caller. */
bool tuner_loop_request(struct tuner_loop *t, const struct caller *caller, uint64_t id, int action,
                        const void **ret_bytes, size_t *ret_len);

/* Answers and events of the tuner; cheap when there are none. */
void tuner_loop_turn(struct tuner_loop *t);

/* Counters that the tuner keeps, and whether it is on. */
void tuner_loop_refresh(struct tuner_loop *t);

/* The daemon stops: whoever waits is told. */
void tuner_loop_stop(struct tuner_loop *t);

#endif
