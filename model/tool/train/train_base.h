/* train_base.h - the pre-trained checkpoint that `diffuse train` starts from when it is told none.
 */
#ifndef MODEL_TOOL_TRAIN_TRAIN_BASE_H
#define MODEL_TOOL_TRAIN_TRAIN_BASE_H

#include "model/tool/train/train_run.h"

#define TRAIN_BASE_ROWS 20000u /* rows from which on it brings nothing */

/* Do the options leave open what the model is to look like? The steps and their offsets do not
 * count. */
bool train_base_left_open(const struct train_run *r);

/* Opens the base as if --init named it, where the options leave that open. --base FILE must be
 * there; of auto, what the environment variable DIFFUSE_BASE names, or base-en.safetensors of the
 * installed package or of the source tree, or nothing. Errors: as train_init_open. */
DIFFUSE_MUST_CHECK diffuse_err train_base_open(struct train_run *r);

/* Are the rows, read with the base's vocabulary, few enough, and of its language? Says so in the
 * record if not. */
DIFFUSE_MUST_CHECK diffuse_err train_base_suits(struct train_run *r, const struct rows *rows,
                                                bool *ret_suits);

/* As if it had not been opened: the options are as they were, the rows have to be read again. */
void train_base_close(struct train_run *r);

#endif
