#include "model/base/cgroup.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_BYTES 1024

/* A hierarchy: where it is mounted below the root, and its files. */
struct hierarchy {
    const char *mount, *controller; /* controller: of v1, in /proc/self/cgroup; "": v2 */
    const char *limit, *used;       /* of memory; NULL: this hierarchy is not about it */
    const char *cache, *cpus, *period;
};

static const struct hierarchy hierarchies[] = {
    {"", "", "memory.max", "memory.current", "inactive_file", "cpu.max", NULL},
    {"/unified", "", "memory.max", "memory.current", "inactive_file", "cpu.max", NULL},
    {"/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
     NULL, NULL},
    {"/cpu,cpuacct", "cpu", NULL, NULL, NULL, "cpu.cfs_quota_us", "cpu.cfs_period_us"},
    {"/cpu", "cpu", NULL, NULL, NULL, "cpu.cfs_quota_us", "cpu.cfs_period_us"},
};

static FILE *open_in(const char *dir, const char *name) {
    char path[PATH_BYTES + 64];

    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path ? fopen(path, "re")
                                                                              : NULL;
}

/* The number in a file; false: there is none, as in "max". */
static bool read_number(const char *dir, const char *name, uint64_t *ret_value) {
    FILE *f = open_in(dir, name);
    bool found = f && fscanf(f, "%" SCNu64, ret_value) == 1;

    if (f)
        fclose(f);
    return found;
}

/* Bytes of files that nobody uses just now: the kernel gives them up before it kills. */
static uint64_t read_cache(const char *dir, const char *key) {
    char name[64];
    uint64_t value, cache = 0;
    FILE *f = open_in(dir, "memory.stat");

    while (f && fscanf(f, "%63s %" SCNu64, name, &value) == 2)
        if (strcmp(name, key) == 0)
            cache = value;
    if (f)
        fclose(f);
    return cache;
}

static void take_memory(const struct hierarchy *h, const char *dir, struct cgroup_limits *limits) {
    uint64_t limit, used = 0, cache, left;

    if (!read_number(dir, h->limit, &limit) || limit >= UINT64_MAX / 4) /* v1 says "none" so */
        return;
    (void)read_number(dir, h->used, &used);
    cache = read_cache(dir, h->cache);
    used -= cache < used ? cache : used;
    left = used < limit ? limit - used : 0;
    if (limit < limits->memory)
        limits->memory = limit;
    if (left < limits->free)
        limits->free = left;
}

static void take_cpus(const struct hierarchy *h, const char *dir, struct cgroup_limits *limits) {
    double quota = 0, period = 0;
    uint64_t us;
    FILE *f;

    if (h->period) {
        quota = read_number(dir, h->cpus, &us) ? (double)us : 0; /* "-1" reads as a huge one */
        period = read_number(dir, h->period, &us) ? (double)us : 0;
    } else if ((f = open_in(dir, h->cpus))) {
        if (fscanf(f, "%lf %lf", &quota, &period) != 2) /* "max 100000" */
            period = 0;
        fclose(f);
    }
    if (quota > 0 && quota < 1e15 && period > 0 &&
        (limits->cpus == 0 || quota / period < limits->cpus))
        limits->cpus = quota / period;
}

/* The path of our group in a hierarchy, as a line "N:controllers:PATH" of self says. */
static bool find_group(const char *self, const char *controller, char ret_path[PATH_BYTES]) {
    char line[PATH_BYTES];
    bool found = false;
    FILE *f = fopen(self, "re");

    while (f && !found && fgets(line, sizeof line, f)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

        if (!path)
            continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        for (char *rest = NULL, *name = *++names ? strtok_r(names, ",", &rest) : names;
             name && !found; name = *name ? strtok_r(NULL, ",", &rest) : NULL)
            found = strcmp(name, controller) == 0;
        if (found)
            memmove(ret_path, path, strlen(path) + 1);
    }
    if (f)
        fclose(f);
    return found;
}

/* The group, those around it, and the root: in a container that is the group that limits it. */
static void take_groups(const struct hierarchy *h, const char *root, const char *group,
                        struct cgroup_limits *limits) {
    char dir[PATH_BYTES];
    size_t top = strlen(root) + strlen(h->mount);

    if (snprintf(dir, sizeof dir, "%s%s%s", root, h->mount, group) >= (int)sizeof dir)
        dir[top] = 0;
    for (;;) {
        char *slash;

        if (h->limit)
            take_memory(h, dir, limits);
        if (h->cpus)
            take_cpus(h, dir, limits);
        slash = strrchr(dir, '/');
        if (strlen(dir) <= top || !slash)
            return;
        *(slash >= dir + top ? slash : dir + top) = 0;
    }
}

void cgroup_read(const char *self, const char *root, struct cgroup_limits *ret_limits) {
    char group[PATH_BYTES];

    *ret_limits = (struct cgroup_limits){.memory = CGROUP_NO_LIMIT, .free = CGROUP_NO_LIMIT};
    for (size_t i = 0; i < sizeof hierarchies / sizeof hierarchies[0]; i++)
        if (find_group(self, hierarchies[i].controller, group))
            take_groups(&hierarchies[i], root, group, ret_limits);
}

/* What the machine could hand out without swapping. */
static uint64_t machine_available(void) {
    uint64_t kib = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

/* Address space that the limit leaves. */
static uint64_t address_space_left(void) {
    uint64_t pages = 0, used;
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY ||
        !read_number("/proc/self", "statm", &pages))
        return CGROUP_NO_LIMIT;
    used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return used < limit.rlim_cur ? limit.rlim_cur - used : 0;
}

uint64_t cgroup_memory_left(void) {
    uint64_t left = machine_available(), space = address_space_left();
    struct cgroup_limits limits;

    cgroup_read(CGROUP_SELF, CGROUP_ROOT, &limits);
    left = limits.free < left ? limits.free : left;
    return space < left ? space : left;
}

unsigned cgroup_cores(void) {
    struct cgroup_limits limits;
    unsigned n = 1, quota;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (unsigned)CPU_COUNT(&set);
    cgroup_read(CGROUP_SELF, CGROUP_ROOT, &limits);
    if (limits.cpus > 0 && limits.cpus < n) {
        quota = (unsigned)limits.cpus;
        n = quota < limits.cpus ? quota + 1 : quota;
    }
    return n < 1 ? 1 : n;
}
