#include "daemon/common/procmem.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t procmem_resident(void) {
    unsigned long long size, resident;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return procmem_peak();
    int n = fscanf(f, "%llu %llu", &size, &resident);
    fclose(f);
    return n == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t procmem_peak(void) {
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    struct rusage usage;
    if (!f) /* without /proc the kernel's account of the process says so, too */
        return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
    while (fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %llu", &kib) != 1)
        continue;
    fclose(f);
    return kib * 1024;
}
