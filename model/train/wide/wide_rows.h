/* wide_rows.h - rows as counts of features: which features there are, how much each matters, and
 * how often each row has it.
 *
 * Features are all that the rows have, down to a budget: those that fewest rows have are left out,
 * of equals those with the largest keys. More than WIDE_ROWS_KEYS different ones are counted
 * lossily: when there is no more room, those that one row has had so far are forgotten. The
 * importance of a feature that d of n rows have is log((1 + n) / (1 + d)) + 1; that of letters half
 * as much; in multiples of a unit, 1 to WIDE_IDF_MOST.
 */
#ifndef MODEL_TRAIN_WIDE_WIDE_ROWS_H
#define MODEL_TRAIN_WIDE_WIDE_ROWS_H

#include "model/train/rows/rows.h"
#include "model/wide/wide.h"

#define WIDE_ROWS_KEYS    (1u << 23) /* different features that are counted at once */
#define WIDE_ROWS_ENTRIES (1u << 27) /* features of all rows; 4 bytes each */

#define WIDE_ROWS_COUNT_BITS 8u /* lower ones of an entry: how often, at most 255 */
#define WIDE_ROWS_COUNT_MOST 255u

struct wide_rows {
    size_t n;        /* rows, in an order by seed */
    uint32_t *row;   /* (n) of the data */
    uint32_t *label; /* (n) */
    size_t *start;   /* (n + 1) */
    uint32_t *entry; /* (start[n]) feature << WIDE_ROWS_COUNT_BITS | count */
    uint32_t features;
    uint64_t *key;   /* (features) in the order of struct wide */
    uint32_t *count; /* (features) rows that have it */
    uint8_t *code;   /* (features) importance */
    double unit;     /* of the codes */
    float *idf2;     /* (features) importance, squared */
};

/* Rows in an order by seed; once there are WIDE_ROWS_ENTRIES entries the rest stays out. Errors:
 * NOMEM, IO, INVAL (no rows, no features). Done with wide_rows_done, also after an error. */
DIFFUSE_MUST_CHECK diffuse_err wide_rows_make(const struct rows *rows, const struct walk *walk,
                                              uint32_t budget, uint64_t seed, struct wide_rows *ret,
                                              struct reason *why);
void wide_rows_done(struct wide_rows *w); /* fine with a zeroed one */

static inline uint32_t wide_rows_feature(uint32_t entry) {
    return entry >> WIDE_ROWS_COUNT_BITS;
}

static inline uint32_t wide_rows_times(uint32_t entry) {
    return entry & WIDE_ROWS_COUNT_MOST;
}

#endif
