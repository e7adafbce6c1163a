/* segment_cell.h - what a worker has to know of a piece of a running segment, and keeps of the
 * segment.
 *
 * The loop decides everything that needs the stream alone (segments.h) and writes it into the
 * piece; the worker does what it says, in the order in which the pieces of a cell were accepted. A
 * cell is handed from one segment to the next by a piece that opens: so nothing has to wait.
 */
#ifndef DAEMON_PATH_SEGMENT_CELL_H
#define DAEMON_PATH_SEGMENT_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/conf/policy.h"

struct segment_cell {
    /* Under the lock of inflight.c. Segments of two streams may follow each other in one cell. */
    bool busy;             /* a worker has pieces of it */
    uint32_t given, taken; /* pieces accepted; and by workers */

    /* The rest belongs to the worker that has its pieces. */
    uint32_t round;       /* that took its last piece (segment_work.c) */
    bool said, abstained; /* a label was announced, and it was abstained */
    uint32_t label;       /* that one */
};

/* All zero: no piece, the sample is WHOLE. Of the sample's ids the first n_first extend the
 * segment; the label is as if n_tail more followed; then, after renews, n_after begin the next
 * window. */
struct segment_work {
    struct segment_cell *cell;
    uint32_t turn; /* of the cell's pieces this one */
    void *state;   /* the segment's memory (segment.h) */
    uint32_t n_first, n_tail, n_after;
    bool opens;  /* first of its segment: nothing was announced before */
    bool begins; /* the text is empty before it */
    bool renews; /* and after its label */
    bool slides; /* its n_first ids are a window, to be classified by themselves */
    bool due;    /* a label, unless the policy's `change` holds it back */
    bool ends;   /* announced in any case */
    struct policy policy;
    uint64_t tokens; /* that the label is about */
};

#endif
