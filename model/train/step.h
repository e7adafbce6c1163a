/* step.h - one training step: forward, loss, backward, clip, update, on a team of threads.
 *
 * A batch is split between the members by tokens, and each member's part into chunks that stay in
 * cache, so memory does not grow with the batch. Same seed, same team size: same bits.
 */
#ifndef MODEL_TRAIN_STEP_H
#define MODEL_TRAIN_STEP_H

#include <stddef.h>
#include <stdint.h>

#include "model/net/net.h"
#include "model/train/rows.h"
#include "model/train/team.h"

struct step_options {
    double lr;            /* peak learning rate of matrices and vectors */
    double table_lr;      /* peak learning rate of the tables */
    double weight_decay;  /* of matrices */
    double table_decay;   /* of table rows, when they are looked up */
    double clip;          /* largest gradient norm; 0: none */
    double dropout;       /* after each gelu */
    double embed_dropout; /* of embedding channels */
    double word_dropout;  /* share of tokens left out of a row, anew each time */
    double label_smoothing;
    uint64_t seed;
};

struct step_result {
    double loss; /* mean cross-entropy of the batch, with noise and dropout */
    size_t hits; /* rows whose largest logit was the true label */
    double norm; /* of the gradient, before clipping */
};

struct step; /* gradients, moments, scratch */

/* For batches of up to max_rows rows of up to max_length tokens. w and team are borrowed. NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err step_new(const struct net_config *c, struct net_weights *w,
                                        const struct step_options *o, struct team *team,
                                        size_t max_rows, size_t max_length, struct step **ret_step);
void step_free(struct step *s); /* fine with NULL */

/* Learn from rows pick[0..n); rate scales the peak learning rates (sched.h). Errors: IO, when a row
 * cannot be read: nothing is learned. */
DIFFUSE_MUST_CHECK diffuse_err step_run(struct step *s, const struct rows *rows, const size_t *pick,
                                        size_t n, double rate, struct step_result *ret_result,
                                        struct reason *why);

size_t step_bytes(const struct step *s); /* what step_new took, for the log */

#endif
