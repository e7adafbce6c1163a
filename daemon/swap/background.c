#include "daemon/swap/background.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"

#define NICE            10 /* a load that was asked for must get on, also on a busy machine */
#define NICE_LEAST      19 /* where what nobody waits for cannot stand back further */
#define IO_CLASS_EFFORT 2  /* ioprio_set(2): best effort, */
#define IO_CLASS_SHIFT  13
#define IO_LEAST        7 /* of its levels */
#define IO_WHO_PROCESS  1

const char *background_origin_word(enum background_origin origin) {
    static const char *const words[] = {"a request", "SIGHUP", "the watched file", "the tuner"};
    return words[origin];
}

void background_init(struct background *a) {
    *a = (struct background){.fd = -1};
}

/* Everything that is not serving waits for what is. Refusals are no harm. */
static void step_back(bool may_idle) {
    long self = syscall(SYS_gettid);
    pthread_setname_np(pthread_self(), "background");
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

void background_stand_back(const struct background *a, bool back) {
    if (a->may_idle)
        set_policy(back ? SCHED_IDLE : SCHED_OTHER);
}

/* Never with the lock held: the loop wakes at once, in our place, and must not wait for us. */
static void tell_loop(struct background *a) {
    (void)eventfd_write(a->fd, 1);
    atomic_store(&a->said, true); /* last: whoever sees it can read the descriptor empty */
}

/* --- a job --------------------------------------------------------------- */

/* Called without the lock, from within reload_run. */
static struct loaded_model *ask_for_slot(void *user) {
    struct background *a = user;
    pthread_mutex_lock(&a->lock);
    a->state = BACKGROUND_ASKING;
    a->granted = NULL;
    a->asked_loop = false;
    pthread_mutex_unlock(&a->lock);
    tell_loop(a);
    pthread_mutex_lock(&a->lock);
    while (!a->granted && !a->stopping)
        pthread_cond_wait(&a->changed, &a->lock);
    struct loaded_model *slot = a->granted;
    a->state = BACKGROUND_RUNNING;
    pthread_mutex_unlock(&a->lock);
    return slot;
}

/* Called with the lock held, which is released meanwhile. */
static void run_job(struct background *a) {
    struct background_result *r = &a->result; /* ours while the state is RUNNING */
    const struct loaded_model *serving = a->serving;
    a->state = BACKGROUND_RUNNING;
    pthread_mutex_unlock(&a->lock);
    r->why.text[0] = '\0';
    r->error = reload_run(a->reload, r->path, serving, r->origin == BACKGROUND_TUNER, ask_for_slot,
                          a, &r->slot, &r->report, &r->why);
    pthread_mutex_lock(&a->lock);
    r->word = r->error ? BACKGROUND_REFUSED : r->slot ? BACKGROUND_LOADED : BACKGROUND_SAME;
    a->state = BACKGROUND_DONE;
    pthread_mutex_unlock(&a->lock);
    tell_loop(a);
    pthread_mutex_lock(&a->lock);
}

/* --- other work ---------------------------------------------------------- */

static void run_rebase(struct background *a) {
    const struct loaded_model *serving = a->serving, *previous = a->previous;
    a->rebase = false;
    if (!a->hooks.rebase)
        return;
    pthread_mutex_unlock(&a->lock);
    a->hooks.rebase(a->hooks.user, serving, previous);
    pthread_mutex_lock(&a->lock);
    a->woken = true;
}

static void sleep_until(struct background *a, uint32_t ms) {
    struct timespec at;
    if (ms == BACKGROUND_SLEEP) {
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
    struct background *a = user;
    uint32_t pause = BACKGROUND_SLEEP;
    step_back(a->may_idle);
    pthread_mutex_lock(&a->lock);
    while (!a->stopping) {
        bool idle = a->state == BACKGROUND_IDLE;
        if (idle && a->rebase) {
            run_rebase(a);
        } else if (a->state == BACKGROUND_ASKED) {
            run_job(a);
        } else if (idle && a->woken && a->hooks.slice) {
            a->woken = false;
            pthread_mutex_unlock(&a->lock);
            pause = a->hooks.slice(a->hooks.user);
            pthread_mutex_lock(&a->lock);
            a->woken |= pause == 0;
        } else {
            sleep_until(a, idle && a->hooks.slice ? pause : BACKGROUND_SLEEP);
        }
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* --- the loop's side ----------------------------------------------------- */

static diffuse_err start_thread(struct background *a) {
    pthread_attr_t attr;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&a->lock, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, BACKGROUND_STACK_BYTES);
    int failed = pthread_create(&a->thread, &attr, run, a);
    pthread_attr_destroy(&attr);
    if (!failed)
        return DIFFUSE_OK;
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->changed);
    return DIFFUSE_IO;
}

diffuse_err background_start(struct background *a, const struct reload *reload,
                             const struct loaded_model *serving,
                             const struct background_hooks *hooks, struct reason *why) {
    *a = (struct background){.reload = reload,
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
        background_init(a);
        return reason_set(why, DIFFUSE_IO,
                          "the system refuses the thread that loads models: raise its limits "
                          "(TasksMax=, ulimit -u, -v), or set reload and tune to no");
    }
    return DIFFUSE_OK;
}

void background_stop(struct background *a) {
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
    background_init(a);
}

int background_fd(const struct background *a) {
    return a->fd;
}

/* Call with the lock held. */
static diffuse_err check_idle(const struct background *a, struct reason *why) {
    if (a->state == BACKGROUND_IDLE)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BUSY,
                      "%.200s is being loaded for %s; try again when that is done", a->result.path,
                      background_origin_word(a->result.origin));
}

/* Call with the lock held, and the state idle. */
static void begin_job(struct background *a, const char *path, enum background_origin origin) {
    a->result = (struct background_result){.origin = origin, .asked_ns = clock_now()};
    snprintf(a->result.path, sizeof a->result.path, "%s", path);
    a->state = BACKGROUND_ASKED;
    pthread_cond_signal(&a->changed);
}

diffuse_err background_load(struct background *a, const char *path, enum background_origin origin,
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

diffuse_err background_hold(struct background *a, struct reason *why) {
    if (a->fd < 0)
        return DIFFUSE_OK;
    pthread_mutex_lock(&a->lock);
    diffuse_err e = check_idle(a, why);
    if (!e)
        a->state = BACKGROUND_HELD;
    pthread_mutex_unlock(&a->lock);
    return e;
}

enum background_word background_take(struct background *a, struct background_result *ret) {
    eventfd_t ignored;
    enum background_word word = BACKGROUND_NOTHING;
    if (!background_said(a))
        return word;
    (void)eventfd_read(a->fd, &ignored);
    if (pthread_mutex_trylock(&a->lock) != 0)
        return word; /* a thread that gets little time holds it: serving goes on */
    atomic_store(&a->said, false);
    if (a->state == BACKGROUND_ASKING && !a->asked_loop) {
        a->asked_loop = true;
        word = BACKGROUND_WANTS_SLOT;
    } else if (a->state == BACKGROUND_DONE) {
        *ret = a->result;
        word = ret->word;
        a->state = BACKGROUND_HELD;
    }
    pthread_mutex_unlock(&a->lock);
    return word;
}

bool background_said(const struct background *a) {
    return a->fd >= 0 && atomic_load(&a->said);
}

bool background_grant(struct background *a, struct loaded_model *slot) {
    if (pthread_mutex_trylock(&a->lock) != 0)
        return false;
    a->granted = slot;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return true;
}

bool background_settle(struct background *a, const struct loaded_model *serving,
                       const struct loaded_model *previous) {
    if (a->fd < 0)
        return true;
    if (pthread_mutex_trylock(&a->lock) != 0)
        return false;
    /* A slot is only loaded by a job, and after each job its place in the roles is another. */
    a->rebase |= a->serving != serving || a->previous != previous;
    a->serving = serving;
    a->previous = previous;
    if (a->state == BACKGROUND_HELD)
        a->state = BACKGROUND_IDLE;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return true;
}

/* --- from a slice -------------------------------------------------------- */

diffuse_err background_request_load(struct background *a, const char *path) {
    pthread_mutex_lock(&a->lock);
    diffuse_err e = a->rebase ? DIFFUSE_BUSY : check_idle(a, NULL);
    if (!e)
        begin_job(a, path, BACKGROUND_TUNER);
    pthread_mutex_unlock(&a->lock);
    return e;
}

diffuse_err background_request_rollback(struct background *a, const char *why) {
    pthread_mutex_lock(&a->lock);
    diffuse_err e = a->rebase ? DIFFUSE_BUSY : check_idle(a, NULL);
    if (!e) {
        a->result = (struct background_result){.word = BACKGROUND_WANTS_ROLLBACK,
                                               .origin = BACKGROUND_TUNER};
        (void)reason_set(&a->result.why, DIFFUSE_OK, "%s", why);
        a->state = BACKGROUND_DONE;
    }
    pthread_mutex_unlock(&a->lock);
    if (!e)
        tell_loop(a);
    return e;
}

void background_wake(struct background *a) {
    if (a->fd < 0 || atomic_exchange(&a->woken, true))
        return;
    pthread_mutex_lock(&a->lock);
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}
