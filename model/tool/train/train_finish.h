/* train_finish.h - what a training run leaves when it is done: calibration, scores, tables,
 * picture, summary. */
#ifndef MODEL_TOOL_TRAIN_TRAIN_FINISH_H
#define MODEL_TOOL_TRAIN_TRAIN_FINISH_H

#include "model/tool/train/train_run.h"

/* Fit the temperature on the validation rows, write the best and the last checkpoint, and
 * per_class.csv, confusion.csv, report.svg, summary.json. Errors: as those files' writers. */
DIFFUSE_MUST_CHECK diffuse_err train_finish(struct train_run *r);

#endif
