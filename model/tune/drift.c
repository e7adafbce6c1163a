#include "model/tune/drift.h"

#include <math.h>
#include <string.h>

#define EVERY 32u /* values between two tests */
#define LEAST 5u  /* values of either part */

void drift_init(struct drift *d, double delta) {
    *d = (struct drift){.delta = delta};
}

static void remove_oldest(struct drift *d, uint32_t row) {
    d->ones -= d->one[row][0];
    d->n -= (uint64_t)1 << row;
    d->used[row]--;
    memmove(d->one[row], d->one[row] + 1, d->used[row] * sizeof d->one[row][0]);
}

/* Put a bucket behind those of its row; two oldest of a row that overflows become one of the next.
 */
static void insert(struct drift *d, bool one) {
    d->one[0][d->used[0]++] = one;
    d->n++;
    d->ones += one;
    for (uint32_t k = 0; k < DRIFT_ROWS && d->used[k] > DRIFT_BUCKETS; k++) {
        if (k + 1 == DRIFT_ROWS) {
            remove_oldest(d, k);
            return;
        }
        d->one[k + 1][d->used[k + 1]++] = d->one[k][0] + d->one[k][1];
        d->used[k] -= 2;
        memmove(d->one[k], d->one[k] + 2, d->used[k] * sizeof d->one[k][0]);
    }
}

/* By how much n0 older values with ones0 ones and the rest differ, in units of what chance allows:
 * above 0 when the newer have more. */
static double difference(const struct drift *d, uint64_t n0, uint64_t ones0) {
    double a = (double)n0, b = (double)(d->n - n0), n = (double)d->n, p = (double)d->ones / n,
           gap = (double)(d->ones - ones0) / b - (double)ones0 / a,
           m = 1 / (a - LEAST + 1) + 1 / (b - LEAST + 1), log_term = log(2 * log(n) / d->delta),
           bound = sqrt(2 * m * p * (1 - p) * log_term) + 2.0 / 3 * log_term * m;

    return gap / bound;
}

/* The boundary where the parts differ most: the difference, and the values before it. */
static double find(const struct drift *d, uint64_t *ret_older) {
    uint64_t n0 = 0, ones0 = 0;
    double most = 0;

    for (uint32_t k = DRIFT_ROWS; k-- > 0;)
        for (uint32_t i = 0; i < d->used[k]; i++) {
            double by;

            n0 += (uint64_t)1 << k;
            ones0 += d->one[k][i];
            if (n0 < LEAST || d->n - n0 < LEAST)
                continue;
            by = difference(d, n0, ones0);
            if (fabs(by) > fabs(most)) {
                most = by;
                *ret_older = n0;
            }
        }
    return most;
}

static uint32_t oldest_row(const struct drift *d) {
    uint32_t k = DRIFT_ROWS - 1;

    while (k > 0 && d->used[k] == 0)
        k--;
    return k;
}

/* The original forgets one bucket at a time until no parts differ. What it leaves of the old values
 * then differs from the new ones again as more of those come, and one change is said many times; so
 * everything before the boundary goes at once. */
enum drift_change drift_add(struct drift *d, bool one) {
    uint64_t older = 0, left;
    double by;

    insert(d, one);
    if (++d->since < EVERY)
        return DRIFT_NONE;
    d->since = 0;
    by = find(d, &older);
    if (fabs(by) <= 1)
        return DRIFT_NONE;
    left = d->n - older;
    while (d->n > left)
        remove_oldest(d, oldest_row(d));
    return by > 0 ? DRIFT_MORE : DRIFT_LESS;
}
