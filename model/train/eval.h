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

/* Classify every row. predicted(n) gets the label of each row, when not NULL. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err eval_rows(const struct net_config *c, const struct net_weights *w,
                                         struct team *team, const struct rows *rows,
                                         uint32_t *predicted, struct eval_result *ret_result);

#endif
