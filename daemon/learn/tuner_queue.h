/* tuner_queue.h - what passes between the loop and the tuner, which runs on another thread.
 *
 *      loop  -> tuner    feedback (a bounded ring), one order at a time
 *      tuner -> loop     the answer to an order, events to publish, a report
 *
 * Lives in the arena it was made in. Threads: functions marked (loop) and (tuner) belong to those
 * threads; the loop never waits for the tuner, which may get little CPU time. */
#ifndef DAEMON_LEARN_TUNER_QUEUE_H
#define DAEMON_LEARN_TUNER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/path/recent.h"
#include "model/base/arena.h"
#include "model/tune/tune.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

#define TUNER_QUEUE_STREAMS    32u /* of a report */
#define TUNER_QUEUE_EVENTS     32u /* that wait for the loop */
#define TUNER_QUEUE_KIND_BYTES 32u

/* One piece of feedback, with what the model that served made of the text. The row points into what
 * is below it. */
struct tuner_queue_item {
    struct feedback_row row;
    char stream[LIMIT_STREAM_BYTES + 1]; /* as strings */
    char label[LIMIT_LABEL_BYTES + 1];
    char root[DIGEST_HEX_BYTES]; /* of the model whose vocabulary the ids are of */
    uint32_t *ids;               /* (max_length) */
};

enum tuner_queue_order {
    TUNER_QUEUE_NOTHING,
    TUNER_QUEUE_ON,
    TUNER_QUEUE_OFF,
    TUNER_QUEUE_RESET,
    TUNER_QUEUE_SAVE
};

struct tuner_queue_event {
    char kind[TUNER_QUEUE_KIND_BYTES];
    char text[LIMIT_REASON_BYTES];
    bool warning; /* for the log */
};

/* What status says of tuning. Counts are since the start; of feedback that was put in, each piece
 * is in just one of journaled, unjournaled, unknown_labels, outdated and untaken, or still waits.
 */
struct tuner_queue_report {
    bool on;
    uint64_t planned; /* bytes that tuning takes; 0: it is off */
    char root[DIGEST_HEX_BYTES];
    uint64_t promotions; /* in force */
    struct tune_report tune;
    struct tune_judgement judged; /* the last one; rows 0: none yet */
    uint64_t journal_bytes;
    uint64_t journaled;      /* feedback that is in the journal: accepted */
    uint64_t forgotten;      /* of them those that made room before they were learned */
    uint64_t unjournaled;    /* that could not be written, and is not learned from */
    uint64_t unknown_labels; /* feedback whose label the model lacks when its turn comes */
    uint64_t outdated;       /* on texts that a model of another root had read */
    uint64_t untaken;        /* that nobody takes: tuning went off by itself */
    uint64_t damaged;        /* places of the journal where accepted feedback was damaged */
    uint64_t distrusted, promoted, refused, withdrawn, drifts;
    size_t n_streams;
    struct tune_stream stream[TUNER_QUEUE_STREAMS];
};

struct tuner_queue_answer {
    enum tuner_queue_order order;
    diffuse_err error;
    struct reason why;
    struct recent
        *retain; /* ON: where answered samples are kept from now on, until OFF is ordered */
    struct tuner_queue_report report; /* when it was given */
};

struct tuner_queue;

size_t tuner_queue_bytes(size_t items, size_t max_length); /* arena bytes of tuner_queue_new */
DIFFUSE_MUST_CHECK diffuse_err tuner_queue_new(struct arena *arena, size_t items, size_t max_length,
                                               struct tuner_queue **ret_box);
void tuner_queue_done(struct tuner_queue *b); /* closes the descriptor; fine with NULL */

/* (loop) Readable when there is something for the loop; tuner_queue_acknowledge reads it empty. */
int tuner_queue_fd(const struct tuner_queue *b);
void tuner_queue_acknowledge(struct tuner_queue *b);

/* (loop) Was anything said since the last question? Then ask tuner_queue_answered and
 * tuner_queue_heard. */
bool tuner_queue_said(struct tuner_queue *b);

/* (loop) Copies the item; false: the ring is full. */
DIFFUSE_MUST_CHECK bool tuner_queue_put(struct tuner_queue *b, const struct feedback_row *row,
                                        const char *root);

/* (tuner) The oldest item; its ids are copied to ret_item->ids, which has room for max_length. */
bool tuner_queue_take(struct tuner_queue *b, struct tuner_queue_item *ret_item);

/* (loop) Give an order. Errors: BUSY, one is not answered yet. */
DIFFUSE_MUST_CHECK diffuse_err tuner_queue_order(struct tuner_queue *b,
                                                 enum tuner_queue_order order);
enum tuner_queue_order tuner_queue_ordered(struct tuner_queue *b); /* (tuner) not answered yet */
void tuner_queue_answer(struct tuner_queue *b,
                        const struct tuner_queue_answer *answer); /* (tuner) */
bool tuner_queue_answered(struct tuner_queue *b,
                          struct tuner_queue_answer *ret_answer); /* (loop) */

/* (tuner) Say something to the world; the oldest unheard one makes room. (loop) The next. */
void tuner_queue_say(struct tuner_queue *b, const char *kind, bool warning, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool tuner_queue_heard(struct tuner_queue *b, struct tuner_queue_event *ret_event);

/* (tuner) publishes, and the loop is told when tuning went on or off. (loop) reads a copy;
 * *ret_report stays as it is while the tuner publishes, and tuner_queue_said says that it is to ask
 * again.
 */
void tuner_queue_publish(struct tuner_queue *b, const struct tuner_queue_report *report);
void tuner_queue_report(struct tuner_queue *b, struct tuner_queue_report *ret_report);

#endif
