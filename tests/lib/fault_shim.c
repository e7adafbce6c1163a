/* fault_shim.c - kills a process at a chosen one of its writes to a folder, or fills the disk under
 * it. A library to preload:
 *
 *   LD_PRELOAD=build/tests/fault_shim.so FAULT_DIR=... FAULT_AT=... FAULT_HOW=... program
 *
 *   FAULT_DIR   files below this folder, and the folder itself, are watched; others are left alone
 *   FAULT_AT    the number of the call, from 1, at which SIGKILL comes; unset or 0: never
 *   FAULT_HOW   before (default): the call is not made
 *               after:  it is made, and its caller never learns of it
 *               short:  a write is made with half of its bytes; other calls are not made
 *   FAULT_LOG   a file, not below FAULT_DIR: every call watched is appended to it as a line
 *               "NUMBER NAME PATH" before it is made; so a run with FAULT_AT unset says how many
 *               there are
 *
 *   FAULT_FULL  a file of one byte, not below FAULT_DIR: while that is '1', writes to files there
 *               fail with ENOSPC
 *
 * Watched are write, pwrite, writev, fsync, fdatasync, ftruncate, rename, renameat, renameat2,
 * unlink, unlinkat, under all the names that glibc gives them. Calls of all threads are counted
 * together, those of a forked child from where its parent was. What stdio writes is not seen: glibc
 * does not let that be replaced. Under AddressSanitizer: ASAN_OPTIONS=verify_asan_link_order=0.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

enum how { BEFORE, AFTER, SHORT };

static char dir[PATH_MAX];
static size_t dir_len; /* 0: nothing is watched */
static unsigned long at;
static enum how how;
static int log_fd = -1;
static const _Atomic char *full; /* of FAULT_FULL; NULL: there is none */
static atomic_ulong calls;

static void map_full(const char *path) {
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);

    if (page != MAP_FAILED)
        full = page;
    if (fd >= 0)
        (void)close(fd);
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULT_DIR"), *number = getenv("FAULT_AT");
    const char *manner = getenv("FAULT_HOW"), *log = getenv("FAULT_LOG");

    if (!folder || !realpath(folder, dir))
        return;
    at = number ? strtoul(number, NULL, 10) : 0;
    how = manner && strcmp(manner, "after") == 0   ? AFTER
          : manner && strcmp(manner, "short") == 0 ? SHORT
                                                   : BEFORE;
    if (log)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                              0600);
    map_full(getenv("FAULT_FULL"));
    dir_len = strlen(dir);
}

static bool below(const char *path) {
    return strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == 0);
}

/* What a descriptor is open on; "" when that has no name. */
static void path_of_fd(int fd, char ret[PATH_MAX]) {
    char link[64];
    long n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlinkat, AT_FDCWD, link, ret, PATH_MAX - 1);
    ret[n > 0 ? n : 0] = 0;
}

static void path_at(int folder, const char *path, char ret[PATH_MAX]) {
    size_t len;

    if (path[0] == '/') {
        (void)snprintf(ret, PATH_MAX, "%s", path);
        return;
    }
    if (folder != AT_FDCWD)
        path_of_fd(folder, ret);
    else if (syscall(SYS_getcwd, ret, PATH_MAX) <= 0)
        ret[0] = 0;
    len = strlen(ret);
    (void)snprintf(ret + len, PATH_MAX - len, "/%s", path);
}

static void die(void) {
    (void)syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

/* A call on path begins: is it the one? Comes back unless it must not be made. */
static bool is_it(const char *name, const char *path) {
    char line[PATH_MAX + 64];
    unsigned long number;
    bool chosen;

    if (!dir_len || !below(path))
        return false;
    number = atomic_fetch_add(&calls, 1) + 1;
    chosen = number == at;
    if (log_fd >= 0) {
        int n = snprintf(line, sizeof line, "%lu %s %s\n", number, name, path);

        (void)syscall(SYS_write, log_fd, line, n);
    }
    if (chosen && how == BEFORE)
        die();
    return chosen;
}

static bool is_it_fd(const char *name, int fd) {
    char path[PATH_MAX];

    if (!dir_len)
        return false;
    path_of_fd(fd, path);
    return is_it(name, path);
}

static bool is_it_at(const char *name, int folder, const char *given) {
    char path[PATH_MAX];

    if (!dir_len)
        return false;
    path_at(folder, given, path);
    return is_it(name, path);
}

/* Does this write find no room? Then errno says so. */
static bool no_room(int fd) {
    char path[PATH_MAX];

    if (!dir_len || !full || *full != '1')
        return false;
    path_of_fd(fd, path);
    if (!below(path))
        return false;
    errno = ENOSPC;
    return true;
}

/* The end of a call that is not a write: what was chosen dies, before or after it. */
#define CALL(chosen, ...)                                                                          \
    do {                                                                                           \
        bool it_is = chosen;                                                                       \
        long result;                                                                               \
        if (it_is && how == SHORT)                                                                 \
            die();                                                                                 \
        result = syscall(__VA_ARGS__);                                                             \
        if (it_is)                                                                                 \
            die();                                                                                 \
        return (int)result;                                                                        \
    } while (0)

/* --- the calls ----------------------------------------------------------- */

SEEN ssize_t write(int fd, const void *bytes, size_t n) {
    if (no_room(fd))
        return -1;
    bool it_is = is_it_fd("write", fd);
    ssize_t done = syscall(SYS_write, fd, bytes, it_is && how == SHORT ? n / 2 : n);

    if (it_is)
        die();
    return done;
}

SEEN ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset) {
    if (no_room(fd))
        return -1;
    bool it_is = is_it_fd("pwrite", fd);
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, it_is && how == SHORT ? n / 2 : n, offset);

    if (it_is)
        die();
    return done;
}

SEEN ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t offset) {
    return pwrite(fd, bytes, n, offset);
}

SEEN ssize_t writev(int fd, const struct iovec *piece, int n) {
    if (no_room(fd))
        return -1;
    bool it_is = is_it_fd("writev", fd);
    ssize_t done = syscall(SYS_writev, fd, piece, it_is && how == SHORT ? n / 2 : n);

    if (it_is)
        die();
    return done;
}

SEEN int fsync(int fd) {
    CALL(is_it_fd("fsync", fd), SYS_fsync, fd);
}

SEEN int fdatasync(int fd) {
    CALL(is_it_fd("fdatasync", fd), SYS_fdatasync, fd);
}

SEEN int ftruncate(int fd, off_t size) {
    CALL(is_it_fd("ftruncate", fd), SYS_ftruncate, fd, size);
}

SEEN int ftruncate64(int fd, off_t size) {
    CALL(is_it_fd("ftruncate", fd), SYS_ftruncate, fd, size);
}

SEEN int rename(const char *from, const char *to) {
    CALL(is_it_at("rename", AT_FDCWD, from), SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

SEEN int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    CALL(is_it_at("rename", from_dir, from), SYS_renameat2, from_dir, from, to_dir, to, 0);
}

SEEN int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    CALL(is_it_at("rename", from_dir, from), SYS_renameat2, from_dir, from, to_dir, to, flags);
}

SEEN int unlink(const char *path) {
    CALL(is_it_at("unlink", AT_FDCWD, path), SYS_unlinkat, AT_FDCWD, path, 0);
}

SEEN int unlinkat(int folder, const char *path, int flags) {
    CALL(is_it_at("unlink", folder, path), SYS_unlinkat, folder, path, flags);
}
