/* malloc_shim.c - counts who allocates. A library to preload:
 *
 *   LD_PRELOAD=build/tests/malloc_shim.so MALLOC_COUNTS=FILE program
 *
 * FILE becomes THREADS x OWNERS numbers of 64 bits that grow as the program runs: calls of malloc,
 * calloc, realloc and the aligned ones, by the thread that makes them and by the code that calls.
 * What a library allocates for its caller counts as the library's. Not for use with a sanitizer,
 * which has allocators of its own.
 */
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SEEN   __attribute__((visibility("default")))
#define CALLER ((uintptr_t)__builtin_return_address(0))

enum thread { MAIN, WORKER, ANOTHER, THREADS };
enum owner { PROGRAM, ZEROMQ, SYSTEMD, REST, OWNERS }; /* ZEROMQ: and the C++ library below it */

/* Code of a library. */
struct range {
    uintptr_t from, to;
    enum owner owner;
};

static struct range ranges[64];
static unsigned n_ranges;
static atomic_uint_least64_t (*counts)[OWNERS]; /* (THREADS); NULL: not asked for */

/* glibc's own, under names that are not replaced. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t each);
extern void *__libc_realloc(void *old, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static enum owner owner_of(const char *path) {
    if (!*path)
        return PROGRAM;
    if (strstr(path, "/libzmq.") || strstr(path, "/libstdc++."))
        return ZEROMQ;
    return strstr(path, "/libsystemd.") ? SYSTEMD : REST;
}

static int add_library(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size;
    (void)user;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) ||
            n_ranges == sizeof ranges / sizeof *ranges)
            continue;
        ranges[n_ranges].from = info->dlpi_addr + p->p_vaddr;
        ranges[n_ranges].to = ranges[n_ranges].from + p->p_memsz;
        ranges[n_ranges++].owner = owner_of(info->dlpi_name);
    }
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MALLOC_COUNTS");
    size_t bytes = THREADS * sizeof *counts;
    void *map;
    int fd;

    if (!path || (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return;
    (void)dl_iterate_phdr(add_library, NULL);
    map = ftruncate(fd, (off_t)bytes) == 0
              ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
              : MAP_FAILED;
    (void)close(fd);
    if (map != MAP_FAILED)
        counts = map;
}

static enum thread this_thread(void) {
    char name[16] = "";

    if (getpid() == gettid())
        return MAIN;
    (void)prctl(PR_GET_NAME, name);
    return strcmp(name, "worker") == 0 ? WORKER : ANOTHER;
}

static void count(uintptr_t caller) {
    enum owner owner = REST;

    if (!counts)
        return;
    for (unsigned i = 0; i < n_ranges; i++)
        if (caller >= ranges[i].from && caller < ranges[i].to)
            owner = ranges[i].owner;
    atomic_fetch_add_explicit(&counts[this_thread()][owner], 1, memory_order_relaxed);
}

SEEN void *malloc(size_t n) {
    count(CALLER);
    return __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t each) {
    count(CALLER);
    return __libc_calloc(n, each);
}

SEEN void *realloc(void *old, size_t n) {
    count(CALLER);
    return __libc_realloc(old, n);
}

SEEN void *memalign(size_t align, size_t n) {
    count(CALLER);
    return __libc_memalign(align, n);
}

SEEN void *aligned_alloc(size_t align, size_t n) {
    count(CALLER);
    return __libc_memalign(align, n);
}

SEEN int posix_memalign(void **ret, size_t align, size_t n) {
    void *got;

    count(CALLER);
    got = __libc_memalign(align, n);
    if (!got)
        return 12; /* ENOMEM */
    *ret = got;
    return 0;
}
