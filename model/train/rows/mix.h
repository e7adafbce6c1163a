/* mix.h - how much of each part's logits the sum of a model's two parts should have.
 *
 *   logits = a * wide + b * deep,   a > 0, b >= 0
 *
 * by rows that neither part was trained on. Each part alone is scaled to the smallest mean
 * cross-entropy (as Guo et al., 2017, do); then tenths of one and the other are added and scaled
 * again, and the share with the smallest one is taken, where a half of each counts as a few rows of
 * evidence: sixteen rows cannot tell which part is the better one. Another share, none of the deep
 * part among them, is taken where more rows are right with it than chance would have it.
 */
#ifndef MODEL_TRAIN_ROWS_MIX_H
#define MODEL_TRAIN_ROWS_MIX_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "proto/diffuse_err.h"

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
 * and 1, or what there is. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err mix_fit(const struct mix_rows *rows, struct mix *ret_mix);

#endif
