/* worker.h - a compute thread: takes batches from the ring, runs them, says so. No I/O. */
#ifndef DAEMON_PATH_WORKER_H
#define DAEMON_PATH_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/path/inflight.h"
#include "daemon/path/loaded_model.h"
#include "proto/diffuse_err.h"

#define WORKER_STACK_BYTES (512u * 1024)

struct worker {
    struct inflight *inflight;      /* borrowed */
    size_t index;                   /* of its bench in every slot, which no other thread uses */
    struct loaded_model *first;     /* borrowed: that serves at the start */
    size_t max_samples, max_tokens; /* of a batch, within every bench */
    atomic_uint_fast64_t batches;   /* forward passes so far; read by the loop */
    atomic_uint_fast64_t turns;     /* batches begun and batches ended: odd within one; likewise */
    struct inflight_sample *batch[LIMIT_BATCH];
    pthread_t thread;
    sem_t ready;
    bool started;
};

/* Start the thread; returns when it has run its largest batch once and waits for samples. Errors:
 * IO (the system refused a thread). */
DIFFUSE_MUST_CHECK diffuse_err worker_start(struct worker *w);

/* Wait for the thread to end, which inflight_stop asks for. Fine when it was not started. */
void worker_join(struct worker *w);

#endif
