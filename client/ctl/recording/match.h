/* match.h - labels of a recording beside those of its replay.
 *
 * Samples are named by stream and seq. What was sent twice under one name is told apart by its
 * order. A pair that is complete is judged and forgotten, so memory holds only what is in flight
 * and what never came.
 */
#ifndef CLIENT_CTL_RECORDING_MATCH_H
#define CLIENT_CTL_RECORDING_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "client/diffuse.h"

enum { MATCH_SHOWN = 10, MATCH_WORDS = 384 };

#define MATCH_CONFIDENCE 1e-6 /* confidences that differ by no more are the same */

/* One that was not as recorded. */
struct match_difference {
    char stream[256];
    uint64_t seq;
    char words[MATCH_WORDS]; /* "label fire 0.9100 then, smoke 0.8000 now" */
};

struct match {
    uint64_t sent;     /* samples that are answered, */
    uint64_t answered; /* and those that were */
    uint64_t identical;
    uint64_t different;
    uint64_t missing;    /* answered then, and not now; after match_finish */
    uint64_t unrecorded; /* answered now, and not in the recording; after match_finish */
    uint64_t foreign;    /* labels of the recording whose samples are not in it */
    uint64_t models;     /* pairs whose labels name different models */
    uint64_t waiting;    /* sent and not answered; */
    uint64_t due;        /* of those, answered in the recording */
    struct match_difference shown[MATCH_SHOWN];
    unsigned n_shown;
    struct match_entry **buckets;
    uint64_t n_buckets, n_entries;
};

/* Zero it before; match_done after. */
void match_done(struct match *m);

/* A sample was sent. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err match_sent(struct match *m, const void *stream, size_t len,
                                          uint64_t seq);

/* Its label: in the recording, and now. Labels of others are passed over. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err match_then(struct match *m, const diffuse_result *label);
DIFFUSE_MUST_CHECK diffuse_err match_now(struct match *m, const diffuse_result *label);

/* Nothing more comes: what is half counts as missing or unrecorded. */
void match_finish(struct match *m);

#endif
