#include "model/ckpt/file/atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS 40 /* that lead from one to the next, as many as the system follows */

static void done(struct atomic_file *f) {
    if (f->fd >= 0)
        (void)close(f->fd);
    free(f->path);
    free(f->temp);
    *f = (struct atomic_file){.fd = -1};
}

/* Bytes of the folder's part of a path, with its slash. */
static size_t folder_len(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Where the link path points, from its folder on unless it says a whole path; path is freed. NULL:
 * no memory. */
static char *follow(char *path) {
    char *target = malloc(PATH_MAX), *joined = NULL;
    ssize_t len = target ? readlink(path, target, PATH_MAX) : -1;

    if (len > 0 && len < PATH_MAX) {
        target[len] = 0;
        if (asprintf(&joined, "%.*s%s", target[0] == '/' ? 0 : (int)folder_len(path), path,
                     target) < 0)
            joined = NULL;
    }
    free(target);
    free(path);
    return joined;
}

/* The file that path stands for, which need not be there. */
static diffuse_err find_file(const char *path, char **ret_file, struct reason *why) {
    char *file = strdup(path);
    struct stat last;

    *ret_file = file;
    if (stat(path, &last) == 0 && !S_ISREG(last.st_mode))
        return reason_set(why, DIFFUSE_IO, "is there and is no regular file");
    for (unsigned i = 0; file; i++) {
        struct stat st;

        *ret_file = file;
        if (lstat(file, &st))
            return DIFFUSE_OK; /* what is wrong with it, creating one beside it says */
        if (!S_ISLNK(st.st_mode))
            return DIFFUSE_OK;
        if (i == LINKS)
            return reason_set(why, DIFFUSE_IO, "%s", strerror(ELOOP));
        file = follow(file);
    }
    *ret_file = NULL;
    return reason_set(why, DIFFUSE_NOMEM, "out of memory");
}

diffuse_err atomic_file_open(struct atomic_file *f, const char *path, struct reason *why) {
    size_t folder;
    diffuse_err e;

    *f = (struct atomic_file){.fd = -1};
    if ((e = find_file(path, &f->path, why))) {
        done(f);
        return e;
    }
    folder = folder_len(f->path);
    if (asprintf(&f->temp, "%.*s.%s.tmp.%ld", (int)folder, f->path, f->path + folder,
                 (long)getpid()) < 0) {
        f->temp = NULL;
        done(f);
        return reason_set(why, DIFFUSE_NOMEM, "out of memory");
    }
    (void)unlink(f->temp); /* left by a process of our number that was killed */
    f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        int error = errno;

        done(f);
        return reason_set(why, DIFFUSE_IO, "cannot create a file beside it: %s", strerror(error));
    }
    return DIFFUSE_OK;
}

diffuse_err atomic_file_write(struct atomic_file *f, const void *bytes, size_t n,
                              struct reason *why) {
    const uint8_t *p = bytes;

    while (n) {
        ssize_t put = write(f->fd, p, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return reason_set(why, DIFFUSE_IO, "cannot write: %s", strerror(errno));
        p += put;
        n -= (size_t)put;
    }
    return DIFFUSE_OK;
}

/* File systems that cannot flush a folder say EINVAL. */
int atomic_file_flush_folder(const char *path) {
    size_t len = folder_len(path);
    char *folder = len ? strndup(path, len) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int failed = fd < 0 || (fsync(fd) && errno != EINVAL);
    int error = errno;

    if (fd >= 0)
        (void)close(fd);
    free(folder);
    errno = error;
    return failed;
}

diffuse_err atomic_file_commit(struct atomic_file *f, struct reason *why) {
    diffuse_err e = DIFFUSE_OK;
    int fd = f->fd;

    if (fsync(fd))
        goto fail;
    f->fd = -1;
    if (close(fd) || rename(f->temp, f->path))
        goto fail;
    if (atomic_file_flush_folder(f->path))
        e = reason_set(why, DIFFUSE_IO, "written, but its folder cannot be flushed: %s",
                       strerror(errno));
    done(f);
    return e;
fail:
    e = reason_set(why, DIFFUSE_IO, "cannot finish: %s", strerror(errno));
    atomic_file_abort(f);
    return e;
}

void atomic_file_abort(struct atomic_file *f) {
    if (f->temp)
        (void)unlink(f->temp);
    done(f);
}

static int is_left_over(const char *name, const char *prefix) {
    const char *tmp = strstr(name, ".tmp."), *number = tmp ? tmp + strlen(".tmp.") : "";

    return name[0] == '.' && strncmp(name + 1, prefix, strlen(prefix)) == 0 && *number &&
           number[strspn(number, "0123456789")] == 0;
}

size_t atomic_file_sweep(const char *folder, const char *prefix) {
    DIR *d = opendir(folder);
    struct dirent *entry;
    size_t n = 0;

    while (d && (entry = readdir(d)))
        if (is_left_over(entry->d_name, prefix) && unlinkat(dirfd(d), entry->d_name, 0) == 0)
            n++;
    if (d)
        (void)closedir(d);
    return n;
}
