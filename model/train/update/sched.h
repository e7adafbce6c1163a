/* sched.h - the learning rate as a function of the step: linear warm-up, then linear or cosine
 * decay. */
#ifndef MODEL_TRAIN_UPDATE_SCHED_H
#define MODEL_TRAIN_UPDATE_SCHED_H

#include <stdint.h>

#include "proto/diffuse_err.h"

enum sched_decay { SCHED_CONSTANT, SCHED_LINEAR, SCHED_COSINE };

/* Factor of the peak rate at step (from 0) of total, the first warmup of which rise. In (0, 1]. */
double sched_factor(enum sched_decay decay, uint64_t step, uint64_t warmup, uint64_t total);

/* "constant" "linear" "cosine"; NOTFOUND for any other name. */
const char *sched_name(enum sched_decay decay);
DIFFUSE_MUST_CHECK diffuse_err sched_parse(const char *name, enum sched_decay *ret_decay);

#endif
