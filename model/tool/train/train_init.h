/* train_init.h - `diffuse train --init FILE`: vocabulary, architecture and weights of a checkpoint.
 *
 * What the options leave open is taken from the file. An option that contradicts it is refused, but
 * for what belongs to the classifier: pool and head width. */
#ifndef MODEL_TOOL_TRAIN_TRAIN_INIT_H
#define MODEL_TOOL_TRAIN_TRAIN_INIT_H

#include "model/ckpt/model.h"
#include "model/tool/train/train_options.h"
#include "model/train/rows/label_set.h"

struct train_init {
    struct arena arena;  /* of the model */
    struct model *model; /* NULL: no --init */
    char offsets[8 * LIMIT_STEPS];
    bool base; /* it was found, not named: fewer steps and other offsets will do (train_base.h) */
};

/* Read the file of o->init and fill in what o leaves open. Without --init nothing happens. Errors:
 * as ckpt_read; UNSUPPORTED (no vocabulary in it); INVAL, naming the option that contradicts. */
DIFFUSE_MUST_CHECK diffuse_err train_init_open(struct train_init *i, struct train_options *o,
                                               struct reason *why);
void train_init_done(struct train_init *i); /* fine with a zeroed one */

/* From the configuration that the options gave to the file's, with the options' noise, pool, head
 * width and the rows' labels. Errors: INVAL, naming the option that contradicts. */
DIFFUSE_MUST_CHECK diffuse_err train_init_config(const struct train_init *i,
                                                 const struct train_options *o,
                                                 struct net_config *c, struct reason *why);

/* Copy the file's weights into w, but for a classifier of other labels or another shape. Returns
 * whether the classifier was copied too. */
bool train_init_weights(const struct train_init *i, const struct label_set *labels,
                        const struct net_config *c, struct net_weights *w);

#endif
