#include "daemon/fence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/plan.h"

#define ROOT "/sys/fs/cgroup"

void fence_drop_in(uint64_t budget, uint64_t planned, char *ret_text, size_t cap) {
    char of[32], plan[32], beside[32];
    plan_human(budget, of, sizeof of);
    plan_human(planned, plan, sizeof plan);
    plan_human(FENCE_BESIDE_BYTES, beside, sizeof beside);
    snprintf(ret_text, cap,
             "# memory_budget %s, of which %s are planned now, and %s for the kernel's part\n"
             "[Service]\n"
             "MemoryMax=%" PRIu64 "\n",
             of, plan, beside, budget + FENCE_BESIDE_BYTES);
}

/* The group's path below ROOT, in the unified hierarchy. */
static bool read_group(char *ret_path, size_t cap) {
    char line[512];
    bool found = false;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::/", 4) == 0;
    }
    fclose(f);
    return found && snprintf(ret_path, cap, ROOT "%s", line + 3) < (int)cap;
}

static bool read_limit(const char *group, uint64_t *ret_bytes) {
    char path[640];
    FILE *f = snprintf(path, sizeof path, "%s/memory.max", group) < (int)sizeof path
                  ? fopen(path, "re")
                  : NULL;
    if (!f)
        return false;
    bool is_number = fscanf(f, "%" SCNu64, ret_bytes) == 1;
    fclose(f);
    return is_number;
}

bool fence_limit(uint64_t *ret_bytes) {
    char group[512];
    uint64_t bytes;
    bool found = false;
    if (!read_group(group, sizeof group))
        return false;
    while (strlen(group) > strlen(ROOT)) {
        if (read_limit(group, &bytes)) {
            *ret_bytes = !found || bytes < *ret_bytes ? bytes : *ret_bytes;
            found = true;
        }
        *strrchr(group, '/') = '\0';
    }
    return found;
}
