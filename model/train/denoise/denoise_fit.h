/* denoise_fit.h - learning to denoise over passes: shuffles the rows, feeds the steps, scores.
 *
 * As in fit.h, a run can stop after any step and go on in another process, with the same bits. */
#ifndef MODEL_TRAIN_DENOISE_DENOISE_FIT_H
#define MODEL_TRAIN_DENOISE_DENOISE_FIT_H

#include "model/train/denoise/denoise_step.h"
#include "model/train/update/sched.h"

struct denoise_fit_options {
    struct denoise_step_options step;
    enum sched_decay decay;
    double warmup; /* share of all steps in which the rate rises */
    uint32_t passes;
    uint32_t batch; /* rows a step */
};

struct denoise_pass {
    uint32_t pass;              /* from 1 */
    double train_loss;          /* mean over the picked tokens, against drawn candidates */
    uint64_t tokens;            /* that went in */
    double cosine;              /* mean over the rows, to another encoder's vectors; 0: none */
    double grad_norm;           /* mean, before clipping */
    struct denoise_result held; /* against the whole vocabulary; rows 0 where none are held out */
};

/* How far a run has come. Sums are over the steps of the running pass. */
struct denoise_place {
    uint32_t pass; /* passes done */
    uint64_t rows; /* of the running one, done */
    uint64_t steps, picked, tokens;
    double loss, norm, cosine;
    double shown; /* mean loss of the last steps; where only vectors are told, 1 less the cosine */
};

/* Called after each step: rows done and in all of this pass, mean loss of the last steps, tokens of
 * this pass so far. Returns whether to go on. */
typedef bool denoise_tick(void *user, size_t done, size_t total, double loss, uint64_t tokens);

struct denoise_fit; /* a run */

/* c, w, team and the rows are borrowed; held may be NULL. count as in denoise_step.h. Errors:
 * NOMEM.
 */
DIFFUSE_MUST_CHECK diffuse_err denoise_fit_new(const struct net_config *c, struct net_weights *w,
                                               const struct denoise_fit_options *o,
                                               const struct rows *train, const struct rows *held,
                                               const uint64_t *count, struct team *team,
                                               struct denoise_fit **ret_fit);
void denoise_fit_free(struct denoise_fit *f); /* fine with NULL */

/* The next pass, or the rest of the one that was stopped. *ret_done false: tick stopped it, and
 * *ret_pass is untouched. Errors: IO; INVAL when the loss is no longer finite: w is then spoilt. */
DIFFUSE_MUST_CHECK diffuse_err denoise_fit_run(struct denoise_fit *f, denoise_tick *tick,
                                               void *user, struct denoise_pass *ret_pass,
                                               bool *ret_done, struct reason *why);

/* For keeping and bringing back a run between two calls of denoise_fit_run: borrowed, writable. */
struct denoise_place *denoise_fit_place(struct denoise_fit *f);
struct denoise_step_state denoise_fit_state(struct denoise_fit *f);

#endif
