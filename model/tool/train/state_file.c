#include "model/tool/train/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define STATE      "resume.safetensors"
#define SUMMARY    "summary.json"

static const char *path_of(const char *dir, const char *name, char ret_path[PATH_BYTES]) {
    (void)snprintf(ret_path, PATH_BYTES, "%s/%s", dir, name);
    return ret_path;
}

diffuse_err state_file_write(const char *dir, json_t *all_p, const struct resume_part *part,
                             size_t n, struct reason *why) {
    char path[PATH_BYTES],
        *text = json_dumps(all_p, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    diffuse_err e =
        text ? resume_write(path_of(dir, STATE, path), text, part, n, why) : DIFFUSE_NOMEM;

    free(text);
    json_decref(all_p);
    return e;
}

diffuse_err state_file_read(const char *dir, json_t **ret_all, struct reason *why) {
    char path[PATH_BYTES], *text = NULL;
    diffuse_err e = resume_peek(path_of(dir, STATE, path), &text, why);

    if (e)
        return e;
    *ret_all = json_loads(text, 0, NULL);
    free(text);
    return *ret_all
               ? DIFFUSE_OK
               : reason_set(why, DIFFUSE_CORRUPT, "%s: what it says of the run is not JSON", path);
}

diffuse_err state_file_compare(const char *dir, json_t *ours_p, const json_t *saved,
                               struct reason *why) {
    json_t *value;
    json_t *options = json_object_get(saved, "parameters"), *ours;
    const char *key, *differs = NULL;
    diffuse_err e = DIFFUSE_OK;

    ours = json_object_get(ours_p, "parameters");
    json_object_foreach(ours, key, value) {
        if (!differs && !json_equal(value, json_object_get(options, key)))
            differs = key;
    }
    json_object_foreach(options, key, value) { /* of another version: an option that has gone */
        if (!differs && !json_object_get(ours, key))
            differs = key;
    }
    json_object_foreach(ours_p, key, value) {
        if (!differs && strcmp(key, "parameters") != 0 &&
            !json_equal(value, json_object_get(saved, key)))
            differs = key;
    }
    if (differs)
        e = reason_set(why, DIFFUSE_INVAL,
                       "%s/" STATE
                       ": it is the state of another run: %.40s differs; give the options and "
                       "data of that run, or another --out",
                       dir, differs);
    json_decref(ours_p);
    return e;
}

diffuse_err state_file_numbers(const char *dir, const struct resume_part *part, size_t n,
                               struct reason *why) {
    char path[PATH_BYTES];

    return resume_read(path_of(dir, STATE, path), part, n, why);
}

void state_file_forget(const char *dir) {
    char path[PATH_BYTES];

    (void)unlink(path_of(dir, STATE, path));
}

diffuse_err state_file_lock(const char *dir, int *ret_fd, struct reason *why) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return reason_set(why, DIFFUSE_IO, "%s: the folder cannot be opened: %s", dir,
                          strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) &&
        errno == EWOULDBLOCK) { /* some file systems have no locks */
        (void)close(fd);
        return reason_set(why, DIFFUSE_BUSY,
                          "%s: another run writes there; wait for it, or give another --out", dir);
    }
    *ret_fd = fd;
    return DIFFUSE_OK;
}

/* The summary above all, or --resume would take the new run for finished. */
void state_file_begin(const char *dir) {
    static const char *const of_a_run[] = {STATE,
                                           SUMMARY,
                                           "per_class.csv",
                                           "confusion.csv",
                                           "report.svg",
                                           "last.safetensors",
                                           "best.safetensors"};
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof of_a_run / sizeof of_a_run[0]; i++)
        (void)unlink(path_of(dir, of_a_run[i], path));
}

bool state_file_finished(const char *dir) {
    char path[PATH_BYTES];

    return access(path_of(dir, SUMMARY, path), F_OK) == 0;
}

uint64_t state_file_whole(const json_t *o, const char *key) {
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

double state_file_number(const json_t *o, const char *key) {
    return json_number_value(json_object_get(o, key));
}
