#include "daemon/path/inflight.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/path/turns.h"

/* A turn of a stream, in shares of the longest sample: small, so that who comes new waits little;
 * yet a sample takes no more turns than that. */
#define TURNS_OF_LONGEST 8u

struct inflight {
    pthread_mutex_t lock;
    pthread_cond_t waiting;       /* signalled when a sample waits, or at stop */
    struct inflight_sample *slot; /* (cap + 1) */
    size_t cap;
    struct turns *turns;
    bool stopping;

    /* Pieces of one model begin when all before them are finished; these count since start. */
    uint64_t pieces_in, pieces_out;
    uint64_t pieces_after; /* pieces_in when the first of the model accepted now came */
    const struct loaded_model *pieces_of; /* that model */
    int fd;

    /* The loop's alone. */
    uint32_t *spare; /* (cap + 1) slots that are free; the last of them is the open one */
    size_t spares;
};

static size_t slots_of(const struct inflight_size *s) {
    return s->samples + 1;
}

size_t inflight_bytes(const struct inflight_size *s) {
    size_t n = slots_of(s);
    return arena_block(sizeof(struct inflight)) + arena_block(n * sizeof(struct inflight_sample)) +
           arena_block(n * s->ids * sizeof(uint32_t)) + arena_block(n * s->scores * sizeof(float)) +
           arena_block(n * sizeof(uint32_t)) + turns_bytes(n);
}

diffuse_err inflight_new(struct arena *arena, const struct inflight_size *s,
                         struct inflight **ret_inflight) {
    size_t n = slots_of(s);
    uint32_t quantum = (uint32_t)(s->ids / TURNS_OF_LONGEST + 1);
    struct inflight *f = arena_alloc(arena, sizeof *f);
    struct inflight_sample *slot = arena_alloc(arena, n * sizeof *slot);
    uint32_t *ids = arena_alloc(arena, n * s->ids * sizeof *ids);
    float *scores = arena_alloc(arena, n * s->scores * sizeof *scores);
    uint32_t *spare = arena_alloc(arena, n * sizeof *spare);
    struct turns *turns = NULL;
    diffuse_err e = turns_new(arena, n, quantum, &turns);
    if (e || !f || !slot || !ids || !scores || !spare)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < n; i++) {
        slot[i].ids = ids + i * s->ids;
        slot[i].scores = s->scores ? scores + i * s->scores : NULL;
        spare[i] = (uint32_t)(n - 1 - i);
    }
    *f = (struct inflight){
        .slot = slot, .cap = s->samples, .turns = turns, .spare = spare, .spares = n};
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

/* --- accepting ----------------------------------------------------------- */

struct inflight_sample *inflight_open(struct inflight *f) {
    if (f->spares == 0)
        return NULL;
    struct inflight_sample *s = &f->slot[f->spare[f->spares - 1]];
    uint32_t *ids = s->ids;
    float *scores = s->scores;
    memset(s, 0, sizeof *s);
    s->ids = ids;
    s->scores = scores;
    return s;
}

size_t inflight_free(const struct inflight *f) {
    return f->spares > 0 ? f->spares - 1 : 0;
}

/* Lanes come and go by the loop alone, which may look without the lock. */
bool inflight_admits(const struct inflight *f, struct stream_name stream) {
    size_t free = inflight_free(f);
    return free > 0 && turns_held(f->turns, stream.hash) < free;
}

/* Pieces of a cell, and of a model, keep the order in which they were accepted. Call with the lock
 * held. */
static void number_piece(struct inflight *f, struct inflight_sample *s) {
    if (s->serving != f->pieces_of)
        f->pieces_after = f->pieces_in;
    f->pieces_of = s->serving;
    f->pieces_in++;
    s->piece_after = f->pieces_after;
    s->piece.turn = s->piece.cell->given++;
}

void inflight_commit(struct inflight *f) {
    assert(f->spares > 0);
    uint32_t entry = f->spare[--f->spares];
    struct inflight_sample *s = &f->slot[entry];
    uint64_t lane = s->stream_hash;
    pthread_mutex_lock(&f->lock);
    if (s->error || s->settled) {
        turns_add_done(f->turns, entry, lane);
    } else {
        if (s->piece.cell)
            number_piece(f, s);
        turns_add(f->turns, entry, lane, s->n > 0 ? s->n : 1);
        pthread_cond_signal(&f->waiting);
    }
    pthread_mutex_unlock(&f->lock);
}

/* The open slot stays the last. */
static void give_back(struct inflight *f, uint32_t entry) {
    size_t last = f->spares++;
    f->spare[last] = entry;
    if (last > 0) {
        f->spare[last] = f->spare[last - 1];
        f->spare[last - 1] = entry;
    }
}

struct inflight_sample *inflight_evict(struct inflight *f, struct stream_name stream) {
    pthread_mutex_lock(&f->lock);
    uint32_t i = turns_waiting(f->turns, stream.hash);
    while (i != TURNS_NONE && f->slot[i].piece.cell)
        i = turns_waiting_next(f->turns, i);
    if (i != TURNS_NONE)
        turns_remove(f->turns, i);
    pthread_mutex_unlock(&f->lock);
    if (i == TURNS_NONE)
        return NULL;
    f->slot[i].evicted = true;
    return &f->slot[i];
}

/* --- working ------------------------------------------------------------- */

/* Is its segment free, and is it next there? Call with the lock held. */
static bool may_take(const struct inflight *f, const struct inflight_sample *s) {
    const struct segment_cell *cell = s->piece.cell;
    return !cell ||
           (!cell->busy && cell->taken == s->piece.turn && f->pieces_out >= s->piece_after);
}

static void expire(struct inflight_sample *s, uint64_t now) {
    s->error = DIFFUSE_EXPIRED;
    s->taken_ns = now;
    snprintf(s->reason, sizeof s->reason, "older than its max_age when its turn came");
}

/* Take what a walk offers, up to the limits. Call with the lock held. */
static size_t take(struct inflight *f, size_t max_samples, size_t max_tokens,
                   struct inflight_sample **ret_samples, bool *ret_expired) {
    struct turns_walk walk = turns_walk(f->turns);
    uint64_t now = clock_now();
    size_t n = 0, tokens = 0;
    uint32_t i;
    while (n < max_samples && (i = turns_offer(f->turns, &walk)) != TURNS_NONE) {
        struct inflight_sample *s = &f->slot[i];
        bool late = s->expires_ns > 0 && now >= s->expires_ns;
        if (late && !s->piece.cell) {
            expire(s, now);
            turns_pass(f->turns, &walk);
            *ret_expired = true;
            continue;
        }
        if (!may_take(f, s) || (n > 0 && s->serving != ret_samples[0]->serving)) {
            turns_skip(f->turns, &walk);
            continue;
        }
        if (n > 0 && tokens + s->n > max_tokens)
            break;
        if (late) {
            expire(s, now);
            s->piece.due = false;
        }
        if (s->piece.cell)
            s->piece.cell->taken++;
        tokens += s->n;
        ret_samples[n++] = s;
        turns_take(f->turns, &walk);
    }
    return n;
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
    bool expired = false;
    size_t n;
    pthread_mutex_lock(&f->lock);
    while ((n = take(f, max_samples, max_tokens, ret_samples, &expired)) == 0) {
        if (expired)
            (void)eventfd_write(f->fd, 1);
        expired = false;
        if (f->stopping && turns_walk(f->turns).at == TURNS_NONE)
            break;
        pthread_cond_wait(&f->waiting, &f->lock);
    }
    (void)mark_pieces(ret_samples, n, true);
    if (turns_walk(f->turns).at != TURNS_NONE)
        pthread_cond_signal(&f->waiting); /* there may be work for another worker */
    pthread_mutex_unlock(&f->lock);
    if (expired)
        (void)eventfd_write(f->fd, 1);
    return n;
}

void inflight_finish(struct inflight *f, struct inflight_sample **samples, size_t n) {
    pthread_mutex_lock(&f->lock);
    size_t pieces = mark_pieces(samples, n, false);
    for (size_t i = 0; i < n; i++)
        turns_done(f->turns, (uint32_t)(samples[i] - f->slot));
    f->pieces_out += pieces;
    if (pieces > 0) /* somebody may wait for them, or for the last sample at stop */
        pthread_cond_broadcast(&f->waiting);
    bool answerable = turns_ready(f->turns) != TURNS_NONE;
    pthread_mutex_unlock(&f->lock);
    if (answerable)
        (void)eventfd_write(f->fd, 1);
}

/* --- answering ----------------------------------------------------------- */

struct inflight_sample *inflight_head(struct inflight *f) {
    pthread_mutex_lock(&f->lock);
    uint32_t i = turns_ready(f->turns);
    pthread_mutex_unlock(&f->lock);
    return i == TURNS_NONE ? NULL : &f->slot[i];
}

void inflight_release(struct inflight *f, struct inflight_sample *s) {
    uint32_t i = (uint32_t)(s - f->slot);
    if (!s->evicted) {
        pthread_mutex_lock(&f->lock);
        turns_remove(f->turns, i);
        pthread_mutex_unlock(&f->lock);
    }
    give_back(f, i);
}

void inflight_stop(struct inflight *f) {
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_broadcast(&f->waiting);
    pthread_mutex_unlock(&f->lock);
}

size_t inflight_count(const struct inflight *f) {
    return f->cap + 1 - f->spares;
}
