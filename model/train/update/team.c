#include "model/train/update/team.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/cgroup.h"
#include "proto/limits.h"

struct member {
    pthread_t thread;
    struct team *team;
    unsigned index;
};

struct team {
    unsigned size, running; /* members; members that have not finished the round */
    unsigned long round;
    bool quit;
    team_job *job;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t go, done;
    struct member *member; /* (size) entry 0 is unused: the caller */
};

static void *member_main(void *arg) {
    struct member *m = arg;
    struct team *t = m->team;
    bool quit;

    for (unsigned long round = 1;; round++) {
        pthread_mutex_lock(&t->lock);
        while (t->round < round && !t->quit)
            pthread_cond_wait(&t->go, &t->lock);
        quit = t->quit;
        pthread_mutex_unlock(&t->lock);
        if (quit)
            return NULL;
        t->job(t->arg, m->index);
        pthread_mutex_lock(&t->lock);
        if (--t->running == 0)
            pthread_cond_signal(&t->done);
        pthread_mutex_unlock(&t->lock);
    }
}

diffuse_err team_new(unsigned size, struct team **ret_team, struct reason *why) {
    struct team *t = calloc(1, sizeof *t);
    int code;

    if (!t)
        return DIFFUSE_NOMEM;
    t->member = calloc(size, sizeof *t->member);
    if (!t->member) {
        free(t);
        return DIFFUSE_NOMEM;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->go, NULL);
    pthread_cond_init(&t->done, NULL);
    for (t->size = 1; t->size < size; t->size++) {
        struct member *m = &t->member[t->size];

        m->team = t;
        m->index = t->size;
        if ((code = pthread_create(&m->thread, NULL, member_main, m)) != 0) {
            (void)reason_set(why, DIFFUSE_IO,
                             "the system refuses thread %u of %u: %s; ask for fewer with "
                             "--threads, or raise its limits (ulimit -u, -s, -v)",
                             t->size + 1, size, strerror(code));
            team_free(t);
            return DIFFUSE_IO;
        }
    }
    *ret_team = t;
    return DIFFUSE_OK;
}

void team_free(struct team *t) {
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->quit = true;
    pthread_cond_broadcast(&t->go);
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 1; i < t->size; i++)
        pthread_join(t->member[i].thread, NULL);
    pthread_cond_destroy(&t->done);
    pthread_cond_destroy(&t->go);
    pthread_mutex_destroy(&t->lock);
    free(t->member);
    free(t);
}

unsigned team_size(const struct team *t) {
    return t->size;
}

unsigned team_cores(void) {
    unsigned n = cgroup_cores();

    return n > LIMIT_WORKERS ? LIMIT_WORKERS : n;
}

void team_run(struct team *t, team_job *job, void *arg) {
    pthread_mutex_lock(&t->lock);
    t->job = job;
    t->arg = arg;
    t->running = t->size - 1;
    t->round++;
    pthread_cond_broadcast(&t->go);
    pthread_mutex_unlock(&t->lock);
    job(arg, 0);
    pthread_mutex_lock(&t->lock);
    while (t->running)
        pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void team_share(const struct team *t, unsigned member, size_t n, size_t *ret_from, size_t *ret_to) {
    *ret_from = n * member / t->size;
    *ret_to = n * (member + 1) / t->size;
}
