/* cgroup.h - what the control groups around this process, its limits and the machine leave it of
 * memory and processors. Linux, cgroup v1 and v2. Threads: any. */
#ifndef MODEL_BASE_CGROUP_H
#define MODEL_BASE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_SELF "/proc/self/cgroup"
#define CGROUP_ROOT "/sys/fs/cgroup"

#define CGROUP_NO_LIMIT UINT64_MAX

struct cgroup_limits {
    uint64_t memory; /* bytes: the lowest limit of the groups around us, or CGROUP_NO_LIMIT */
    uint64_t free;   /* bytes that the group with the least room has left, likewise */
    double cpus;     /* processors' worth of time, the lowest quota; 0: no quota */
};

/* self: a file such as /proc/self/cgroup; root: where the hierarchies are mounted. What cannot be
 * read limits nothing. */
void cgroup_read(const char *self, const char *root, struct cgroup_limits *ret_limits);

/* Bytes that this process may still take without swapping: the least of what the machine has
 * available, its groups leave, and its limit of address space (ulimit -v). */
uint64_t cgroup_memory_left(void);

/* Threads that can run at once: the processors that this process may run on, or the groups' quota
 * rounded up, whichever is less. At least 1. */
unsigned cgroup_cores(void);

#endif
