#include "daemon/tunebox.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct tunebox {
    int fd;
    struct tunebox_item *item; /* (cap) a ring of one writer and one reader, without a lock */
    size_t cap, max_length;
    atomic_uint_fast64_t begin, end; /* count items since start; moved by the reader, the writer */

    /* The tuner may lose the CPU while it holds this, so that the loop only ever tries it. */
    pthread_mutex_t lock;     /* over all below */
    atomic_bool said;         /* there is an answer or an event */
    enum tunebox_order order; /* not answered yet */
    bool answered;
    struct tunebox_answer answer;
    struct tunebox_event event[TUNEBOX_EVENTS]; /* a ring likewise */
    uint64_t first_event, last_event;
    struct tunebox_report report;
};

size_t tunebox_bytes(size_t items, size_t max_length) {
    return arena_block(sizeof(struct tunebox)) + arena_block(items * sizeof(struct tunebox_item)) +
           arena_block(items * max_length * sizeof(uint32_t));
}

diffuse_err tunebox_new(struct arena *arena, size_t items, size_t max_length,
                        struct tunebox **ret_box) {
    struct tunebox *b = arena_alloc(arena, sizeof *b);
    struct tunebox_item *item = arena_alloc(arena, items * sizeof *item);
    uint32_t *ids = arena_alloc(arena, items * max_length * sizeof *ids);
    if (!b || !item || !ids)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < items; i++)
        item[i].ids = ids + i * max_length;
    b->item = item;
    b->cap = items;
    b->max_length = max_length;
    b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->fd < 0)
        return DIFFUSE_IO;
    pthread_mutex_init(&b->lock, NULL);
    *ret_box = b;
    return DIFFUSE_OK;
}

void tunebox_done(struct tunebox *b) {
    if (!b)
        return;
    close(b->fd);
    pthread_mutex_destroy(&b->lock);
}

int tunebox_fd(const struct tunebox *b) {
    return b->fd;
}

void tunebox_acknowledge(struct tunebox *b) {
    eventfd_t ignored;
    (void)eventfd_read(b->fd, &ignored);
}

bool tunebox_said(struct tunebox *b) {
    return atomic_exchange(&b->said, false);
}

/* Not now: the loop asks again in its next turn. */
static bool later(struct tunebox *b) {
    atomic_store(&b->said, true);
    return false;
}

static void wake_loop(struct tunebox *b) {
    atomic_store(&b->said, true);
    (void)eventfd_write(b->fd, 1);
}

/* --- feedback --- */

static void copy_item(struct tunebox_item *to, const struct tunebox_item *from, size_t max_length) {
    uint32_t *ids = to->ids;
    uint32_t n = from->n < max_length ? from->n : (uint32_t)max_length;
    memcpy(ids, from->ids, n * sizeof *ids);
    *to = *from;
    to->ids = ids;
    to->n = n;
}

bool tunebox_put(struct tunebox *b, const struct tunebox_item *item) {
    uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);
    if (end - atomic_load_explicit(&b->begin, memory_order_acquire) == b->cap)
        return false;
    copy_item(&b->item[end % b->cap], item, b->max_length);
    atomic_store_explicit(&b->end, end + 1, memory_order_release);
    return true;
}

bool tunebox_take(struct tunebox *b, struct tunebox_item *ret) {
    uint64_t begin = atomic_load_explicit(&b->begin, memory_order_relaxed);
    if (begin == atomic_load_explicit(&b->end, memory_order_acquire))
        return false;
    copy_item(ret, &b->item[begin % b->cap], b->max_length);
    atomic_store_explicit(&b->begin, begin + 1, memory_order_release);
    return true;
}

/* --- orders --- */

diffuse_err tunebox_order(struct tunebox *b, enum tunebox_order order) {
    if (pthread_mutex_trylock(&b->lock) != 0)
        return DIFFUSE_BUSY;
    bool busy = b->order != TUNEBOX_NOTHING || b->answered;
    if (!busy)
        b->order = order;
    pthread_mutex_unlock(&b->lock);
    return busy ? DIFFUSE_BUSY : DIFFUSE_OK;
}

enum tunebox_order tunebox_ordered(struct tunebox *b) {
    pthread_mutex_lock(&b->lock);
    enum tunebox_order order = b->order;
    pthread_mutex_unlock(&b->lock);
    return order;
}

void tunebox_answer(struct tunebox *b, const struct tunebox_answer *answer) {
    pthread_mutex_lock(&b->lock);
    b->order = TUNEBOX_NOTHING;
    b->answer = *answer;
    b->answered = true;
    pthread_mutex_unlock(&b->lock);
    wake_loop(b);
}

bool tunebox_answered(struct tunebox *b, struct tunebox_answer *ret) {
    if (pthread_mutex_trylock(&b->lock) != 0)
        return later(b);
    bool answered = b->answered;
    if (answered)
        *ret = b->answer;
    b->answered = false;
    pthread_mutex_unlock(&b->lock);
    return answered;
}

/* --- events --- */

void tunebox_say(struct tunebox *b, const char *kind, bool warning, const char *format, ...) {
    va_list args;
    pthread_mutex_lock(&b->lock);
    if (b->last_event - b->first_event == TUNEBOX_EVENTS)
        b->first_event++;
    struct tunebox_event *e = &b->event[b->last_event++ % TUNEBOX_EVENTS];
    snprintf(e->kind, sizeof e->kind, "%s", kind);
    e->warning = warning;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    pthread_mutex_unlock(&b->lock);
    wake_loop(b);
}

bool tunebox_heard(struct tunebox *b, struct tunebox_event *ret) {
    if (pthread_mutex_trylock(&b->lock) != 0)
        return later(b);
    bool any = b->first_event < b->last_event;
    if (any)
        *ret = b->event[b->first_event++ % TUNEBOX_EVENTS];
    pthread_mutex_unlock(&b->lock);
    return any;
}

/* --- the report --- */

void tunebox_publish(struct tunebox *b, const struct tunebox_report *report) {
    pthread_mutex_lock(&b->lock);
    bool switched = b->report.on != report->on;
    b->report = *report;
    pthread_mutex_unlock(&b->lock);
    if (switched)
        wake_loop(b);
}

void tunebox_report(struct tunebox *b, struct tunebox_report *ret) {
    if (pthread_mutex_trylock(&b->lock) != 0) {
        (void)later(b);
        return;
    }
    *ret = b->report;
    pthread_mutex_unlock(&b->lock);
}
