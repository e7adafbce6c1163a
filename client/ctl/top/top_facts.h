/* top_facts.h - what diffusectl top has seen: rates, labels and streams, over the last seconds.
 *
 * Fixed memory, whatever comes: beyond TOP_STREAMS and TOP_LABELS names are counted together.
 * Pure: labels and status in, numbers out.
 */
#ifndef CLIENT_CTL_TOP_TOP_FACTS_H
#define CLIENT_CTL_TOP_TOP_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/diffuse.h"

#define TOP_NAME_BYTES 256u
#define TOP_STREAMS    1024u
#define TOP_LABELS     256u
#define TOP_TICKS      32u /* of history */
#define TOP_TIMES      8192u

struct top_stream {
    char name[TOP_NAME_BYTES];
    char label[64]; /* the last, cut; "!ERROR" for an error */
    double confidence;
    uint64_t seq;
    uint64_t accepted, errors, lost, gaps, waiting; /* as the daemon's books say */
    uint64_t before;                                /* accepted at the last tick */
    double rate;                                    /* accepted, over the last tick */
};

struct top_label {
    char name[TOP_NAME_BYTES];
    uint64_t count;
    uint32_t tick[TOP_TICKS]; /* (now - k) is at (ticks - k) modulo TOP_TICKS */
};

struct top_facts {
    struct top_stream stream[TOP_STREAMS]; /* most active first, after a tick */
    size_t n_streams;
    struct top_label label[TOP_LABELS]; /* most frequent first, likewise */
    size_t n_labels;
    uint64_t other_labels;          /* answers whose labels had no room */
    uint64_t answers, errors, held; /* watched */
    uint64_t ticks;
    uint32_t times[TOP_TIMES]; /* microseconds, of answers since the tick before the last */
    size_t n_times;
    char event[TOP_NAME_BYTES]; /* the last one */

    /* Of status, over the last tick: a second, when nothing delays it. */
    uint64_t status_ns; /* uptime of the last status; 0: none yet */
    uint64_t accepted, labelled, refused, dropped;
    double accepted_rate, labelled_rate, refused_rate, lost_rate;
    uint64_t p50_us, p99_us; /* of times */
};

/* A label, an error or an event that was watched. */
void top_facts_take(struct top_facts *f, const diffuse_result *r);

/* What the daemon's books say of a stream now. */
void top_facts_books(struct top_facts *f, const struct diffuse_books *books);

/* A tick is over: rates are of it, and everything is sorted. seconds: since the last. */
void top_facts_tick(struct top_facts *f, double seconds);

/* Status as it is now: rates since the one before. */
void top_facts_status(struct top_facts *f, const struct diffuse_status *s);

/* Value of a counter; 0 when there is none of this name. */
uint64_t top_facts_counter(const struct diffuse_status *s, const char *name);

#endif
