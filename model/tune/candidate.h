/* candidate.h - the model that learns: a copy of the one that serves, and what trains it.
 *
 * A life is a number of planned steps, with a learning rate that rises briefly and then falls to
 * nothing. At its end the tables are rounded to the parent's types, in which they will be written:
 * so what is judged is what will serve. Memory is reserved by candidate_init; only a change of the
 * number of labels exchanges the trainer, for one that is no larger than what was planned. Threads:
 * one at a time.
 */
#ifndef MODEL_TUNE_CANDIDATE_H
#define MODEL_TUNE_CANDIDATE_H

#include "model/ckpt/ckpt.h"
#include "model/ckpt/model.h"
#include "model/train/step.h"
#include "model/train/update/team.h"
#include "model/tune/reservoir.h"

struct candidate_options {
    struct step_options step; /* anchor and seed are set here */
    uint32_t batch;           /* rows of a step; fewer when they are long */
    uint32_t max_length;
    double replay; /* share of the rows that is rehearsal */
    uint64_t seed;
};

struct candidate {
    struct candidate_options o;
    struct net_config c; /* labels: as many as there are now */
    uint32_t max_labels;
    real *block; /* (entries with max_labels) */
    struct net_weights w;
    struct wide *wide; /* room for that of max_labels; NULL: there is none, or no label is added */
    struct team *team;
    struct step *step;
    struct step_row *row; /* (batch) */
    uint32_t *ids;        /* (tokens of a step) */
    struct rng rng;
    uint64_t births;
    size_t anchored;         /* entries of the body that lie where they lie in the parent's */
    uint64_t steps, planned; /* of this life */
    struct ckpt_types types; /* that the parent's tables are in */
    bool learned;            /* a life is over or under way, and was not given up */
};

/* Bytes of candidate_init for models of shape c and up to max_labels: in the arena, and beside it.
 */
size_t candidate_bytes(const struct net_config *c, const struct candidate_options *o,
                       uint32_t max_labels);
size_t candidate_bytes_beside(const struct net_config *c, const struct candidate_options *o,
                              uint32_t max_labels);
DIFFUSE_MUST_CHECK diffuse_err candidate_init(struct candidate *k, struct arena *arena,
                                              const struct net_config *c,
                                              const struct candidate_options *o,
                                              uint32_t max_labels);
void candidate_done(struct candidate *k); /* fine with a zeroed one */

/* A new life of that many steps. It begins from the parent unless the last one was not given up
 * and had as many labels. The parent is pulled towards, and borrowed. labels: at least the
 * parent's; rows of the head beyond those start so that they do not fire. Errors: NOMEM: there is
 * no candidate. */
DIFFUSE_MUST_CHECK diffuse_err candidate_begin(struct candidate *k, const struct model *parent,
                                               uint32_t labels, uint64_t planned, double pull);
void candidate_end(struct candidate *k); /* it is given up */

/* It has learned, and waits for more: fit to be judged. */
bool candidate_rests(const struct candidate *k);

/* One step on rows drawn from both, which hold one row at least. False: none was planned any more.
 */
bool candidate_step(struct candidate *k, const struct reservoir *feedback,
                    const struct reservoir *rehearsal);

#endif
