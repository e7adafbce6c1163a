/* lineage.c - see lineage.h. The names in the folder are all there is to know. */
#include "model/tune/journal/lineage.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/ckpt/file/atomic_file.h"

#define PREFIX      "tuned-"
#define SUFFIX      ".safetensors"
#define WITHDRAWN   ".withdrawn"
#define ROOT_DIGITS 16
#define NAME_BYTES  96u /* of the longest name that is ours */

enum kind { PROMOTED = 1, REMOVED = 2, ANY = 3 };

static void name_of(const struct lineage *l, uint64_t number, enum kind kind,
                    char ret[NAME_BYTES]) {
    (void)snprintf(ret, NAME_BYTES, PREFIX "%.*s-%06llu" SUFFIX "%s", ROOT_DIGITS, l->root,
                   (unsigned long long)number, kind == REMOVED ? WITHDRAWN : "");
}

static void path_of(const struct lineage *l, uint64_t number, enum kind kind,
                    char ret[LINEAGE_PATH_BYTES]) {
    char name[NAME_BYTES];

    name_of(l, number, kind, name);
    (void)snprintf(ret, LINEAGE_PATH_BYTES, "%.*s/%s", (int)(LINEAGE_PATH_BYTES - NAME_BYTES - 1),
                   l->dir, name);
}

void lineage_path(const struct lineage *l, uint64_t number, char ret_path[LINEAGE_PATH_BYTES]) {
    ret_path[0] = 0;
    if (number)
        path_of(l, number, PROMOTED, ret_path);
}

static diffuse_err fail(const struct lineage *l, const char *what, struct reason *why) {
    return reason_set(why, DIFFUSE_IO, "%.200s: %s: %s", l->dir, what, strerror(errno));
}

/* --- looking ------------------------------------------------------------- */

/* Is this name one that we would give? */
static bool parse(const struct lineage *l, const char *name, uint64_t *ret_number,
                  enum kind *ret_kind) {
    char again[NAME_BYTES];
    size_t at = strlen(PREFIX) + ROOT_DIGITS + 1;

    if (strlen(name) <= at || name[at] < '0' || name[at] > '9')
        return false;
    *ret_number = strtoull(name + at, NULL, 10);
    for (*ret_kind = PROMOTED; *ret_kind <= REMOVED; ++*ret_kind) {
        name_of(l, *ret_number, *ret_kind, again);
        if (strcmp(name, again) == 0)
            return *ret_number > 0 && *ret_number < UINT64_MAX;
    }
    return false;
}

/* The largest number below a bound among the files of a kind; 0: there is none. */
static diffuse_err largest(const struct lineage *l, enum kind kind, uint64_t below,
                           uint64_t *ret_number, struct reason *why) {
    DIR *d = opendir(l->dir);
    struct dirent *entry;
    uint64_t number;
    enum kind has;

    *ret_number = 0;
    if (!d)
        return fail(l, "cannot read the folder", why);
    while ((errno = 0, entry = readdir(d)))
        if (parse(l, entry->d_name, &number, &has) && has & kind && number < below &&
            number > *ret_number)
            *ret_number = number;
    if (errno) {
        int error = errno;

        (void)closedir(d);
        errno = error;
        return fail(l, "cannot read the folder", why);
    }
    (void)closedir(d);
    return DIFFUSE_OK;
}

static diffuse_err check_whole(const char *path, struct reason *why) {
    char id[DIGEST_HEX_BYTES];
    struct ckpt *k = NULL;
    diffuse_err e = ckpt_open(path, NULL, &k, why);

    if (!e)
        e = ckpt_verify(k, id, why);
    ckpt_close(k);
    return e;
}

/* The newest promotion below a bound whose file is whole; 0: the root. */
static diffuse_err newest_whole(const struct lineage *l, uint64_t below, uint64_t *ret_number,
                                struct lineage_found *found, struct reason *why) {
    char path[LINEAGE_PATH_BYTES];
    struct reason inner = {""};
    diffuse_err e;

    for (; !(e = largest(l, PROMOTED, below, ret_number, why)) && *ret_number;
         below = *ret_number) {
        lineage_path(l, *ret_number, path);
        e = check_whole(path, &inner);
        if (!e)
            break;
        if (e == DIFFUSE_NOMEM)
            return reason_set(why, e, "%s", inner.text);
        if (found) {
            found->damaged++;
            (void)snprintf(found->why, sizeof found->why, "%.*s", (int)sizeof found->why - 1,
                           inner.text);
        }
    }
    return e;
}

/* --- keeping few --------------------------------------------------------- */

/* What is beyond keep goes. That it does not is no reason to fail: the next time will try again. */
static void prune(const struct lineage *l, enum kind kind) {
    char path[LINEAGE_PATH_BYTES];
    uint64_t number = UINT64_MAX;

    for (uint64_t kept = 0; !largest(l, kind, number, &number, NULL) && number; kept++) {
        path_of(l, number, kind, path);
        if (kept >= l->keep)
            (void)unlink(path);
    }
}

/* Between two promotions there are only files that were found damaged. */
static void remove_between(const struct lineage *l, uint64_t older, uint64_t newer) {
    char path[LINEAGE_PATH_BYTES];
    uint64_t number = newer;

    while (!largest(l, PROMOTED, number, &number, NULL) && number > older) {
        path_of(l, number, PROMOTED, path);
        (void)unlink(path);
    }
}

/* --- the calls ----------------------------------------------------------- */

static diffuse_err make_folder(const struct lineage *l, struct reason *why) {
    struct stat st;

    if (mkdir(l->dir, 0700) == 0)
        return atomic_file_flush_folder(l->dir) ? fail(l, "cannot flush the folder above", why)
                                                : DIFFUSE_OK;
    if (errno != EEXIST)
        return fail(l, "cannot make the folder", why);
    if (stat(l->dir, &st) == 0 && !S_ISDIR(st.st_mode))
        return reason_set(why, DIFFUSE_IO, "%.200s: not a folder; remove it", l->dir);
    return DIFFUSE_OK;
}

diffuse_err lineage_open(struct lineage *l, const char *dir, const char *root_id, uint32_t keep,
                         struct lineage_found *ret_found, struct reason *why) {
    size_t len = strlen(dir);
    diffuse_err e;

    *l = (struct lineage){.keep = keep};
    *ret_found = (struct lineage_found){.damaged = 0};
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (len == 0 || len >= LINEAGE_PATH_BYTES - NAME_BYTES - 1)
        return reason_set(why, DIFFUSE_INVAL, "%.200s: a path of %zu bytes, expected 1 to %u", dir,
                          len, LINEAGE_PATH_BYTES - NAME_BYTES - 2);
    if (strlen(root_id) != DIGEST_HEX_BYTES - 1 || keep == 0)
        return reason_set(why, DIFFUSE_INVAL,
                          "%.200s: expected the id of a checkpoint, and 1 or more files to keep",
                          dir);
    memcpy(l->dir, dir, len);
    memcpy(l->root, root_id, DIGEST_HEX_BYTES);
    if ((e = make_folder(l, why)))
        return e;
    (void)atomic_file_sweep(l->dir, PREFIX);
    if ((e = largest(l, ANY, UINT64_MAX, &l->highest, why)))
        return e;
    return newest_whole(l, UINT64_MAX, &l->last, ret_found, why);
}

diffuse_err lineage_promote(struct lineage *l, struct model *m, const struct ckpt_types *types,
                            struct reason *why) {
    char path[LINEAGE_PATH_BYTES];
    uint64_t number = l->highest + 1;
    diffuse_err e;

    lineage_path(l, number, path);
    if ((e = ckpt_write_mixed(path, m, types, why))) {
        (void)unlink(path); /* it may be there, its folder not flushed: it was not promoted */
        return e;
    }
    remove_between(l, l->last, number);
    l->last = l->highest = number;
    prune(l, PROMOTED);
    return DIFFUSE_OK;
}

/* One file; the folder is not flushed. */
static diffuse_err rename_withdrawn(const struct lineage *l, uint64_t number, struct reason *why) {
    char from[LINEAGE_PATH_BYTES], to[LINEAGE_PATH_BYTES];

    path_of(l, number, PROMOTED, from);
    path_of(l, number, REMOVED, to);
    if (rename(from, to) && errno != ENOENT) /* somebody deleted it: it does not count either */
        return fail(l, "cannot rename a promotion that is withdrawn", why);
    return DIFFUSE_OK;
}

static diffuse_err flush(const struct lineage *l, struct reason *why) {
    char path[LINEAGE_PATH_BYTES];

    path_of(l, 1, PROMOTED, path);
    if (atomic_file_flush_folder(path))
        return fail(l, "withdrawn, but the folder cannot be flushed", why);
    prune(l, REMOVED);
    return DIFFUSE_OK;
}

diffuse_err lineage_withdraw(struct lineage *l, struct reason *why) {
    uint64_t before;
    diffuse_err e;

    if (l->last == 0)
        return DIFFUSE_OK;
    if ((e = newest_whole(l, l->last, &before, NULL, why)) ||
        (e = rename_withdrawn(l, l->last, why)))
        return e;
    l->last = before;
    return flush(l, why);
}

diffuse_err lineage_withdraw_all(struct lineage *l, struct reason *why) {
    uint64_t number = UINT64_MAX;
    diffuse_err e;

    /* Newest first: a crash in between leaves a promotion that once was in force. */
    while (!(e = largest(l, PROMOTED, number, &number, why)) && number) {
        if ((e = rename_withdrawn(l, number, why)))
            return e;
        if (number == l->last)
            l->last = 0;
    }
    if (e)
        return e;
    l->last = 0;
    return flush(l, why);
}
