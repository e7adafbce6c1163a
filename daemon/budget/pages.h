/* pages.h - pages of program and libraries that only starting took: given back, and locked.
 *
 * The dynamic linker and the libraries' own beginnings touch most of some twenty libraries, of
 * which serving needs little. Pages that are the file's own can be dropped at any time: who needs
 * one finds it again in the page cache. Threads: main; all but pages_drop
 * before any other is started.
 */
#ifndef DAEMON_BUDGET_PAGES_H
#define DAEMON_BUDGET_PAGES_H

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* Memory goes back to the system at once instead of staying in pools, and descriptors are many: one
 * too few ends the process inside ZeroMQ. Before anything is allocated. */
void pages_limits(void);

/* Drop the pages of files that are mapped for reading and were never written. Does nothing where
 * the system does not say which these are. */
void pages_drop(void);

/* Keep in memory what is touched from now on and what is there now; addresses that nobody touches
 * cost nothing. Errors: IO, the reason naming the limit to raise. */
DIFFUSE_MUST_CHECK diffuse_err pages_lock(struct reason *why);

#endif
