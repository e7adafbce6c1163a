/* cgroup_limit.h - the limit that the service manager puts around the process's memory, beside the
 * plan.
 *
 * The plan bounds what the process touches. Beside it a control group is charged for what the
 * kernel keeps for it: page tables, socket buffers, pages of files that nobody else has read, and
 * the tool that a reload runs. Threads: main.
 */
#ifndef DAEMON_BUDGET_CGROUP_LIMIT_H
#define DAEMON_BUDGET_CGROUP_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_LIMIT_BESIDE_BYTES (32u << 20) /* between memory_budget and MemoryMax= */

/* Write a drop-in for the unit, with the MemoryMax= that this budget takes. Cut at cap. */
void cgroup_limit_drop_in(uint64_t budget, uint64_t planned, char *ret_text, size_t cap);

/* The lowest limit of the control groups around us. False: there is none, or it cannot be read. */
bool cgroup_limit_limit(uint64_t *ret_bytes);

#endif
