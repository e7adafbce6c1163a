/* mix.h - how much of each part's logits the sum of a model's two parts should have.
 *
 *   logits = a * wide + b * deep,   a > 0, b >= 0
 *
 * a and b are those of the smallest mean cross-entropy on rows that neither part was trained on: a
 * logistic regression of two numbers, which is convex and says how sure the model may be as well
 * (as Guo et al., 2017, do with one). Of shares of the deep part around that one, 0 among them, the
 * one is taken with which most of the rows are right: the sum is never worse on them than the wide
 * part.
 */
#ifndef MODEL_TRAIN_ROWS_MIX_H
#define MODEL_TRAIN_ROWS_MIX_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"

/* Logits of rows held out, from both parts: wide(n, labels), deep(n, labels), truth(n). */
struct mix_rows {
    const real *wide, *deep; /* either may be NULL: there is no such part */
    const uint32_t *truth;
    uint32_t labels;
    size_t n;
};

struct mix {
    double wide, deep;                             /* a and b */
    double loss;                                   /* mean cross-entropy with them */
    double accuracy, accuracy_wide, accuracy_deep; /* of the sum, and of each part by itself */
};

/* One row in n + 1 is taken to be of no known label (Platt, 1999), so that rows without a mistake
 * do not make the sum certain. Rows with a logit that is not finite are left out. Without rows: 1
 * and 1, or what there is. */
void mix_fit(const struct mix_rows *rows, struct mix *ret_mix);

#endif
