#include "daemon/budget/pages.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

struct mapping {
    uintptr_t begin, end;
    bool readable_file; /* of a file, and not writable */
};

static bool read_head(const char *line, struct mapping *m) {
    char access[5];
    int path = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %n", &m->begin, &m->end, access,
               &path) != 3)
        return false;
    m->readable_file = path > 0 && line[path] == '/' && access[0] == 'r' && access[1] == '-';
    return true;
}

void pages_limits(void) {
    mallopt(M_ARENA_MAX, 4); /* the background thread has one, and holds nobody up in it */
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

void pages_drop(void) {
    FILE *f = fopen("/proc/self/smaps", "re");
    struct mapping m = {0};
    char line[512];
    unsigned long copied;
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        /* Pages that were written once (relocations) are copies, and are not to be lost. */
        if (sscanf(line, "Anonymous: %lu", &copied) == 1) {
            if (m.readable_file && copied == 0)
                (void)madvise((void *)m.begin, m.end - m.begin, MADV_DONTNEED);
        } else {
            (void)read_head(line, &m);
        }
    }
    fclose(f);
}

diffuse_err pages_lock(struct reason *why) {
    struct rlimit limit;
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
        return DIFFUSE_OK;
    int code = errno;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        limit.rlim_cur = 0;
    return reason_set(why, DIFFUSE_IO,
                      "lock_memory: %s; RLIMIT_MEMLOCK is %llu bytes and has to cover all "
                      "addresses, touched or not: set it to unlimited (LimitMEMLOCK=infinity of "
                      "the unit), or set lock_memory to no",
                      strerror(code), (unsigned long long)limit.rlim_cur);
}
