/* sweep_pool.h - the runs of a sweep, so many at a time. */
#ifndef MODEL_TOOL_SWEEP_SWEEP_POOL_H
#define MODEL_TOOL_SWEEP_SWEEP_POOL_H

#include "model/tool/sweep/sweep_plan.h"

/* What is called after each run, to save what there is. */
typedef diffuse_err sweep_pool_ended(const struct sweep_plan *p, struct reason *why);

/* Run all that wait, seed by seed, and fill in how each went. SIGINT and SIGTERM are passed on as
 * SIGINT, the children waited for, and *ret_stopped set; a second one kills them. Both stay
 * blocked, so that what is written at the end is whole. Errors: IO
 * (signals cannot be caught), or those of ended, after the children were stopped. Threads: this
 * process must have no others. */
DIFFUSE_MUST_CHECK diffuse_err sweep_pool_run(struct sweep_plan *p, bool quiet,
                                              sweep_pool_ended *ended, bool *ret_stopped,
                                              struct reason *why);

#endif
