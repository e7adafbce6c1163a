/* eval.h - what a model makes of labelled rows, without noise or dropout. */
#ifndef MODEL_TRAIN_EVAL_EVAL_H
#define MODEL_TRAIN_EVAL_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "model/engine/engine.h"
#include "model/net/net.h"
#include "model/train/eval/quality.h"
#include "model/train/rows/rows.h"
#include "model/train/update/team.h"

struct eval_result {
    size_t rows, hits;
    double loss; /* mean cross-entropy */
};

/* Called for each row, in order, from the calling thread: the label it has, and the one it got. */
typedef void eval_tick(void *user, uint32_t label, uint32_t predicted);

/* What a caller sees of an evaluation while it runs, from its own thread, and how it is to compute;
 * each may be NULL. */
struct eval_watch {
    eval_tick *tick;
    void (*progress)(void *user, size_t done, size_t total); /* rows, about */
    void *user;
    const struct engine_kind *kind; /* NULL: the best kernel here, in float */
};

/* Classify every row. watch may be NULL. Memory does not grow with the rows. Errors: NOMEM; IO (why
 * says of what file). */
DIFFUSE_MUST_CHECK diffuse_err eval_rows(const struct net_config *c, const struct net_weights *w,
                                         struct team *team, const struct rows *rows,
                                         const struct eval_watch *watch,
                                         struct eval_result *ret_result, struct reason *why);

/* Called by a member of the team for each row of its share: the row's number, its logits(labels)
 * and its label. An error ends the evaluation. */
typedef diffuse_err eval_row(void *user, unsigned member, size_t row, const real *logits,
                             uint32_t label);

/* Logits of every row, to row. Errors: as eval_rows, those of row. */
DIFFUSE_MUST_CHECK diffuse_err eval_each(const struct net_config *c, const struct net_weights *w,
                                         struct team *team, const struct rows *rows, eval_row *row,
                                         void *user, struct reason *why);

/* The same as eval_rows, counted into metrics, which the caller has made with quality_init for
 * c->labels and the temperature in question. The same bits for the same size of team. watch may be
 * NULL. Errors: as eval_rows; metrics is then to be done with. */
DIFFUSE_MUST_CHECK diffuse_err eval_judge(const struct net_config *c, const struct net_weights *w,
                                          struct team *team, const struct rows *rows,
                                          const struct eval_watch *watch, struct quality *metrics,
                                          struct reason *why);

#endif
