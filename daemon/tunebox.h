/* tunebox.h - what passes between the loop and the tuner, which runs on another thread.
 *
 *      loop  -> tuner    feedback (a bounded ring), one order at a time
 *      tuner -> loop     the answer to an order, events to publish, a report
 *
 * Lives in the arena it was made in. Threads: functions marked (loop) and (tuner) belong to those
 * threads; the loop never waits for the tuner, which may get little CPU time. */
#ifndef DAEMON_TUNEBOX_H
#define DAEMON_TUNEBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/retain.h"
#include "model/base/arena.h"
#include "model/tune/tune.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

#define TUNEBOX_STREAMS    32u /* of a report */
#define TUNEBOX_EVENTS     32u /* that wait for the loop */
#define TUNEBOX_KIND_BYTES 32u

/* One piece of feedback, with what the model that served made of the text. */
struct tunebox_item {
    char stream[LIMIT_STREAM_BYTES + 1];
    uint8_t stream_len;
    char label[LIMIT_LABEL_BYTES + 1]; /* the name: ids may change with the model */
    char root[DIGEST_HEX_BYTES];       /* of the model whose vocabulary the ids are of */
    uint64_t seq;
    uint32_t *ids; /* (max_length) */
    uint32_t n;
    uint32_t predicted;
    float confidence;
    bool judged; /* predicted and confidence are known */
};

enum tunebox_order { TUNEBOX_NOTHING, TUNEBOX_ON, TUNEBOX_OFF, TUNEBOX_RESET, TUNEBOX_SAVE };

struct tunebox_event {
    char kind[TUNEBOX_KIND_BYTES];
    char text[LIMIT_REASON_BYTES];
    bool warning; /* for the log */
};

/* What status says of tuning. Counts are since the start; of feedback that was put in, each piece
 * is in just one of journaled, unjournaled, unknown_labels, outdated and untaken, or still waits.
 */
struct tunebox_report {
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
    struct tune_stream stream[TUNEBOX_STREAMS];
};

struct tunebox_answer {
    enum tunebox_order order;
    diffuse_err error;
    struct reason why;
    struct retain
        *retain; /* ON: where answered samples are kept from now on, until OFF is ordered */
    struct tunebox_report report; /* when it was given */
};

struct tunebox;

size_t tunebox_bytes(size_t items, size_t max_length); /* arena bytes of tunebox_new */
DIFFUSE_MUST_CHECK diffuse_err tunebox_new(struct arena *arena, size_t items, size_t max_length,
                                           struct tunebox **ret_box);
void tunebox_done(struct tunebox *b); /* closes the descriptor; fine with NULL */

/* (loop) Readable when there is something for the loop; tunebox_acknowledge reads it empty. */
int tunebox_fd(const struct tunebox *b);
void tunebox_acknowledge(struct tunebox *b);

/* (loop) Was anything said since the last question? Then ask tunebox_answered and tunebox_heard. */
bool tunebox_said(struct tunebox *b);

/* (loop) Copies the item; false: the ring is full. */
DIFFUSE_MUST_CHECK bool tunebox_put(struct tunebox *b, const struct tunebox_item *item);

/* (tuner) The oldest item; its ids are copied to ret_item->ids, which has room for max_length. */
bool tunebox_take(struct tunebox *b, struct tunebox_item *ret_item);

/* (loop) Give an order. Errors: BUSY, one is not answered yet. */
DIFFUSE_MUST_CHECK diffuse_err tunebox_order(struct tunebox *b, enum tunebox_order order);
enum tunebox_order tunebox_ordered(struct tunebox *b); /* (tuner) not answered yet */
void tunebox_answer(struct tunebox *b, const struct tunebox_answer *answer); /* (tuner) */
bool tunebox_answered(struct tunebox *b, struct tunebox_answer *ret_answer); /* (loop) */

/* (tuner) Say something to the world; the oldest unheard one makes room. (loop) The next. */
void tunebox_say(struct tunebox *b, const char *kind, bool warning, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool tunebox_heard(struct tunebox *b, struct tunebox_event *ret_event);

/* (tuner) publishes, and the loop is told when tuning went on or off. (loop) reads a copy;
 * *ret_report stays as it is while the tuner publishes, and tunebox_said says that it is to ask
 * again.
 */
void tunebox_publish(struct tunebox *b, const struct tunebox_report *report);
void tunebox_report(struct tunebox *b, struct tunebox_report *ret_report);

#endif
