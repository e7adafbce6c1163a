/* eval.h - what a model makes of labelled rows, without noise or dropout. */
#ifndef MODEL_TRAIN_EVAL_H
#define MODEL_TRAIN_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "model/net/net.h"
#include "model/train/rows.h"
#include "model/train/team.h"

struct eval_result {
    size_t rows, hits;
    double loss; /* mean cross-entropy */
};

/* Called for each row, in order, from the calling thread: the label it has, and the one it got. */
typedef void eval_tick(void *user, uint32_t label, uint32_t predicted);

/* Classify every row. tick may be NULL. Memory does not grow with the rows. Errors: NOMEM; IO (why
 * says of what file). */
DIFFUSE_MUST_CHECK diffuse_err eval_rows(const struct net_config *c, const struct net_weights *w,
                                         struct team *team, const struct rows *rows,
                                         eval_tick *tick, void *user,
                                         struct eval_result *ret_result, struct reason *why);

#endif
