#include "daemon/budget/cgroup_limit.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/budget/plan.h"
#include "model/base/cgroup.h"

void cgroup_limit_drop_in(uint64_t budget, uint64_t planned, char *ret_text, size_t cap) {
    char of[32], plan[32], beside[32];
    plan_human(budget, of, sizeof of);
    plan_human(planned, plan, sizeof plan);
    plan_human(CGROUP_LIMIT_BESIDE_BYTES, beside, sizeof beside);
    snprintf(ret_text, cap,
             "# memory_budget %s, of which %s are planned now, and %s for the kernel's part\n"
             "[Service]\n"
             "MemoryMax=%" PRIu64 "\n",
             of, plan, beside, budget + CGROUP_LIMIT_BESIDE_BYTES);
}

bool cgroup_limit_limit(uint64_t *ret_bytes) {
    struct cgroup_limits limits;
    cgroup_read(CGROUP_SELF, CGROUP_ROOT, &limits);
    *ret_bytes = limits.memory;
    return limits.memory != CGROUP_NO_LIMIT;
}
