/* tuning.h - the loop's side of tuning: feedback on its way to the tuner, orders from control, and
 * what the tuner says to the world. Threads: the loop thread. */
#ifndef DAEMON_TUNING_H
#define DAEMON_TUNING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/aside.h"
#include "daemon/caller.h"
#include "daemon/conf.h"
#include "daemon/ctl.h"
#include "daemon/feedback.h"
#include "daemon/log.h"
#include "daemon/models.h"
#include "daemon/send.h"
#include "daemon/stats.h"
#include "daemon/tune_reply.h"
#include "daemon/tunebox.h"

struct tuning {
    /* Borrowed, set by the owner. */
    const struct conf *conf;
    struct log *log;
    struct stats *stats;
    const struct models *models;
    struct stream_table *streams;
    struct aside *aside;
    struct tunebox *box;
    struct ctl *ctl;
    struct tune_reply *replies;
    struct send *send;
    void *control; /* socket */

    /* Its own. */
    struct retain *retain;       /* NULL while tuning is off */
    char root[DIGEST_HEX_BYTES]; /* of the model that answered what is retained */
    bool on;                     /* as of the last tuning_refresh, for status */
    uint64_t planned;            /* bytes, likewise */
    bool off_owed;               /* tuning went off by itself, and the tuner may let go */
    bool waits;                  /* for the order that is under way: */
    struct caller caller;        /* this one, */
    uint64_t caller_id;          /* with this request */
};

/* The configuration says that tuning is on from the start: waits until it is, or the log says why
 * not. Before the sockets are there, so that no feedback comes too early. */
void tuning_begin(struct tuning *t);

/* Feedback that path_read read into said and slot. Returns what came of it. */
enum feedback_fate tuning_feedback(struct tuning *t, const struct path_feedback *said,
                                   const struct inflight_sample *slot);

/* A sample was answered. */
void tuning_answered(struct tuning *t, const struct inflight_sample *s);

/* A request from control. True: *ret_bytes is the reply, to be sent now; false: it comes later, and
 * goes to caller. */
bool tuning_request(struct tuning *t, const struct caller *caller, uint64_t id, int action,
                    const void **ret_bytes, size_t *ret_len);

/* Answers and events of the tuner; cheap when there are none. */
void tuning_turn(struct tuning *t);

/* Counters that the tuner keeps, and whether it is on. */
void tuning_refresh(struct tuning *t);

/* The daemon stops: whoever waits is told. */
void tuning_stop(struct tuning *t);

#endif
