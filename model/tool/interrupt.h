/* interrupt.h - SIGINT and SIGTERM, looked at between two steps of a run that can go on later. */
#ifndef MODEL_TOOL_INTERRUPT_H
#define MODEL_TOOL_INTERRUPT_H

#include <stdbool.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* From here on both only make *ret_fd readable, which the caller closes. Before any thread is
 * started, so that they all have the signals blocked. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err interrupt_catch(int *ret_fd, struct reason *why);

bool interrupt_came(int fd); /* did one? */

#endif
