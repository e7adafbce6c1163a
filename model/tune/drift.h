/* drift.h - has the rate of errors changed? ADWIN (Bifet and Gavalda, "Learning from time-changing
 * data with adaptive windowing", 2007), on ones and zeros.
 *
 * A window of what came, as an exponential histogram, is cut where its older and its newer part
 * differ by more than chance. Memory is fixed: five buckets for each power of two. Every boundary
 * between buckets is tested, the last one too, once every 32 values. Threads: one at a time.
 */
#ifndef MODEL_TUNE_DRIFT_H
#define MODEL_TUNE_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

#define DRIFT_ROWS    32u /* powers of two */
#define DRIFT_BUCKETS 5u  /* of each */

struct drift {
    double delta; /* of a false alarm at one test, roughly; 0.002 is usual */
    uint64_t n, ones;
    uint32_t since; /* values since the last test */
    uint32_t used[DRIFT_ROWS];
    uint64_t one[DRIFT_ROWS][DRIFT_BUCKETS + 1]; /* [k][i]: ones among 2^k values, oldest first */
};

enum drift_change { DRIFT_NONE, DRIFT_LESS, DRIFT_MORE };

void drift_init(struct drift *d, double delta);

/* One more value. MORE: there are more ones than there were; the window now holds the newer ones.
 */
enum drift_change drift_add(struct drift *d, bool one);

#endif
