#include "daemon/inflight.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct inflight {
    pthread_mutex_t lock;
    pthread_cond_t waiting; /* signalled when a sample waits, or at stop */
    struct inflight_sample *slot;
    size_t cap;
    /* These count samples since start; the slot is the count modulo cap. head <= taken <= tail. */
    uint64_t head, taken, tail;
    bool stopping;
    size_t pieces;                /* that workers have, */
    const struct slot *pieces_of; /* of this model */
    int fd;
};

size_t inflight_bytes(const struct inflight_size *s) {
    return arena_block(sizeof(struct inflight)) +
           arena_block(s->samples * sizeof(struct inflight_sample)) +
           arena_block(s->samples * s->ids * sizeof(uint32_t)) +
           arena_block(s->samples * s->scores * sizeof(float));
}

diffuse_err inflight_new(struct arena *arena, const struct inflight_size *s,
                         struct inflight **ret_inflight) {
    struct inflight *f = arena_alloc(arena, sizeof *f);
    struct inflight_sample *slot = arena_alloc(arena, s->samples * sizeof *slot);
    uint32_t *ids = arena_alloc(arena, s->samples * s->ids * sizeof *ids);
    float *scores = arena_alloc(arena, s->samples * s->scores * sizeof *scores);
    if (!f || !slot || !ids || !scores)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < s->samples; i++) {
        slot[i].ids = ids + i * s->ids;
        slot[i].scores = s->scores ? scores + i * s->scores : NULL;
    }
    *f = (struct inflight){.slot = slot, .cap = s->samples};
    f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->fd < 0)
        return DIFFUSE_IO;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->waiting, NULL);
    *ret_inflight = f;
    return DIFFUSE_OK;
}

void inflight_done(struct inflight *f) {
    if (!f)
        return;
    close(f->fd);
    pthread_cond_destroy(&f->waiting);
    pthread_mutex_destroy(&f->lock);
}

int inflight_fd(const struct inflight *f) {
    return f->fd;
}

void inflight_acknowledge(struct inflight *f) {
    eventfd_t ignored;
    (void)eventfd_read(f->fd, &ignored);
}

static struct inflight_sample *slot_at(struct inflight *f, uint64_t count) {
    return &f->slot[count % f->cap];
}

struct inflight_sample *inflight_open(struct inflight *f) {
    /* head and tail are moved by this thread only, so they may be read without the lock. */
    if (f->tail - f->head == f->cap)
        return NULL;
    struct inflight_sample *s = slot_at(f, f->tail);
    uint32_t *ids = s->ids;
    float *scores = s->scores;
    memset(s, 0, sizeof *s);
    s->ids = ids;
    s->scores = scores;
    return s;
}

void inflight_commit(struct inflight *f) {
    struct inflight_sample *s = slot_at(f, f->tail);
    s->done = s->error != DIFFUSE_OK || s->settled;
    pthread_mutex_lock(&f->lock);
    f->tail++;
    if (!s->done)
        pthread_cond_signal(&f->waiting);
    pthread_mutex_unlock(&f->lock);
}

/* Pass over refused samples; true when one waits for a worker. Call with the lock held. */
static bool skip_to_waiting(struct inflight *f) {
    while (f->taken < f->tail && slot_at(f, f->taken)->done)
        f->taken++;
    return f->taken < f->tail;
}

/* Is the next one's segment free? Call with the lock held, when one waits. */
static bool may_take(struct inflight *f) {
    const struct inflight_sample *s = slot_at(f, f->taken);
    return !s->piece.cell ||
           (!s->piece.cell->busy && (f->pieces == 0 || f->pieces_of == s->serving));
}

/* A worker has these samples from now on, or no longer. */
static size_t mark_pieces(struct inflight_sample **samples, size_t n, bool busy) {
    size_t pieces = 0;
    for (size_t i = 0; i < n; i++) {
        if (!samples[i]->piece.cell)
            continue;
        samples[i]->piece.cell->busy = busy;
        pieces++;
    }
    return pieces;
}

size_t inflight_take(struct inflight *f, size_t max_samples, size_t max_tokens,
                     struct inflight_sample **ret_samples) {
    size_t n = 0, tokens = 0;
    pthread_mutex_lock(&f->lock);
    while (skip_to_waiting(f) ? !may_take(f) : !f->stopping)
        pthread_cond_wait(&f->waiting, &f->lock);
    while (n < max_samples && skip_to_waiting(f) && may_take(f)) {
        struct inflight_sample *s = slot_at(f, f->taken);
        if (n > 0 && (tokens + s->n > max_tokens || s->serving != ret_samples[0]->serving))
            break;
        tokens += s->n;
        ret_samples[n++] = s;
        f->taken++;
    }
    size_t pieces = mark_pieces(ret_samples, n, true);
    if (pieces > 0)
        f->pieces_of = ret_samples[0]->serving;
    f->pieces += pieces;
    if (skip_to_waiting(f) && may_take(f))
        pthread_cond_signal(&f->waiting); /* there is work for another worker */
    pthread_mutex_unlock(&f->lock);
    return n;
}

void inflight_finish(struct inflight *f, struct inflight_sample **samples, size_t n) {
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < n; i++)
        samples[i]->done = true;
    size_t pieces = mark_pieces(samples, n, false);
    f->pieces -= pieces;
    if (pieces > 0) /* somebody may wait for them, or for the last sample at stop */
        pthread_cond_broadcast(&f->waiting);
    bool answerable = slot_at(f, f->head)->done;
    pthread_mutex_unlock(&f->lock);
    if (answerable)
        (void)eventfd_write(f->fd, 1);
}

struct inflight_sample *inflight_head(struct inflight *f) {
    pthread_mutex_lock(&f->lock);
    struct inflight_sample *s = f->head < f->tail ? slot_at(f, f->head) : NULL;
    if (s && !s->done)
        s = NULL;
    pthread_mutex_unlock(&f->lock);
    return s;
}

void inflight_release(struct inflight *f) {
    pthread_mutex_lock(&f->lock);
    assert(f->head < f->tail);
    f->head++;
    if (f->taken < f->head)
        f->taken = f->head; /* a refused sample that no worker has passed over yet */
    pthread_mutex_unlock(&f->lock);
}

void inflight_stop(struct inflight *f) {
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_broadcast(&f->waiting);
    pthread_mutex_unlock(&f->lock);
}

size_t inflight_count(struct inflight *f) {
    pthread_mutex_lock(&f->lock);
    size_t n = (size_t)(f->tail - f->head);
    pthread_mutex_unlock(&f->lock);
    return n;
}
