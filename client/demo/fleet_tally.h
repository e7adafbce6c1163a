/* fleet_tally.h - what came back: every label held against the truth, with the time it took.
 *
 * Threads: any number may add; the rest is for one thread, when nobody adds. */
#ifndef CLIENT_DEMO_FLEET_TALLY_H
#define CLIENT_DEMO_FLEET_TALLY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/demo/fleet_rows.h"
#include "client/diffuse.h"

struct fleet_label_count {
    size_t seen, right;
};

struct fleet_tally {
    const struct fleet_rows *rows;
    pthread_mutex_t lock; /* of all that follows */
    uint8_t *answers;     /* (rows) labels that came for each */
    uint32_t *latency_us; /* (rows) in order of arrival */
    size_t labels, right, errors, doubled, strangers;
    size_t phase_from; /* labels before the running phase */
    struct fleet_label_count by_label[FLEET_LABELS_MAX];
};

/* 0, or -1 out of memory. Release with _done in either case. */
int fleet_tally_init(struct fleet_tally *t, const struct fleet_rows *rows);
void fleet_tally_done(struct fleet_tally *t);

/* Count one answer that arrived at now_ns. The row it belongs to; NULL: nobody sent it. */
const struct fleet_row *fleet_tally_add(struct fleet_tally *t, const diffuse_result *r,
                                        int64_t now_ns);

/* Answers so far, and how many of them right. */
void fleet_tally_so_far(struct fleet_tally *t, size_t *ret_labels, size_t *ret_right);
bool fleet_tally_right(const struct fleet_tally *t, const struct fleet_row *row,
                       const diffuse_result *r);

/* Share of the phase's answers that took no longer, in milliseconds; 0 when there are none. Sorts.
 */
double fleet_tally_quantile_ms(struct fleet_tally *t, double share);

#endif
