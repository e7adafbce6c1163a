/* stream.h - the streams that were heard, in a table of fixed size, with a book for each.
 *
 * Follows each stream's sequence numbers to see gaps, and counts what became of its samples:
 *
 *    accepted = labelled + errored + expired + dropped + in flight
 *
 * at any time. When the table is full, the stream that was silent longest is forgotten, and what is
 * in its book goes to that of "others", together with whatever becomes of its samples later; so the
 * sums over all books are those over all samples since the start. Lives in the arena it was made
 * in. Threads: the loop thread only.
 */
#ifndef DAEMON_PATH_STREAM_H
#define DAEMON_PATH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/stream_name.h"
#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"

struct stream_table;

/* What became of a sample, each in exactly one. */
enum stream_fate {
    STREAM_LABELLED, /* held answers of running segments included */
    STREAM_ERRORED,  /* answered by an error, but for those that follow */
    STREAM_EXPIRED,  /* too old to be answered */
    STREAM_DROPPED,  /* for overload, whether it was told or not */
    STREAM_FATES
};

struct stream_books {
    uint64_t accepted;
    uint64_t fate[STREAM_FATES];
    uint64_t gaps; /* sequence numbers missing */
};

/* The book that a sample is in. */
struct stream_ref {
    uint32_t row, era;
};

struct stream_note {
    uint64_t missing; /* sequence numbers skipped since this stream's sample before */
    bool jumped;      /* by so many that it began anew */
    bool forgot;      /* another stream was forgotten to make room */
    struct stream_ref books;
};

size_t stream_bytes(size_t cap); /* arena bytes of stream_new */
DIFFUSE_MUST_CHECK diffuse_err stream_new(struct arena *arena, size_t cap,
                                          struct stream_table **ret_table);

/* A sample arrived: its name (1..LIMIT_STREAM_BYTES bytes) and its seq; NULL: which cannot be read.
 * A seq that does not go up, or by more than LIMIT_GAP, means a sender that began anew: nothing is
 * missing. */
struct stream_note stream_hear(struct stream_table *t, struct stream_name name,
                               const uint64_t *seq);

/* And this became of it. */
void stream_settle(struct stream_table *t, struct stream_ref books, enum stream_fate fate);

/* The number of its latest sample; false: not heard, or forgotten. Does not count as use. */
bool stream_last(struct stream_table *t, struct stream_name name, uint64_t *ret_seq);

size_t stream_count(const struct stream_table *t);

/* The books, by rows below stream_rows; false: nothing is in this row. *ret_name is no string. */
struct stream_row {
    const char *name;
    size_t len;
    uint64_t last_seq;
    struct stream_books books;
};
uint32_t stream_rows(const struct stream_table *t);
bool stream_row(const struct stream_table *t, uint32_t row, struct stream_row *ret_row);
struct stream_books stream_others(const struct stream_table *t);
struct stream_books stream_total(const struct stream_table *t); /* of all rows and others */

uint64_t stream_in_flight(const struct stream_books *b);

#endif
