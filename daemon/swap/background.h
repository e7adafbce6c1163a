/* background.h - the one thread beside the path: it loads models, and when there is none to load it
 * runs slices of other quiet work (the tuner). Least CPU and I/O priority, so that serving goes
 * first.
 *
 *      loop                               this thread
 *      background_load(path) ----------------> open, check, verify          a job is under way
 *      background_take: BACKGROUND_WANTS_SLOT <---- may I have a slot?
 *      background_grant(slot) ---------------> load, self-test, warm up
 *      background_take: BACKGROUND_LOADED <-------- here it is (or: BACKGROUND_REFUSED, what is
 * wrong) swap; background_settle(roles) -------> rebase(roles), slices         idle again
 *
 * One job at a time, and no slice while one is under way; so work that a slice does never meets a
 * model that is being replaced.
 *
 * Threads: start, stop, load, hold, take, grant, settle: the loop thread. request_...: from within
 * a slice or rebase. wake: any.
 */
#ifndef DAEMON_SWAP_BACKGROUND_H
#define DAEMON_SWAP_BACKGROUND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/path/loaded_model.h"
#include "daemon/swap/reload.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define BACKGROUND_STACK_BYTES (2u * 1024 * 1024) /* set aside; lists of tensors lie on it */
#define BACKGROUND_SLEEP       UINT32_MAX /* of a slice: nothing to do until background_wake */

enum background_origin {
    BACKGROUND_CONTROL,
    BACKGROUND_SIGNAL,
    BACKGROUND_WATCH,
    BACKGROUND_TUNER
};

/* "a request", "SIGHUP", "the watched file", "the tuner". */
const char *background_origin_word(enum background_origin origin);

/* Work for when there is no job; all on this thread. Either may be NULL. */
struct background_hooks {
    void *user;
    /* A bounded piece of work. How many ms may pass until the next: 0 at once, BACKGROUND_SLEEP:
     * only when woken. */
    uint32_t (*slice)(void *user);
    /* What serves has changed: called once at the start, and after each swap, each rollback and
     * each loss of the previous, before the next slice. previous NULL: there is none. Both stay as
     * they are until the next call. */
    void (*rebase)(void *user, const struct loaded_model *serving,
                   const struct loaded_model *previous);
};

enum background_word {
    BACKGROUND_NOTHING,
    BACKGROUND_WANTS_SLOT,     /* answer with background_grant, when one is free */
    BACKGROUND_LOADED,         /* slot is loaded: swap, then background_settle */
    BACKGROUND_SAME,           /* the file holds what serves already: background_settle */
    BACKGROUND_REFUSED,        /* error and why: background_settle */
    BACKGROUND_WANTS_ROLLBACK, /* why says the reason: roll back if that is possible, then
                                * background_settle
                                */
};

struct background_result {
    enum background_word word;
    enum background_origin origin;
    char path[LOADED_MODEL_PATH_BYTES];
    uint64_t asked_ns; /* clock_now() of background_load or background_request_load */
    diffuse_err error;
    struct reason why;
    struct loaded_model
        *slot; /* that was granted; NULL: none was. Empty after BACKGROUND_REFUSED */
    struct reload_report report;
};

struct background {
    struct background_hooks hooks;
    const struct reload *reload; /* borrowed */
    int fd;                      /* -1: not started */
    bool may_idle;               /* what nobody waits for may run as SCHED_IDLE */
    atomic_bool said;            /* there may be something to take; costs the loop nothing to ask */
    pthread_t thread;
    atomic_bool woken;    /* since the last slice */
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    enum background_state {
        BACKGROUND_IDLE,
        BACKGROUND_ASKED,   /* a job waits for this thread */
        BACKGROUND_RUNNING, /* it runs */
        BACKGROUND_ASKING,  /* it waits for a slot */
        BACKGROUND_HELD, /* the loop has its result, or called background_hold, and has not settled
                          */
        BACKGROUND_DONE  /* its result waits for the loop */
    } state;
    bool stopping;
    bool rebase; /* the roles changed since the last rebase */
    const struct loaded_model *serving, *previous;
    struct loaded_model *granted;
    bool asked_loop;                 /* the loop was told that a slot is wanted */
    struct background_result result; /* of the job; origin, path and asked_ns from its beginning */
};

/* A zeroed one with fd -1 is one that was not started: every call is then fine, and loads are
 * refused. */
void background_init(struct background *a);

/* Start the thread; serving is loaded. hooks is copied; NULL: none. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err background_start(struct background *a, const struct reload *reload,
                                                const struct loaded_model *serving,
                                                const struct background_hooks *hooks,
                                                struct reason *why);

/* End it: a slice or a load that runs is waited for. */
void background_stop(struct background *a);

/* Readable when background_take has something; -1: not started. */
int background_fd(const struct background *a);

/* Load a checkpoint. Errors: BUSY (why: what is under way), UNSUPPORTED (not started). */
DIFFUSE_MUST_CHECK diffuse_err background_load(struct background *a, const char *path,
                                               enum background_origin origin, struct reason *why);

/* Let no job begin until background_settle, so that the roles can be changed. Errors: BUSY, as
 * background_load. */
DIFFUSE_MUST_CHECK diffuse_err background_hold(struct background *a, struct reason *why);

/* May there be a word? False as soon as background_take has looked. */
bool background_said(const struct background *a);

/* The next word for the loop. Never waits: when background_said remains true, try again soon. */
enum background_word background_take(struct background *a, struct background_result *ret);

/* The slot that was wanted. False: not now, as with background_take; try again soon. */
bool background_grant(struct background *a, struct loaded_model *slot);

/* These are the roles from now on, and the job whose result was taken, if any, is over. False: not
 * now, as with background_take; no job begins before it is said. */
bool background_settle(struct background *a, const struct loaded_model *serving,
                       const struct loaded_model *previous);

/* From a slice or rebase: load this file, as soon as the call returns. Errors: BUSY, a job from
 * elsewhere or a rollback came first: ask again after the rebase, if it still makes sense then. */
DIFFUSE_MUST_CHECK diffuse_err background_request_load(struct background *a, const char *path);

/* From a slice or rebase: go back to the previous model. Errors: BUSY, as above. */
DIFFUSE_MUST_CHECK diffuse_err background_request_rollback(struct background *a, const char *why);

/* From a slice: what follows is waited for by nobody, and runs only where a core has nothing else
 * to do (SCHED_IDLE), until this is called with false. No effect where there would be no way back.
 */
void background_stand_back(const struct background *a, bool back);

/* Run a slice now, if nothing else is to be done. */
void background_wake(struct background *a);

#endif
