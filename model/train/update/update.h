/* update.h - what every training objective shares: gradients of a team, clipping, AdamW.
 *
 * Each member of the team adds to its own gradients of the matrices and vectors, grad[member]. The
 * tables' gradient is sparse: `vector` holds gradients of single rows, and `lookups` says which row
 * each is of. When the batch comes in several pieces (gradient accumulation), update_collect on all
 * members takes up each piece's vectors. Then update_reduce on all members, update_prepare on one,
 * update_apply on all. The sums are taken in one order, so that the same team size gives the same
 * bits.
 */
#ifndef MODEL_TRAIN_UPDATE_UPDATE_H
#define MODEL_TRAIN_UPDATE_UPDATE_H

#include <stdbool.h>

#include "model/train/update/adamw.h"
#include "model/train/update/lookups.h"
#include "model/train/update/team.h"

struct update_options {
    double lr;              /* peak learning rate of matrices and vectors */
    double table_lr;        /* peak learning rate of the tables */
    double weight_decay;    /* of matrices */
    double table_decay;     /* of table rows, when they are looked up */
    double clip;            /* largest gradient norm; 0: none */
    enum store_type kept;   /* how gradients of single rows lie; all else is float */
    enum weights_part from; /* inner parts rest: 0, of all, trains everything */
    double anchor_pull;     /* decay towards the anchor instead of zero (L2-SP, Li et al., 2018) */
    const struct net_weights *anchor; /* weights of another model, which may only serve: */
    size_t anchored;                  /* the tables, and so many first entries of the body */
};

struct update {
    struct update_options o;
    struct net_weights *w; /* borrowed */
    struct weights_list list;
    struct arena arena;
    struct lookups lookups;
    size_t dense;           /* entries of the matrices and vectors */
    real **grad;            /* (team) of (dense) each */
    struct net_weights *to; /* (team) the same as tensors, the tables left out */
    struct store vector;    /* (max vectors, C); at is NULL where the tables rest */
    real *table;            /* (table entries) sum over the pieces so far; NULL: one piece only */
    uint8_t *touched;       /* (rows of the tables) looked up by a piece so far */
    size_t rests;           /* entries [0, rests), the tables, are not trained: no moments */
    real *m, *v;            /* (entries - rests) moments */
    uint64_t count;         /* updates so far */
    struct adamw for_dense, for_tables;
    real loss_scale; /* that the gradients are multiplied by; 1 unless the owner says otherwise */
    real scale;      /* what takes it away again, and clips */
};

/* For pieces with up to max_vectors row gradients, each of order rows; accumulates: a batch may
 * have several. w is borrowed. Errors: NOMEM leaves nothing behind. */
DIFFUSE_MUST_CHECK diffuse_err update_init(struct update *u, const struct net_config *c,
                                           struct net_weights *w, const struct update_options *o,
                                           const struct team *team, size_t max_vectors,
                                           bool accumulates);
void update_done(struct update *u); /* fine with a zeroed one */

/* What update_init takes: bytes whatever the piece, and bytes a vector. */
size_t update_bytes(const struct net_config *c, const struct update_options *o, unsigned members,
                    bool accumulates);
size_t update_bytes_each(const struct net_config *c, const struct update_options *o);

/* Take up the vectors of a piece: member's share of the rows. */
void update_collect(struct update *u, const struct team *team, unsigned member);

/* Member's share: sums all gradients into grad[0], and vectors into rows (unless collected).
 * Returns the sum of squares of its share. */
double update_reduce(struct update *u, const struct team *team, unsigned member);

/* The next update, at rate times the peak learning rates, of a gradient of that norm, loss_scale
 * taken away. */
void update_prepare(struct update *u, double rate, double norm);
void update_apply(struct update *u, const struct team *team, unsigned member); /* its share */

/* Instead of both: forget the gradient. The moments and the count stay as they are. */
void update_skip(struct update *u);

#endif
