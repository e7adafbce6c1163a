/* guard.h - what the process may still ask of the kernel once it serves: a seccomp filter.
 *
 * Starting needs much that serving never does again: threads, listening sockets, programs in
 * memory. So the last thing that the start does is to leave a list of system calls, for all
 * threads, and for good. What is on no list fails with EPERM, which every caller takes as it takes
 * any failure; what only an intruder would try (another program, a debugger, mounts, modules) ends
 * the process. Where the kernel keeps an audit log, both are in it (type 1326). Threads: main, when
 * all others are there.
 */
#ifndef DAEMON_BUDGET_GUARD_H
#define DAEMON_BUDGET_GUARD_H

#include <stdbool.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* No program that this process should ever run can have more rights than it has itself. Always. */
void guard_privileges(void);

/* False in builds with a sanitizer, whose own work the filter would stop. */
bool guard_offered(void);

/* From now on. network: sockets of the internet may still be made, as connections to publishers
 * that were lost need. Errors: IO, the kernel refuses. */
DIFFUSE_MUST_CHECK diffuse_err guard_close(bool network, struct reason *why);

#endif
