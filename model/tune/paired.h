/* paired.h - which of two models is better on the same rows: the exact test of McNemar (1947), that
 * is the sign test on the rows that only one of them gets right.
 *
 * Were both as good, each such row would be a fair coin.
 */
#ifndef MODEL_TUNE_PAIRED_H
#define MODEL_TUNE_PAIRED_H

#include <stdbool.h>
#include <stddef.h>

struct paired {
    size_t rows;
    size_t both; /* right by both */
    size_t won;  /* right by the second alone */
    size_t lost; /* right by the first alone */
};

void paired_add(struct paired *p, bool first, bool second);

/* One-sided: the probability of so many losses (wins) or more among the rows that one model alone
 * gets right; 1 without any. Exact: sums of binomials in logarithms, good to 1e-12 relative. */
double paired_worse(const struct paired *p);
double paired_better(const struct paired *p);

#endif
