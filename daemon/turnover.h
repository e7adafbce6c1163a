/* turnover.h - which model answers: whoever asks for another one, until it is announced.
 *
 * The loop's side of a reload. Requests come from control, SIGHUP, the watched file and the tuner;
 * one is worked on at a time (aside.h). The swap itself is three pointers. Threads: the loop
 * thread.
 */
#ifndef DAEMON_TURNOVER_H
#define DAEMON_TURNOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/aside.h"
#include "daemon/caller.h"
#include "daemon/conf.h"
#include "daemon/ctl.h"
#include "daemon/log.h"
#include "daemon/models.h"
#include "daemon/path.h"
#include "daemon/send.h"
#include "daemon/stats.h"
#include "daemon/watcher.h"

struct turnover {
    /* Borrowed, set by the owner. */
    const struct conf *conf;
    struct log *log;
    struct stats *stats;
    struct models *models;
    struct path *path;
    struct ctl *ctl;
    struct aside *aside;
    struct watcher *watch;
    struct send *send;
    void *control;     /* socket */
    const char *model; /* path of the configured checkpoint */

    /* Its own. */
    bool waits;           /* for the job that is under way: */
    struct caller caller; /* this one, */
    uint64_t caller_id;   /* with this request */
    bool wants_slot;      /* the job waits until the previous model's samples are answered */
    struct slot *lent;    /* to it, which it has not heard yet */
    bool settle_owed;     /* it is over, or there was a rollback, which it has not heard yet */
    bool ended;           /* it is over, which is announced when that is heard: */
    struct aside_result end;
    unsigned later;  /* origins, as bits, of reloads that came while one was under way */
    bool ready_owed; /* the service manager has to hear that the reload is over: */
    char ready[256];
    char line[2 * LIMIT_REASON_BYTES]; /* said last of a reload that was refused */
    uint64_t watched_ns;               /* when the watch was looked at last */
};

/* A request from control: CTL_RELOAD or CTL_ROLLBACK. True: *answer is the reply, to be sent now;
 * false: it comes later, and goes to caller. */
bool turnover_request(struct turnover *t, const struct caller *caller, struct ctl_answer *answer);

/* The configured checkpoint, borrowed, and whether it is watched. Nothing is loaded. */
void turnover_configure(struct turnover *t, const char *model, bool watched);

/* SIGHUP: the configured checkpoint again. */
void turnover_signal(struct turnover *t);

/* The configuration that such a reload would read is not taken, as was logged: everything stays. */
void turnover_refuse(struct turnover *t, enum aside_origin origin, const struct reason *why);

/* Do what there is to be done; cheap when that is nothing. looked: the watch's descriptor is ready.
 */
void turnover_turn(struct turnover *t, uint64_t now_ns, bool looked);

/* Milliseconds until turnover_turn must be called again, at most ms. */
long turnover_wait(const struct turnover *t, uint64_t now_ns, long ms);

/* The daemon stops: whoever waits is told. */
void turnover_stop(struct turnover *t);

#endif
