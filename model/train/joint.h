/* joint.h - how the two parts of a model, wide and deep, go together: found on rows that neither
 * part was trained on.
 *
 * The wide part is fitted with cross-validation (wide_fit.h). The deep part is trained anew without
 * the rows of a fold, and judges them; for as many folds as the time allows. Of the rows that
 * both have judged the sum is made (mix.h).
 */
#ifndef MODEL_TRAIN_JOINT_H
#define MODEL_TRAIN_JOINT_H

#include "model/train/fit.h"
#include "model/train/rows/mix.h"
#include "model/train/wide/wide_fit.h"

/* Tokens times epochs that the folds of the deep part may take; one fold is trained in any case. */
#define JOINT_WORK 1500000u

struct joint_options {
    struct wide_fit_options wide;
    struct fit_options fit; /* of the deep part */
    bool deep;              /* there is one */
};

/* Called now and then: fold (from 0) of how many, rows done of the fold's epochs in all. Returns
 * whether to go on. */
typedef enum fit_order joint_tick(void *user, unsigned fold, unsigned folds, size_t done,
                                  size_t total);

struct joint {
    struct wide_fit wide;
    struct mix mix; /* of the rows that were judged */
    size_t judged;  /* rows that both parts judged, or the wide part where there is no deep one */
    unsigned folds; /* that the deep part was trained for */
    bool stopped;   /* by the tick; the rest says nothing */
};

/* start: the weights that the deep part begins with, of c; borrowed, as rows, team and all else.
 * Errors: NOMEM, IO, INVAL. ret_joint is done with joint_done, also after an error. */
DIFFUSE_MUST_CHECK diffuse_err joint_fit(const struct net_config *c,
                                         const struct net_weights *start, const struct rows *rows,
                                         const struct tokenizer *tokenizer,
                                         const struct joint_options *o, struct team *team,
                                         joint_tick *tick, void *user, struct joint *ret_joint,
                                         struct reason *why);
void joint_done(struct joint *j); /* fine with a zeroed one */

#endif
