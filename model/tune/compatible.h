/* compatible.h - can a model take over what another has learned from? tune/ only. */
#ifndef MODEL_TUNE_COMPATIBLE_H
#define MODEL_TUNE_COMPATIBLE_H

#include "model/ckpt/model.h"

/* Weights of the same shapes, but for the number of labels, and the same vocabulary. Errors: INVAL,
 * the reason saying what differs. */
DIFFUSE_MUST_CHECK diffuse_err compatible_check(const struct model *a, const struct model *b,
                                                struct reason *why);

#endif
