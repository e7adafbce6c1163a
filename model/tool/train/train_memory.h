/* train_memory.h - how much memory a training run may take, and how much of it its steps get. */
#ifndef MODEL_TOOL_TRAIN_TRAIN_MEMORY_H
#define MODEL_TOOL_TRAIN_TRAIN_MEMORY_H

#include "model/tool/train/train_run.h"

/* Of --memory (or of what machine, control groups and limits leave, at most 80 %): what is left for
 * the steps once all that is there already, the evaluations and the libraries have had their part.
 * 0, which limits nothing, for a run that goes on as it was planned. Call when data and weights are
 * in memory. Fills r->memory_limit. Errors: TOOBIG: nothing is left. */
DIFFUSE_MUST_CHECK diffuse_err train_memory_budget(struct train_run *r, uint64_t *ret_bytes);

/* A line in the log: how a batch goes through. */
void train_memory_say(struct train_run *r, const struct step_plan *plan);

#endif
