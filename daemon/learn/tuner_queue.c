#include "daemon/learn/tuner_queue.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct tuner_queue {
    int fd;
    struct tuner_queue_item *item; /* (cap) a ring of one writer and one reader, without a lock */
    size_t cap, max_length;
    atomic_uint_fast64_t begin, end; /* count items since start; moved by the reader, the writer */

    /* The tuner may lose the CPU while it holds this, so that the loop only ever tries it. */
    pthread_mutex_t lock;         /* over all below */
    atomic_bool said;             /* there is an answer or an event */
    enum tuner_queue_order order; /* not answered yet */
    bool answered;
    struct tuner_queue_answer answer;
    struct tuner_queue_event event[TUNER_QUEUE_EVENTS]; /* a ring likewise */
    uint64_t first_event, last_event;
    struct tuner_queue_report report;
};

size_t tuner_queue_bytes(size_t items, size_t max_length) {
    return arena_block(sizeof(struct tuner_queue)) +
           arena_block(items * sizeof(struct tuner_queue_item)) +
           arena_block(items * max_length * sizeof(uint32_t));
}

diffuse_err tuner_queue_new(struct arena *arena, size_t items, size_t max_length,
                            struct tuner_queue **ret_box) {
    struct tuner_queue *b = arena_alloc(arena, sizeof *b);
    struct tuner_queue_item *item = arena_alloc(arena, items * sizeof *item);
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

void tuner_queue_done(struct tuner_queue *b) {
    if (!b)
        return;
    close(b->fd);
    pthread_mutex_destroy(&b->lock);
}

int tuner_queue_fd(const struct tuner_queue *b) {
    return b->fd;
}

void tuner_queue_acknowledge(struct tuner_queue *b) {
    eventfd_t ignored;
    (void)eventfd_read(b->fd, &ignored);
}

bool tuner_queue_said(struct tuner_queue *b) {
    return atomic_exchange(&b->said, false);
}

/* Not now: the loop asks again in its next turn. */
static bool later(struct tuner_queue *b) {
    atomic_store(&b->said, true);
    return false;
}

static void wake_loop(struct tuner_queue *b) {
    atomic_store(&b->said, true);
    (void)eventfd_write(b->fd, 1);
}

/* --- feedback --- */

static void copy_row(struct tuner_queue_item *to, const struct feedback_row *row, const char *root,
                     size_t max_length) {
    to->row = *row;
    to->row.n = row->n < max_length ? row->n : (uint32_t)max_length;
    memcpy(to->ids, row->ids, to->row.n * sizeof *to->ids);
    memcpy(to->stream, row->stream, row->stream_len);
    to->stream[row->stream_len] = '\0';
    memcpy(to->label, row->label, row->label_len);
    to->label[row->label_len] = '\0';
    memcpy(to->root, root, strlen(root) + 1);
    to->row.stream = to->stream;
    to->row.label = to->label;
    to->row.ids = to->ids;
}

bool tuner_queue_put(struct tuner_queue *b, const struct feedback_row *row, const char *root) {
    uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);
    if (end - atomic_load_explicit(&b->begin, memory_order_acquire) == b->cap)
        return false;
    copy_row(&b->item[end % b->cap], row, root, b->max_length);
    atomic_store_explicit(&b->end, end + 1, memory_order_release);
    return true;
}

bool tuner_queue_take(struct tuner_queue *b, struct tuner_queue_item *ret) {
    uint64_t begin = atomic_load_explicit(&b->begin, memory_order_relaxed);
    if (begin == atomic_load_explicit(&b->end, memory_order_acquire))
        return false;
    const struct tuner_queue_item *item = &b->item[begin % b->cap];
    copy_row(ret, &item->row, item->root, b->max_length);
    atomic_store_explicit(&b->begin, begin + 1, memory_order_release);
    return true;
}

/* --- orders --- */

diffuse_err tuner_queue_order(struct tuner_queue *b, enum tuner_queue_order order) {
    if (pthread_mutex_trylock(&b->lock) != 0)
        return DIFFUSE_BUSY;
    bool busy = b->order != TUNER_QUEUE_NOTHING || b->answered;
    if (!busy)
        b->order = order;
    pthread_mutex_unlock(&b->lock);
    return busy ? DIFFUSE_BUSY : DIFFUSE_OK;
}

enum tuner_queue_order tuner_queue_ordered(struct tuner_queue *b) {
    pthread_mutex_lock(&b->lock);
    enum tuner_queue_order order = b->order;
    pthread_mutex_unlock(&b->lock);
    return order;
}

void tuner_queue_answer(struct tuner_queue *b, const struct tuner_queue_answer *answer) {
    pthread_mutex_lock(&b->lock);
    b->order = TUNER_QUEUE_NOTHING;
    b->answer = *answer;
    b->answered = true;
    pthread_mutex_unlock(&b->lock);
    wake_loop(b);
}

bool tuner_queue_answered(struct tuner_queue *b, struct tuner_queue_answer *ret) {
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

void tuner_queue_say(struct tuner_queue *b, const char *kind, bool warning, const char *format,
                     ...) {
    va_list args;
    pthread_mutex_lock(&b->lock);
    if (b->last_event - b->first_event == TUNER_QUEUE_EVENTS)
        b->first_event++;
    struct tuner_queue_event *e = &b->event[b->last_event++ % TUNER_QUEUE_EVENTS];
    snprintf(e->kind, sizeof e->kind, "%s", kind);
    e->warning = warning;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    pthread_mutex_unlock(&b->lock);
    wake_loop(b);
}

bool tuner_queue_heard(struct tuner_queue *b, struct tuner_queue_event *ret) {
    if (pthread_mutex_trylock(&b->lock) != 0)
        return later(b);
    bool any = b->first_event < b->last_event;
    if (any)
        *ret = b->event[b->first_event++ % TUNER_QUEUE_EVENTS];
    pthread_mutex_unlock(&b->lock);
    return any;
}

/* --- the report --- */

void tuner_queue_publish(struct tuner_queue *b, const struct tuner_queue_report *report) {
    pthread_mutex_lock(&b->lock);
    bool switched = b->report.on != report->on;
    b->report = *report;
    pthread_mutex_unlock(&b->lock);
    if (switched)
        wake_loop(b);
}

void tuner_queue_report(struct tuner_queue *b, struct tuner_queue_report *ret) {
    if (pthread_mutex_trylock(&b->lock) != 0) {
        (void)later(b);
        return;
    }
    *ret = b->report;
    pthread_mutex_unlock(&b->lock);
}
