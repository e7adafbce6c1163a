#include "daemon/aside.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"

#define NICE            10 /* a load that was asked for must get on, also on a busy machine */
#define NICE_LEAST      19 /* where what nobody waits for cannot stand back further */
#define IO_CLASS_EFFORT 2  /* ioprio_set(2): best effort, */
#define IO_CLASS_SHIFT  13
#define IO_LEAST        7 /* of its levels */
#define IO_WHO_PROCESS  1

const char *aside_origin_word(enum aside_origin origin) {
    static const char *const words[] = {"a request", "SIGHUP", "the watched file", "the tuner"};
    return words[origin];
}

void aside_init(struct aside *a) {
    *a = (struct aside){.fd = -1};
}

/* Everything that is not serving waits for what is. Refusals are no harm. */
static void step_back(bool may_idle) {
    long self = syscall(SYS_gettid);
    pthread_setname_np(pthread_self(), "aside");
    (void)setpriority(PRIO_PROCESS, (id_t)self, may_idle ? NICE : NICE_LEAST);
    (void)syscall(SYS_ioprio_set, IO_WHO_PROCESS, self,
                  IO_CLASS_EFFORT << IO_CLASS_SHIFT | IO_LEAST);
}

/* What nobody waits for runs as SCHED_IDLE: the scheduler then takes its core for an idle one, and
 * who serves never waits behind somebody else for it. Only where the way back is open, for a load
 * that was asked for must not starve on a busy machine: sched(7) wants an RLIMIT_NICE of 10. */
static bool may_idle(void) {
    struct rlimit nice;
    return geteuid() == 0 || (getrlimit(RLIMIT_NICE, &nice) == 0 && nice.rlim_cur >= 20 - NICE);
}

static void set_policy(int policy) {
    const struct sched_param none = {0};
    (void)sched_setscheduler(0, policy, &none);
}

void aside_stand_back(const struct aside *a, bool back) {
    if (a->may_idle)
        set_policy(back ? SCHED_IDLE : SCHED_OTHER);
}

/* Never with the lock held: the loop wakes at once, in our place, and must not wait for us. */
static void tell_loop(struct aside *a) {
    (void)eventfd_write(a->fd, 1);
    atomic_store(&a->said, true); /* last: whoever sees it can read the descriptor empty */
}

/* --- a job -------------------------------------------------------------------------------------
 */

/* Called without the lock, from within reload_run. */
static struct slot *ask_for_slot(void *user) {
    struct aside *a = user;
    pthread_mutex_lock(&a->lock);
    a->state = ASIDE_ASKING;
    a->granted = NULL;
    a->asked_loop = false;
    pthread_mutex_unlock(&a->lock);
    tell_loop(a);
    pthread_mutex_lock(&a->lock);
    while (!a->granted && !a->stopping)
        pthread_cond_wait(&a->changed, &a->lock);
    struct slot *slot = a->granted;
    a->state = ASIDE_RUNNING;
    pthread_mutex_unlock(&a->lock);
    return slot;
}

/* Called with the lock held, which is released meanwhile. */
static void run_job(struct aside *a) {
    struct aside_result *r = &a->result; /* ours while the state is RUNNING */
    const struct slot *serving = a->serving;
    a->state = ASIDE_RUNNING;
    pthread_mutex_unlock(&a->lock);
    r->why.text[0] = '\0';
    r->error = reload_run(a->reload, r->path, serving, r->origin == ASIDE_TUNER, ask_for_slot, a,
                          &r->slot, &r->report, &r->why);
    pthread_mutex_lock(&a->lock);
    r->word = r->error ? ASIDE_REFUSED : r->slot ? ASIDE_LOADED : ASIDE_SAME;
    a->state = ASIDE_DONE;
    pthread_mutex_unlock(&a->lock);
    tell_loop(a);
    pthread_mutex_lock(&a->lock);
}

/* --- other work --------------------------------------------------------------------------------
 */

static void run_rebase(struct aside *a) {
    const struct slot *serving = a->serving, *previous = a->previous;
    a->rebase = false;
    if (!a->hooks.rebase)
        return;
    pthread_mutex_unlock(&a->lock);
    a->hooks.rebase(a->hooks.user, serving, previous);
    pthread_mutex_lock(&a->lock);
    a->woken = true;
}

static void sleep_until(struct aside *a, uint32_t ms) {
    struct timespec at;
    if (ms == ASIDE_SLEEP) {
        pthread_cond_wait(&a->changed, &a->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000u;
    at.tv_nsec += (long)(ms % 1000u) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    if (pthread_cond_timedwait(&a->changed, &a->lock, &at) == ETIMEDOUT)
        a->woken = true;
}

static void *run(void *user) {
    struct aside *a = user;
    uint32_t pause = ASIDE_SLEEP;
    step_back(a->may_idle);
    pthread_mutex_lock(&a->lock);
    while (!a->stopping) {
        bool idle = a->state == ASIDE_IDLE;
        if (idle && a->rebase) {
            run_rebase(a);
        } else if (a->state == ASIDE_ASKED) {
            run_job(a);
        } else if (idle && a->woken && a->hooks.slice) {
            a->woken = false;
            pthread_mutex_unlock(&a->lock);
            pause = a->hooks.slice(a->hooks.user);
            pthread_mutex_lock(&a->lock);
            a->woken |= pause == 0;
        } else {
            sleep_until(a, idle && a->hooks.slice ? pause : ASIDE_SLEEP);
        }
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* --- the loop's side
 * ----------------------------------------------------------------------------- */

static diffuse_err start_thread(struct aside *a) {
    pthread_attr_t attr;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&a->lock, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, ASIDE_STACK_BYTES);
    int failed = pthread_create(&a->thread, &attr, run, a);
    pthread_attr_destroy(&attr);
    if (!failed)
        return DIFFUSE_OK;
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->changed);
    return DIFFUSE_IO;
}

diffuse_err aside_start(struct aside *a, const struct reload *reload, const struct slot *serving,
                        const struct aside_hooks *hooks, struct reason *why) {
    *a = (struct aside){.reload = reload,
                        .serving = serving,
                        .rebase = true,
                        .woken = true,
                        .may_idle = may_idle()};
    if (hooks)
        a->hooks = *hooks;
    a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->fd < 0)
        return reason_set(why, DIFFUSE_IO, "no descriptor for the thread that loads models");
    if (start_thread(a)) {
        close(a->fd);
        aside_init(a);
        return reason_set(why, DIFFUSE_IO,
                          "the system refuses the thread that loads models: raise its limits "
                          "(TasksMax=, ulimit -u, -v), or set reload and tune to no");
    }
    return DIFFUSE_OK;
}

void aside_stop(struct aside *a) {
    if (a->fd < 0)
        return;
    pthread_mutex_lock(&a->lock);
    a->stopping = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->changed);
    close(a->fd);
    aside_init(a);
}

int aside_fd(const struct aside *a) {
    return a->fd;
}

/* Call with the lock held. */
static diffuse_err check_idle(const struct aside *a, struct reason *why) {
    if (a->state == ASIDE_IDLE)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BUSY,
                      "%.200s is being loaded for %s; try again when that is done", a->result.path,
                      aside_origin_word(a->result.origin));
}

/* Call with the lock held, and the state idle. */
static void begin_job(struct aside *a, const char *path, enum aside_origin origin) {
    a->result = (struct aside_result){.origin = origin, .asked_ns = clock_now()};
    snprintf(a->result.path, sizeof a->result.path, "%s", path);
    a->state = ASIDE_ASKED;
    pthread_cond_signal(&a->changed);
}

diffuse_err aside_load(struct aside *a, const char *path, enum aside_origin origin,
                       struct reason *why) {
    if (a->fd < 0)
        return reason_set(
            why, DIFFUSE_UNSUPPORTED,
            "no memory for a second model was planned at the start; set reload = yes, "
            "and a memory_budget that it fits");
    pthread_mutex_lock(&a->lock);
    diffuse_err e = check_idle(a, why);
    if (!e)
        begin_job(a, path, origin);
    pthread_mutex_unlock(&a->lock);
    return e;
}

diffuse_err aside_hold(struct aside *a, struct reason *why) {
    if (a->fd < 0)
        return DIFFUSE_OK;
    pthread_mutex_lock(&a->lock);
    diffuse_err e = check_idle(a, why);
    if (!e)
        a->state = ASIDE_HELD;
    pthread_mutex_unlock(&a->lock);
    return e;
}

enum aside_word aside_take(struct aside *a, struct aside_result *ret) {
    eventfd_t ignored;
    enum aside_word word = ASIDE_NOTHING;
    if (!aside_said(a))
        return word;
    (void)eventfd_read(a->fd, &ignored);
    if (pthread_mutex_trylock(&a->lock) != 0)
        return word; /* a thread that gets little time holds it: serving goes on */
    atomic_store(&a->said, false);
    if (a->state == ASIDE_ASKING && !a->asked_loop) {
        a->asked_loop = true;
        word = ASIDE_WANTS_SLOT;
    } else if (a->state == ASIDE_DONE) {
        *ret = a->result;
        word = ret->word;
        a->state = ASIDE_HELD;
    }
    pthread_mutex_unlock(&a->lock);
    return word;
}

bool aside_said(const struct aside *a) {
    return a->fd >= 0 && atomic_load(&a->said);
}

bool aside_grant(struct aside *a, struct slot *slot) {
    if (pthread_mutex_trylock(&a->lock) != 0)
        return false;
    a->granted = slot;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return true;
}

bool aside_settle(struct aside *a, const struct slot *serving, const struct slot *previous) {
    if (a->fd < 0)
        return true;
    if (pthread_mutex_trylock(&a->lock) != 0)
        return false;
    /* A slot is only loaded by a job, and after each job its place in the roles is another. */
    a->rebase |= a->serving != serving || a->previous != previous;
    a->serving = serving;
    a->previous = previous;
    if (a->state == ASIDE_HELD)
        a->state = ASIDE_IDLE;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return true;
}

/* --- from a slice
 * -------------------------------------------------------------------------------- */

diffuse_err aside_request_load(struct aside *a, const char *path) {
    pthread_mutex_lock(&a->lock);
    diffuse_err e = a->rebase ? DIFFUSE_BUSY : check_idle(a, NULL);
    if (!e)
        begin_job(a, path, ASIDE_TUNER);
    pthread_mutex_unlock(&a->lock);
    return e;
}

diffuse_err aside_request_rollback(struct aside *a, const char *why) {
    pthread_mutex_lock(&a->lock);
    diffuse_err e = a->rebase ? DIFFUSE_BUSY : check_idle(a, NULL);
    if (!e) {
        a->result = (struct aside_result){.word = ASIDE_WANTS_ROLLBACK, .origin = ASIDE_TUNER};
        (void)reason_set(&a->result.why, DIFFUSE_OK, "%s", why);
        a->state = ASIDE_DONE;
    }
    pthread_mutex_unlock(&a->lock);
    if (!e)
        tell_loop(a);
    return e;
}

void aside_wake(struct aside *a) {
    if (a->fd < 0 || atomic_exchange(&a->woken, true))
        return;
    pthread_mutex_lock(&a->lock);
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}
