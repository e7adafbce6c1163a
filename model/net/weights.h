/* weights.h - the model's tensors: one block of memory, and the list of what lies where in it.
 *
 * The list is made from params.def for a configuration; checkpoints, optimiser, initialiser and
 * gradient check all walk it. Weights are immutable once a model serves.
 */
#ifndef MODEL_NET_WEIGHTS_H
#define MODEL_NET_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/base/real.h"
#include "model/base/rng.h"
#include "model/net/config.h"
#include "model/net/table.h"

#define WEIGHTS_NAME_BYTES  48u
#define WEIGHTS_TENSORS_MAX (25u + 9u * LIMIT_STEPS)

enum weights_init_kind {
    WEIGHTS_INIT_TABLE,
    WEIGHTS_INIT_LINEAR,
    WEIGHTS_INIT_ONE,
    WEIGHTS_INIT_ZERO
};

/* What a tensor is for, from the inside out: training may leave the inner parts as they are. */
enum weights_part {
    WEIGHTS_PART_TABLE, /* looked up by row */
    WEIGHTS_PART_BODY,  /* matrices and biases of the steps */
    WEIGHTS_PART_NORM,  /* LayerNorms */
    WEIGHTS_PART_HEAD   /* the classifier */
};

/* One tensor. A vector has cols 0 and rows entries; a matrix is rows x cols, row-major. */
struct weights_tensor {
    char name[WEIGHTS_NAME_BYTES];
    uint32_t rows, cols;
    size_t count;  /* entries */
    size_t offset; /* entries from the start of the block */
    enum weights_init_kind init;
    enum weights_part part;
    bool table;    /* looked up by row: gradients are sparse */
    bool decays;   /* weight decay applies */
    bool per_step; /* belongs to struct weights_step of step (of all steps, when shared) */
    uint32_t step;
    size_t member; /* byte offset of its pointer in struct net_weights or struct weights_step */
};

struct weights_list {
    size_t n;
    size_t table_entries; /* the tables come first: entries [0, table_entries) */
    size_t entries;       /* of the whole block */
    struct weights_tensor tensor[WEIGHTS_TENSORS_MAX];
};

/* The tensors of one step (or of all, when shared). Shapes: params.def. */
struct weights_step {
    real *proj_left, *proj_right, *proj_self; /* (3*width, width) in one piece, from proj_left */
    real *norm_gain, *norm_bias;
    real *mlp_in, *mlp_in_bias, *mlp_out, *mlp_out_bias;
};

/* Two kinds. Those that learn have one block of reals, and their tables lie in it. Those that only
 * serve have tables of any type; block, embed and ngram are NULL. What only looks rows up reads
 * embed_table and ngram_table, which both kinds have. */
struct net_weights {
    const struct wide *wide;               /* borrowed; NULL: there is no wide part */
    real *block;                           /* everything, in the list's order */
    real *body;                            /* what follows the tables in the list, in its order */
    real *embed;                           /* (vocab, width) */
    real *ngram;                           /* (ngram_rows, width), or NULL */
    struct table embed_table, ngram_table; /* the same, for looking up */
    struct weights_step step[LIMIT_STEPS]; /* shared: all entries are equal */
    real *bracket_self, *bracket_enclosing, *bracket_member; /* (width, width); with brackets */
    real *bracket_gain, *bracket_bias;
    real *bracket_in, *bracket_in_bias, *bracket_out, *bracket_out_bias;
    real *final_gain, *final_bias; /* norm pre, else NULL */
    real *head_in, *head_in_bias, *head_out, *head_out_bias;
};

/* The tensors of a checked configuration, in memory order. */
void weights_list_make(const struct net_config *c, struct weights_list *ret_list);

/* Arena bytes of weights_new. */
size_t weights_bytes(const struct net_config *c);

/* A zeroed block for c in the arena, and pointers into it. NOMEM: arena full. */
DIFFUSE_MUST_CHECK diffuse_err weights_new(struct arena *arena, const struct net_config *c,
                                           struct net_weights **ret_weights);

/* Arena bytes of weights_new_serving. */
size_t weights_serving_bytes(const struct net_config *c, enum table_type embed,
                             enum table_type ngram);

/* Zeroed weights that only serve: tables of these types (scales are behind the rows), the
 * rest reals. NOMEM: arena full. */
DIFFUSE_MUST_CHECK diffuse_err weights_new_serving(struct arena *arena, const struct net_config *c,
                                                   enum table_type embed, enum table_type ngram,
                                                   struct net_weights **ret_weights);

/* y(width) = row of the tables of w, which may only serve; those of the n-grams follow the others.
 */
void weights_table_row(const struct net_weights *w, size_t row, real *y);

/* Tensor t of w, which may only serve, in reals: y(t->count). */
void weights_widen_tensor(const struct net_weights *w, const struct weights_list *l,
                          const struct weights_tensor *t, real *y);

/* Point w into a block of the list's entries; for gradients, without_tables leaves embed, ngram and
 * the tables NULL and block is entries - table_entries long. */
void weights_point(struct net_weights *w, const struct net_config *c, real *block,
                   bool without_tables);

/* Random start: tables N(0, table_std^2), matrices N(0, 1/cols), gains 1, biases 0. */
void weights_init(struct net_weights *w, const struct net_config *c, double table_std,
                  struct rng *rng);

/* The last layers of the steps' updates, times scale. With 0 a model of T steps begins as one of
 * none, whatever T is, and a step can only earn its place; at the unit scale of other matrices an
 * update is far larger than an embedding, and after a few steps the state is noise. */
void weights_scale_updates(struct net_weights *w, const struct net_config *c, double scale);

/* The same as weights_init of one tensor. */
void weights_init_tensor(struct net_weights *w, const struct weights_tensor *t, double table_std,
                         struct rng *rng);

#endif
