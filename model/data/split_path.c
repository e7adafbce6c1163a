/* split_path.c - see split_path.h. */
#include "model/data/split_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool split_path_is_folder(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool split_path_exists(const char *path) {
    struct stat st;
    char *packed;
    bool found = stat(path, &st) == 0;

    if (found || asprintf(&packed, "%s.gz", path) < 0)
        return found;
    found = stat(packed, &st) == 0;
    free(packed);
    return found;
}

diffuse_err split_path_join(const char *folder, const char *name, char **ret_path,
                            struct reason *why) {
    struct stat st;
    size_t len = strlen(folder);
    char *path;

    if (stat(folder, &st))
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO,
                          "%s: %s; expected the data set's folder", folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return reason_set(why, DIFFUSE_IO, "%s: not a folder; expected the one that holds %s",
                          folder, name);
    if (asprintf(&path, "%s%s%s", folder, len > 0 && folder[len - 1] == '/' ? "" : "/", name) < 0)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", folder);
    *ret_path = path;
    return DIFFUSE_OK;
}
