/* step.h - one training step: forward, loss, backward, clip, update, on a team of threads.
 *
 * A batch goes through in pieces that fit the memory (one, where there is room), whose gradients
 * add up; a piece is split between the members by tokens, and each member's part into chunks that
 * stay in cache. Same seed, same team size, same plan: same bits.
 */
#ifndef MODEL_TRAIN_STEP_H
#define MODEL_TRAIN_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/net/net.h"
#include "model/train/rows/rows.h"
#include "model/train/update/scaler.h"
#include "model/train/update/team.h"

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
    enum store_type
        kept; /* how activations and their gradients lie until the way back needs them */
    enum weights_part from; /* what is trained, and towards what it is pulled: update.h */
    double anchor_pull;
    const struct net_weights *anchor;
    size_t anchored;
};

/* How a batch is put through, and what that takes. */
struct step_plan {
    size_t piece_tokens, piece_seqs; /* of a piece at most */
    size_t bytes;                    /* of step_new */
    bool accumulates;                /* a batch may take several pieces */
};

struct step_result {
    double loss;   /* mean cross-entropy of the batch, with noise and dropout */
    size_t hits;   /* rows whose largest logit was the true label */
    size_t tokens; /* that went through */
    double norm;   /* of the gradient, before clipping */
    bool skipped;  /* the gradient was not finite, and nothing was learned; norm and loss may not be
                      either (kept in 16 bits only) */
};

struct step; /* gradients, moments, scratch */

/* The largest pieces, up to a batch of max_rows rows of max_length tokens, for which step_new takes
 * no more than budget bytes; budget 0: any. Errors: TOOBIG, the reason saying what is needed. */
DIFFUSE_MUST_CHECK diffuse_err step_plan_make(const struct net_config *c,
                                              const struct step_options *o, unsigned members,
                                              size_t max_rows, size_t max_length, uint64_t budget,
                                              struct step_plan *ret_plan, struct reason *why);

/* Pieces of piece_tokens, as in the plan of the same run before: what else the process takes varies
 * a little, so a sixteenth more than budget will do. Errors: TOOBIG; CORRUPT, when no plan of this
 * run can have such pieces. */
DIFFUSE_MUST_CHECK diffuse_err step_plan_repeat(const struct net_config *c,
                                                const struct step_options *o, unsigned members,
                                                size_t max_rows, size_t max_length, uint64_t budget,
                                                size_t piece_tokens, struct step_plan *ret_plan,
                                                struct reason *why);

/* One piece of max_rows rows and so many tokens, which need not hold all of them at max_length. */
void step_plan_piece(const struct net_config *c, const struct step_options *o, unsigned members,
                     size_t max_rows, size_t max_length, size_t tokens, struct step_plan *ret_plan);

/* c, w and team are borrowed. NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err step_new(const struct net_config *c, struct net_weights *w,
                                        const struct step_options *o, struct team *team,
                                        size_t max_length, const struct step_plan *plan,
                                        struct step **ret_step);
void step_free(struct step *s); /* fine with NULL */

/* Learn from rows pick[0..n); rate scales the peak learning rates (sched.h). Errors: IO, when a row
 * cannot be read: nothing is learned. */
DIFFUSE_MUST_CHECK diffuse_err step_run(struct step *s, const struct rows *rows, const size_t *pick,
                                        size_t n, double rate, struct step_result *ret_result,
                                        struct reason *why);

/* As step_new made it: no moments, no updates; drawing by another seed, pulled to other weights. */
void step_restart(struct step *s, uint64_t seed, const struct net_weights *anchor, size_t anchored,
                  double anchor_pull);

/* step_run from rows that lie in memory, with the plan of one piece, which they fit. */
struct step_row {
    const uint32_t *ids; /* (length) 1 to max_length */
    uint32_t length, label;
};
void step_run_rows(struct step *s, const struct step_row *row, size_t n, double rate,
                   struct step_result *ret_result);

/* What must survive for training to go on with the same bits: borrowed, n numbers each, and the
 * count of updates, which also decides what is drawn, and the loss's scale. */
struct step_state {
    real *m, *v; /* moments */
    size_t n;
    uint64_t *count;
    struct scaler *scaler;
};
struct step_state step_state(struct step *s);

#endif
