/* train_data.h - what a training run reads: label names, vocabulary, rows. */
#ifndef MODEL_TOOL_TRAIN_TRAIN_DATA_H
#define MODEL_TOOL_TRAIN_TRAIN_DATA_H

#include "model/tool/train/train_run.h"

/* Labels, tokenizer and rows, as the options say. Errors: as load.h; BADDATA (too few rows, or of
 * one label only); the reason in r->why. */
DIFFUSE_MUST_CHECK diffuse_err train_data_read(struct train_run *r);

#endif
