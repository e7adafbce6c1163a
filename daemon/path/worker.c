#include "daemon/path/worker.h"

static void *run(void *user) {
    struct worker *w = user;
    size_t n;
    pthread_setname_np(pthread_self(), "worker");
    path_warm(&w->first->bench[w->index], w->first->model, w->first->plan.max_length);
    sem_post(&w->ready);
    while ((n = inflight_take(w->inflight, w->max_samples, w->max_tokens, w->batch))) {
        struct loaded_model *slot = w->batch[0]->serving;
        atomic_fetch_add_explicit(&w->turns, 1, memory_order_relaxed);
        path_run(&slot->bench[w->index], slot->model, w->batch, n);
        atomic_fetch_add_explicit(&w->batches, 1, memory_order_relaxed);
        inflight_finish(w->inflight, w->batch, n);
        atomic_fetch_add_explicit(&w->turns, 1, memory_order_relaxed);
    }
    return NULL;
}

diffuse_err worker_start(struct worker *w) {
    pthread_attr_t attr;
    if (sem_init(&w->ready, 0, 0) != 0)
        return DIFFUSE_IO;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
    int failed = pthread_create(&w->thread, &attr, run, w);
    pthread_attr_destroy(&attr);
    if (failed) {
        sem_destroy(&w->ready);
        return DIFFUSE_IO;
    }
    while (sem_wait(&w->ready) != 0)
        continue; /* interrupted by a signal */
    w->started = true;
    return DIFFUSE_OK;
}

void worker_join(struct worker *w) {
    if (!w->started)
        return;
    pthread_join(w->thread, NULL);
    sem_destroy(&w->ready);
    w->started = false;
}
