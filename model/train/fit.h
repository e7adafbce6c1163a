/* fit.h - training over epochs: feeds the rows to the steps, in a new order each time (permute.h,
 * by seed and epoch), and scores what came out. */
#ifndef MODEL_TRAIN_FIT_H
#define MODEL_TRAIN_FIT_H

#include "model/train/eval.h"
#include "model/train/sched.h"
#include "model/train/step.h"

struct fit_options {
    struct step_options step;
    enum sched_decay decay;
    double warmup; /* share of all steps in which the rate rises */
    uint32_t epochs;
    uint32_t batch; /* rows a step */
    size_t max_length;
};

struct fit_data {
    const struct rows *train, *valid, *test; /* valid and test may be NULL; all borrowed */
};

struct fit_epoch {
    uint32_t epoch;    /* from 1 */
    double train_loss; /* with noise and dropout, over the epoch */
    double train_accuracy;
    double grad_norm;               /* mean, before clipping */
    double rate;                    /* factor of the peak learning rate at the end */
    struct eval_result valid, test; /* rows 0 where there are none */
};

struct fit; /* a training run */

/* Called after each step: rows done and in all of this epoch, mean loss so far. */
typedef void fit_tick(void *user, size_t done, size_t total, double loss);

/* c, w, team and the rows are borrowed. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err fit_new(const struct net_config *c, struct net_weights *w,
                                       const struct fit_options *o, const struct fit_data *data,
                                       struct team *team, struct fit **ret_fit);
void fit_free(struct fit *f); /* fine with NULL */

/* The next epoch. Errors: NOMEM; IO when rows cannot be read; INVAL when the loss is no longer
 * finite. After an error w is spoilt. */
DIFFUSE_MUST_CHECK diffuse_err fit_run_epoch(struct fit *f, fit_tick *tick, void *user,
                                             struct fit_epoch *ret_epoch, struct reason *why);

#endif
