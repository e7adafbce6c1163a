/* denoise_step.h - one step of learning to denoise (denoise.h), on a team of threads.
 *
 * A batch is split as in step.h. Same seed, same team size: same bits.
 */
#ifndef MODEL_TRAIN_DENOISE_DENOISE_STEP_H
#define MODEL_TRAIN_DENOISE_DENOISE_STEP_H

#include "model/train/denoise/denoise.h"
#include "model/train/denoise/teach.h"
#include "model/train/rows/rows.h"
#include "model/train/update/update.h"

struct denoise_step_options {
    struct update_options update;
    struct denoise_options task;
    double dropout;       /* after each gelu */
    double embed_dropout; /* of embedding channels */
    double contrast;      /* weight of telling halves apart (contrast.h) beside it; 0: none */
    double contrast_temperature;
    const struct teach_vectors *vectors; /* of another encoder, a row each (teach.h); NULL: none */
    double teach;                        /* weight of telling them beside it */
    uint64_t seed;
};

struct denoise_result {
    double loss;         /* mean cross-entropy of the picked tokens */
    size_t hits;         /* of denoise_step_score: told right, out of the whole vocabulary */
    size_t picked;       /* tokens that were to be told */
    double cosine;       /* mean, of what was told and another encoder's vectors */
    size_t tokens, rows; /* that went in */
    double norm;         /* of the gradient, before clipping */
};

struct denoise_step; /* objective, gradients, moments, scratch */

/* For batches of up to max_rows rows of up to max_length tokens. count(vocab): how often each piece
 * occurs. w and team are borrowed. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err denoise_step_new(const struct net_config *c, struct net_weights *w,
                                                const struct denoise_step_options *o,
                                                const uint64_t *count, struct team *team,
                                                size_t max_rows, size_t max_length,
                                                struct denoise_step **ret_step);
void denoise_step_free(struct denoise_step *s); /* fine with NULL */

/* Learn from rows pick[0..n); rate scales the peak learning rates (sched.h). Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err denoise_step_run(struct denoise_step *s, const struct rows *rows,
                                                const size_t *pick, size_t n, double rate,
                                                struct denoise_result *ret_result,
                                                struct reason *why);

/* How well all rows are told, without noise; the same tokens are picked every time. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err denoise_step_score(struct denoise_step *s, const struct rows *rows,
                                                  struct denoise_result *ret_result,
                                                  struct reason *why);

/* What must survive for learning to go on with the same bits: borrowed. */
struct denoise_step_state {
    real *m, *v; /* (n) moments of the weights */
    size_t n;
    real *own, *own_m, *own_v; /* (n_own) the objective's parameters, and their moments */
    size_t n_own;
    uint64_t *count; /* of updates, which also decides what is drawn */
};
struct denoise_step_state denoise_step_state(struct denoise_step *s);

#endif
