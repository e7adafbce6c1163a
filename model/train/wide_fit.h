/* wide_fit.h - the wide part of a model, from rows: features, cost, weights.
 *
 * Label k against the rest is a linear support vector machine with squared hinge loss, and for each
 * feature f a penalty that is less the more it tells the label apart:
 *
 *   minimise  1/2 sum_f v_f^2 / (1 + r_f^2)  +  C sum_i max(0, 1 - y_i (v . x_i + b))^2
 *
 * r_f being the log of how much more often rows of the label have f than others do (Wang and
 * Manning, "Baselines and bigrams", 2012): the sum of the kernels of a TF-IDF and of an NB
 * classifier. Solved by dual coordinate descent (Hsieh et al., 2008) up to a duality gap. Each
 * label is a problem of its own: results do not depend on the number of threads.
 *
 * C, and whether long texts count for more (WIDE_NORM_NONE), are chosen by cross-validation in the
 * rows, which yields for each row the scores of a classifier that did not see it. Many rows take
 * fewer folds: see struct wide_fit_options.
 */
#ifndef MODEL_TRAIN_WIDE_FIT_H
#define MODEL_TRAIN_WIDE_FIT_H

#include "model/base/arena.h"
#include "model/train/rows.h"
#include "model/train/team.h"
#include "model/wide/wide.h"

#define WIDE_FIT_FOLDS   5u
#define WIDE_FIT_NO_FOLD UINT8_MAX /* of a row that no classifier was kept from */

struct wide_fit_options {
    uint64_t seed;         /* of the folds and of the order of rows */
    unsigned folds;        /* 2 or more; 0: WIDE_FIT_FOLDS */
    uint32_t features;     /* at most; those that fewest rows have go first; 0: by the rows */
    uint32_t entries;      /* at most: the weights that matter least go; 0: by the rows */
    struct walk_form form; /* all zero: walk_form_default */
    double cost;           /* 0: chosen */
};

struct wide_fit {
    struct arena arena; /* owned: holds wide */
    struct wide *wide;
    double cost;
    double accuracy; /* of the scores below */
    size_t judged;   /* rows that have such scores */
    float *scores;   /* (rows, labels) of classifiers that did not see the row; owned */
    uint8_t *fold;   /* (rows) that kept the row out, or WIDE_FIT_NO_FOLD; owned */
    unsigned folds;  /* 0: too few rows for any */
};

/* Labels are below `labels`; one of no rows is possible and scores low. Errors: NOMEM, IO, INVAL
 * (no rows, an option out of range). ret_fit is done with wide_fit_done, also after an error. */
DIFFUSE_MUST_CHECK diffuse_err wide_fit(const struct rows *rows, const struct tokenizer *tokenizer,
                                        uint32_t labels, const struct wide_fit_options *o,
                                        struct team *team, struct wide_fit *ret_fit,
                                        struct reason *why);
void wide_fit_done(struct wide_fit *fit); /* fine with a zeroed one */

#endif
