/* switcher.h - which model answers: whoever asks for another one, until it is announced.
 *
 * The loop's side of a reload. Requests come from control, SIGHUP, the watched file and the tuner;
 * one is worked on at a time (background.h). The swap itself is three pointers. Threads: the loop
 * thread.
 */
#ifndef DAEMON_LOOP_SWITCHER_H
#define DAEMON_LOOP_SWITCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/door/caller.h"
#include "daemon/loop/shared.h"
#include "daemon/swap/watcher.h"

/* How far a reload or a rollback is, as seen from the loop; background.h has the thread's side. */
enum switcher_stage {
    SWITCHER_QUIET,   /* there is none, or the thread works on it */
    SWITCHER_LENDS,   /* the job waits until the previous model's samples are answered */
    SWITCHER_SETTLES, /* there was a rollback, which the thread has not heard yet */
    SWITCHER_ENDS     /* the job is over, which is announced when the thread has heard it */
};

struct switcher {
    /* Borrowed, set by the owner. */
    const struct shared *shared;
    struct watcher *watch;
    const char *model; /* path of the configured checkpoint */

    /* Its own. */
    bool waits;           /* for the job that is under way: */
    struct caller caller; /* this one, */
    uint64_t caller_id;   /* with this request */
    enum switcher_stage stage;
    struct loaded_model *lent;    /* to the job, which it has not heard yet */
    struct background_result end; /* of the job that ended last */
    unsigned later;  /* origins, as bits, of reloads that came while one was under way */
    bool ready_owed; /* the service manager has to hear that the reload is over: */
    char ready[256];
    char line[2 * LIMIT_REASON_BYTES]; /* said last of a reload that was refused */
    uint64_t said_ns;                  /* when the service manager was told last */
};

/* A request from control: CTL_RELOAD or CTL_ROLLBACK. True: *answer is the reply, to be sent now;
 * false: it comes later, and goes to caller. */
bool switcher_request(struct switcher *t, const struct caller *caller, struct ctl_answer *answer);

/* The configured checkpoint, borrowed, and whether it is watched. Nothing is loaded. */
void switcher_configure(struct switcher *t, const char *model, bool watched);

/* SIGHUP: the configured checkpoint again. */
void switcher_signal(struct switcher *t);

/* The configuration that such a reload would read is not taken, as was logged: everything stays. */
void switcher_refuse(struct switcher *t, enum background_origin origin, const struct reason *why);

/* Do what there is to be done; cheap when that is nothing. */
void switcher_turn(struct switcher *t, uint64_t now_ns);

/* Milliseconds until switcher_turn must be called again, at most ms. */
long switcher_wait(const struct switcher *t, uint64_t now_ns, long ms);

/* The daemon stops: whoever waits is told. */
void switcher_stop(struct switcher *t);

#endif
