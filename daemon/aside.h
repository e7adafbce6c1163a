/* aside.h - the one thread beside the path: it loads models, and when there is none to load it runs
 * slices of other quiet work (the tuner). Least CPU and I/O priority, so that serving goes first.
 *
 *      loop                               this thread
 *      aside_load(path) ----------------> open, check, verify          a job is under way
 *      aside_take: ASIDE_WANTS_SLOT <---- may I have a slot?
 *      aside_grant(slot) ---------------> load, self-test, warm up
 *      aside_take: ASIDE_LOADED <-------- here it is (or: ASIDE_REFUSED, what is wrong)
 *      swap; aside_settle(roles) -------> rebase(roles), slices         idle again
 *
 * One job at a time, and no slice while one is under way; so work that a slice does never meets a
 * model that is being replaced.
 *
 * Threads: start, stop, load, hold, take, grant, settle: the loop thread. request_...: from within
 * a slice or rebase. wake: any.
 */
#ifndef DAEMON_ASIDE_H
#define DAEMON_ASIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/reload.h"
#include "daemon/slot.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define ASIDE_STACK_BYTES (2u * 1024 * 1024) /* set aside; lists of tensors lie on it */
#define ASIDE_SLEEP       UINT32_MAX         /* a slice's answer: nothing to do until aside_wake */

enum aside_origin { ASIDE_CONTROL, ASIDE_SIGNAL, ASIDE_WATCH, ASIDE_TUNER };

/* "a request", "SIGHUP", "the watched file", "the tuner". */
const char *aside_origin_word(enum aside_origin origin);

/* Work for when there is no job; all on this thread. Either may be NULL. */
struct aside_hooks {
    void *user;
    /* A bounded piece of work. How many ms may pass until the next: 0 at once, ASIDE_SLEEP: only
     * when woken. */
    uint32_t (*slice)(void *user);
    /* What serves has changed: called once at the start, and after each swap, each rollback and
     * each loss of the previous, before the next slice. previous NULL: there is none. Both stay as
     * they are until the next call. */
    void (*rebase)(void *user, const struct slot *serving, const struct slot *previous);
};

enum aside_word {
    ASIDE_NOTHING,
    ASIDE_WANTS_SLOT,     /* answer with aside_grant, when one is free */
    ASIDE_LOADED,         /* slot is loaded: swap, then aside_settle */
    ASIDE_SAME,           /* the file holds what serves already: aside_settle */
    ASIDE_REFUSED,        /* error and why: aside_settle */
    ASIDE_WANTS_ROLLBACK, /* why says the reason: roll back if that is possible, then aside_settle
                           */
};

struct aside_result {
    enum aside_word word;
    enum aside_origin origin;
    char path[SLOT_PATH_BYTES];
    uint64_t asked_ns; /* clock_now() of aside_load or aside_request_load */
    diffuse_err error;
    struct reason why;
    struct slot *slot; /* that was granted; NULL: none was. Empty after ASIDE_REFUSED */
    struct reload_report report;
};

struct aside {
    struct aside_hooks hooks;
    const struct reload *reload; /* borrowed */
    int fd;                      /* -1: not started */
    bool may_idle;               /* what nobody waits for may run as SCHED_IDLE */
    atomic_bool said;            /* there may be something to take; costs the loop nothing to ask */
    pthread_t thread;
    atomic_bool woken;    /* since the last slice */
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    enum aside_state {
        ASIDE_IDLE,
        ASIDE_ASKED,   /* a job waits for this thread */
        ASIDE_RUNNING, /* it runs */
        ASIDE_ASKING,  /* it waits for a slot */
        ASIDE_HELD,    /* the loop has its result, or called aside_hold, and has not settled */
        ASIDE_DONE     /* its result waits for the loop */
    } state;
    bool stopping;
    bool rebase; /* the roles changed since the last rebase */
    const struct slot *serving, *previous;
    struct slot *granted;
    bool asked_loop;            /* the loop was told that a slot is wanted */
    struct aside_result result; /* of the job; origin, path and asked_ns from its beginning */
};

/* A zeroed aside with fd -1 is one that was not started: every call is then fine, and loads are
 * refused. */
void aside_init(struct aside *a);

/* Start the thread; serving is loaded. hooks is copied; NULL: none. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err aside_start(struct aside *a, const struct reload *reload,
                                           const struct slot *serving,
                                           const struct aside_hooks *hooks, struct reason *why);

/* End it: a slice or a load that runs is waited for. */
void aside_stop(struct aside *a);

/* Readable when aside_take has something; -1: not started. */
int aside_fd(const struct aside *a);

/* Load a checkpoint. Errors: BUSY (why: what is under way), UNSUPPORTED (not started). */
DIFFUSE_MUST_CHECK diffuse_err aside_load(struct aside *a, const char *path,
                                          enum aside_origin origin, struct reason *why);

/* Let no job begin until aside_settle, so that the roles can be changed. Errors: BUSY, as
 * aside_load. */
DIFFUSE_MUST_CHECK diffuse_err aside_hold(struct aside *a, struct reason *why);

/* May there be a word? False as soon as aside_take has looked. */
bool aside_said(const struct aside *a);

/* The next word for the loop. Never waits: when aside_said remains true, try again soon. */
enum aside_word aside_take(struct aside *a, struct aside_result *ret);

/* The slot that was wanted. False: not now, as with aside_take; try again soon. */
bool aside_grant(struct aside *a, struct slot *slot);

/* These are the roles from now on, and the job whose result was taken, if any, is over. False: not
 * now, as with aside_take; no job begins before it is said. */
bool aside_settle(struct aside *a, const struct slot *serving, const struct slot *previous);

/* From a slice or rebase: load this file, as soon as the call returns. Errors: BUSY, a job from
 * elsewhere or a rollback came first: ask again after the rebase, if it still makes sense then. */
DIFFUSE_MUST_CHECK diffuse_err aside_request_load(struct aside *a, const char *path);

/* From a slice or rebase: go back to the previous model. Errors: BUSY, as above. */
DIFFUSE_MUST_CHECK diffuse_err aside_request_rollback(struct aside *a, const char *why);

/* From a slice: what follows is waited for by nobody, and runs only where a core has nothing else
 * to do (SCHED_IDLE), until this is called with false. No effect where there would be no way back.
 */
void aside_stand_back(const struct aside *a, bool back);

/* Run a slice now, if nothing else is to be done. */
void aside_wake(struct aside *a);

#endif
