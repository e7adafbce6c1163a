#include "model/data/split_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* In the order they are looked for. */
static const char *const names[][3] = {[DATASET_TRAIN] = {"train"},
                                       [DATASET_TEST] = {"test"},
                                       [DATASET_VALID] = {"val", "valid"},
                                       [DATASET_UNLABELLED] = {"unlabelled"}};

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

diffuse_err split_path_need_folder(const char *path, const char *holds, struct reason *why) {
    struct stat st;

    if (stat(path, &st))
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO,
                          "%s: %s; expected the data set's folder, with %s", path, strerror(errno),
                          holds);
    if (!S_ISDIR(st.st_mode))
        return reason_set(why, DIFFUSE_IO, "%s: not a folder; expected the one that holds %s", path,
                          holds);
    return DIFFUSE_OK;
}

diffuse_err split_path_join(const char *folder, const char *name, char **ret_path,
                            struct reason *why) {
    size_t len = strlen(folder);
    char *path;
    diffuse_err e = split_path_need_folder(folder, name, why);

    if (e)
        return e;
    if (asprintf(&path, "%s%s%s", folder, len > 0 && folder[len - 1] == '/' ? "" : "/", name) < 0)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", folder);
    *ret_path = path;
    return DIFFUSE_OK;
}

/* A pipe in a folder would be waited for, and could not be read again. */
static diffuse_err check_regular(const char *path, struct reason *why) {
    struct stat st;

    if (stat(path, &st) || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_IO, "%s: a pipe or device; expected a file", path);
}

diffuse_err split_path_find(const char *path, enum dataset_split split, const char *prefix,
                            const char *extension, char **ret_file, struct reason *why) {
    const char *const *name = names[split];
    char base[64], *file = NULL;
    diffuse_err e;

    if (!split_path_is_folder(path)) {
        *ret_file = strdup(path);
        return *ret_file ? DIFFUSE_OK : reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    }
    for (unsigned i = 0; name[i]; i++) {
        snprintf(base, sizeof base, "%s%s%s", prefix, name[i], extension);
        if ((e = split_path_join(path, base, &file, why)))
            return e;
        if (split_path_exists(file)) {
            *ret_file = file;
            return check_regular(file, why);
        }
        free(file);
    }
    return reason_set(why, DIFFUSE_NOTFOUND, "%s/%s%s%s: no such file, nor with .gz%s%s%s%s", path,
                      prefix, name[0], extension, name[1] ? "; nor " : "", name[1] ? prefix : "",
                      name[1] ? name[1] : "", name[1] ? extension : "");
}
