/* clock_shim.c - a wall clock that a test sets. A library to preload:
 *
 *   LD_PRELOAD=build/tests/clock_shim.so CLOCK_FILE=... program
 *
 *   CLOCK_FILE  a file of 8 bytes, an int64 in the machine's order: nanoseconds that are added to
 * what CLOCK_REALTIME says, at each call anew; so that writing the file sets the clock
 *
 * Only clock_gettime(CLOCK_REALTIME), which is where the daemon reads the wall clock. Under
 * AddressSanitizer: ASAN_OPTIONS=verify_asan_link_order=0.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000

static _Atomic int64_t *offset;
static int (*real)(clockid_t id, struct timespec *t);

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);

    if (page != MAP_FAILED)
        offset = page;
    if (fd >= 0)
        (void)close(fd);
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *t) {
    if (!real) /* before the constructor */
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, t);

    if (!failed && offset && id == CLOCK_REALTIME) {
        int64_t ns = (int64_t)t->tv_sec * SECOND + t->tv_nsec + atomic_load(offset);
        t->tv_sec = ns / SECOND;
        t->tv_nsec = ns % SECOND;
    }
    return failed;
}
