/* wide_fit.h - the wide part of a model, from rows: features, cost, weights.
 *
 * Label k against the rest is a linear support vector machine with squared hinge loss, in which a
 * feature costs less the more it tells the label apart (wide_solve.h):
 *
 *   g_f = idf_f^2 (1 + beta r_f^2),   r_f = log (share of the label's occurrences that are f's)
 *                                         - log (the same of the others)
 *
 * r_f being the ratios of Wang and Manning ("Baselines and bigrams", 2012): with beta 1 the kernel
 * is the sum of a TF-IDF classifier's and of an NB one's; with 0 it is the former's. Each label is
 * a problem of its own, so results do not depend on the number of threads.
 *
 * beta (0 or 1), the norm, and C are chosen by cross-validation in the rows, which also yields for
 * rows the scores of classifiers that did not see them. What that takes is bounded: with many rows
 * and labels beta, norm and C are chosen on one fold, of the largest problems on some of its rows;
 * scores are then those of one fold too.
 *
 * Where labels are many, each keeps only the weights that matter most, by size and by how many rows
 * have the feature: as many as it takes to lose no more than WIDE_FIT_LOSS of accuracy on rows held
 * out.
 */
#ifndef MODEL_TRAIN_WIDE_WIDE_FIT_H
#define MODEL_TRAIN_WIDE_WIDE_FIT_H

#include "model/base/arena.h"
#include "model/train/rows/rows.h"
#include "model/train/update/team.h"
#include "model/wide/wide.h"

#define WIDE_FIT_FOLDS   5u
#define WIDE_FIT_NO_FOLD UINT8_MAX /* of a row that no classifier was kept from */
#define WIDE_FIT_LOSS    0.002

struct wide_fit_options {
    uint64_t seed;         /* of the folds and of the order of rows */
    unsigned folds;        /* 2 to 32; 0: WIDE_FIT_FOLDS */
    uint32_t features;     /* at most; those that fewest rows have go first; 0: by the rows */
    uint32_t entries;      /* weights at most, where labels are many; 0: by the rows */
    struct walk_form form; /* all zero: walk_form_default */
    double cost;           /* 0: chosen */
};

struct wide_fit {
    struct arena arena; /* owned: holds wide */
    struct wide *wide;
    double cost, beta;
    unsigned folds;  /* that rows were kept out in; 0: too few rows */
    uint8_t *fold;   /* (rows) that kept the row out, or WIDE_FIT_NO_FOLD; owned */
    size_t judged;   /* rows that have scores */
    uint32_t *row;   /* (judged) which, upwards; owned */
    float *scores;   /* (judged, labels) of classifiers that did not see the row; owned */
    double accuracy; /* of the scores, and of those without weights left out */
    double accuracy_whole;
};

/* Labels are below `labels`; one of no rows is possible and scores low. Errors: NOMEM, IO, INVAL
 * (no rows, an option out of range). ret_fit is done with wide_fit_done, also after an error. */
DIFFUSE_MUST_CHECK diffuse_err wide_fit(const struct rows *rows, const struct tokenizer *tokenizer,
                                        uint32_t labels, const struct wide_fit_options *o,
                                        struct team *team, struct wide_fit *ret_fit,
                                        struct reason *why);
void wide_fit_done(struct wide_fit *fit); /* fine with a zeroed one */

#endif
