/* fit.h - training over epochs: feeds the rows to the steps, in a new order each time (permute.h,
 * by seed and epoch), and scores what came out.
 *
 * A run can stop after any step and go on later, in another process, with the same bits: its place
 * and its step's state are plain data. */
#ifndef MODEL_TRAIN_FIT_H
#define MODEL_TRAIN_FIT_H

#include "model/train/eval/eval.h"
#include "model/train/step.h"
#include "model/train/update/sched.h"

struct fit_options {
    struct step_options step;
    enum sched_decay decay;
    double warmup; /* share of all steps in which the rate rises */
    uint32_t epochs;
    uint32_t batch;  /* rows a step */
    uint64_t memory; /* bytes that steps may take; 0: any */
    size_t pieces;   /* tokens of a piece, of a run that goes on; 0: as many as memory holds */
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
    uint64_t tokens;                /* that were learned from */
    double loss_scale;              /* at the end (scaler.h) */
    uint64_t skipped;               /* updates, for a gradient that was not finite */
    struct eval_result valid, test; /* rows 0 where there are none */
};

/* How far a run has come. Sums are over the steps of the running epoch. */
struct fit_place {
    uint32_t epoch; /* epochs done */
    uint64_t rows;  /* of the running one, done */
    uint64_t steps, hits, tokens;
    double loss, norm; /* norm: of the updates that were not skipped */
    uint64_t skipped;
};

struct fit; /* a training run */

enum fit_order { FIT_GO_ON, FIT_STOP };

/* Called after each step: rows done and in all of this epoch, mean loss so far. */
typedef enum fit_order fit_tick(void *user, size_t done, size_t total, double loss);

/* c, w, team and the data are borrowed. Errors: NOMEM; TOOBIG (memory); CORRUPT (pieces). */
DIFFUSE_MUST_CHECK diffuse_err fit_new(const struct net_config *c, struct net_weights *w,
                                       const struct fit_options *o, const struct fit_data *data,
                                       struct team *team, struct fit **ret_fit, struct reason *why);
void fit_free(struct fit *f); /* fine with NULL */

/* The next epoch, or the rest of the one that was stopped. *ret_done false: tick stopped it, and
 * *ret_epoch is untouched. Errors: NOMEM; IO when rows cannot be read; INVAL when training has
 * diverged: the loss is no longer finite, or far above what knowing nothing gives, or no gradient
 * is finite at any scale. After an error w is spoilt. */
DIFFUSE_MUST_CHECK diffuse_err fit_run_epoch(struct fit *f, fit_tick *tick, void *user,
                                             struct fit_epoch *ret_epoch, bool *ret_done,
                                             struct reason *why);

const struct step_plan *fit_plan(const struct fit *f);

/* For keeping and bringing back a run between two calls of fit_run_epoch: borrowed, writable. */
struct fit_place *fit_place(struct fit *f);
struct step_state fit_step_state(struct fit *f);

#endif
