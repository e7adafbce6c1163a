#include "model/tune/journal/roots.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void roots_dir(const char *state_dir, const char *root_id, char ret_dir[LINEAGE_PATH_BYTES]) {
    (void)snprintf(ret_dir, LINEAGE_PATH_BYTES, "%.400s/%.*s", state_dir, ROOTS_DIGITS, root_id);
}

static bool is_root(const char *name) {
    return strlen(name) == ROOTS_DIGITS && strspn(name, "0123456789abcdef") == ROOTS_DIGITS;
}

static bool is_ours(const char *name) {
    return strncmp(name, "tuned-", 6) == 0 || strncmp(name, ".tuned-", 7) == 0 ||
           strncmp(name, "feedback.journal", 16) == 0 ||
           strncmp(name, ".feedback.journal", 17) == 0;
}

static bool older(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The folder of another root that was changed first; false: there is none. *ret_n: how many there
 * are. */
static bool oldest(DIR *d, const char *keep, char ret_name[ROOTS_DIGITS + 1], size_t *ret_n) {
    struct timespec first = {0};
    struct dirent *entry;
    struct stat st;

    *ret_n = 0;
    rewinddir(d);
    while ((entry = readdir(d))) {
        if (!is_root(entry->d_name) || strncmp(entry->d_name, keep, ROOTS_DIGITS) == 0 ||
            fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
            continue;
        if ((*ret_n)++ == 0 || older(&st.st_mtim, &first)) {
            first = st.st_mtim;
            memcpy(ret_name, entry->d_name, ROOTS_DIGITS + 1);
        }
    }
    return *ret_n > 0;
}

/* True when the folder is gone. */
static bool remove_root(int state, const char *name) {
    int fd = openat(state, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!d) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    while ((entry = readdir(d)))
        if (is_ours(entry->d_name))
            (void)unlinkat(fd, entry->d_name, 0);
    (void)closedir(d);
    return unlinkat(state, name, AT_REMOVEDIR) == 0;
}

size_t roots_prune(const char *state_dir, const char *root_id, size_t most) {
    char name[ROOTS_DIGITS + 1] = "";
    DIR *d = opendir(state_dir);
    size_t n, gone = 0;

    if (!d)
        return 0;
    while (oldest(d, root_id, name, &n) && n > most && remove_root(dirfd(d), name))
        gone++;
    (void)closedir(d);
    return gone;
}
