#include "model/data/file_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void file_list_done(struct file_list *l) {
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i].name);
    free(l->items);
    *l = (struct file_list){0};
}

static bool ends_with(const char *name, size_t len, const char *end) {
    size_t n = strlen(end);

    return len > n && memcmp(name + len - n, end, n) == 0;
}

/* Length of the name without .gz; 0 for a file that is not listed. */
static size_t base_length(const char *name) {
    size_t len = strlen(name);

    if (name[0] == '.')
        return 0;
    if (ends_with(name, len, ".gz"))
        len -= strlen(".gz");
    return ends_with(name, len, ".txt") ? len : 0;
}

static uint64_t id_of(const char *name) {
    return *name >= '0' && *name <= '9' ? strtoull(name, NULL, 10) : UINT64_MAX;
}

static diffuse_err add(struct file_list *l, const char *name, size_t len) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        struct file_list_item *items = reallocarray(l->items, cap, sizeof *items);

        if (!items)
            return DIFFUSE_NOMEM;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n].name = strndup(name, len);
    if (!l->items[l->n].name)
        return DIFFUSE_NOMEM;
    l->items[l->n].id = id_of(name);
    l->n++;
    return DIFFUSE_OK;
}

static int by_id_then_name(const void *a, const void *b) {
    const struct file_list_item *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* A file that is there both plain and as gzip is one file. */
static void drop_doubles(struct file_list *l) {
    size_t kept = 0;

    for (size_t i = 0; i < l->n; i++)
        if (kept > 0 && strcmp(l->items[kept - 1].name, l->items[i].name) == 0)
            free(l->items[i].name);
        else
            l->items[kept++] = l->items[i];
    l->n = kept;
}

static diffuse_err add_all(struct file_list *l, DIR *dir) {
    struct dirent *entry;

    while (errno = 0, (entry = readdir(dir))) {
        size_t len = base_length(entry->d_name);
        struct stat st;

        if (len == 0 || fstatat(dirfd(dir), entry->d_name, &st, 0) || !S_ISREG(st.st_mode))
            continue;
        if (add(l, entry->d_name, len))
            return DIFFUSE_NOMEM;
        l->bytes += (uint64_t)st.st_size;
    }
    return errno ? DIFFUSE_IO : DIFFUSE_OK;
}

diffuse_err file_list_read(const char *folder, struct file_list *ret_list, struct reason *why) {
    struct file_list l = {0};
    DIR *dir = opendir(folder);
    diffuse_err e;

    if (!dir)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO, "%s: %s", folder,
                          strerror(errno));
    e = add_all(&l, dir);
    if (e) {
        (void)reason_set(why, e, "%s: %s", folder,
                         e == DIFFUSE_NOMEM ? "out of memory for the files' names"
                                            : strerror(errno));
        (void)closedir(dir);
        file_list_done(&l);
        return e;
    }
    (void)closedir(dir);
    if (l.n > 0)
        qsort(l.items, l.n, sizeof *l.items, by_id_then_name);
    drop_doubles(&l);
    *ret_list = l;
    return DIFFUSE_OK;
}
