/* sweep_child.h - one run of a sweep as a child process. */
#ifndef MODEL_TOOL_SWEEP_SWEEP_CHILD_H
#define MODEL_TOOL_SWEEP_SWEEP_CHILD_H

#include <signal.h>

#include "model/tool/sweep/sweep_plan.h"

/* Start r: r->pid and r->began are set. mask: the signals that it has blocked. It is interrupted
 * when this process dies. Errors: IO, NOMEM; then nothing was started. */
DIFFUSE_MUST_CHECK diffuse_err sweep_child_start(const struct sweep_plan *p, struct sweep_run *r,
                                                 const sigset_t *mask, struct reason *why);

/* Has it ended? Then r's state, result, seconds and reason are set; stopping: it was told to. */
bool sweep_child_ended(const struct sweep_plan *p, struct sweep_run *r, bool stopping);

/* How far it is, from 0 to 1: epochs that it recorded. */
double sweep_child_share(const struct sweep_plan *p, struct sweep_run *r);

/* The last line of n bytes of a log that says something, without "diffuse: ". */
void sweep_child_last_line(const char *log, size_t n, char *ret_line, size_t size);

#endif
