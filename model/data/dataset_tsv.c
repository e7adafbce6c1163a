/* dataset_tsv.c - one's own data: label TAB text, a line a row; further TABs belong to the text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_kind.h"
#include "model/data/gzfile.h"
#include "model/data/split_path.h"

struct tsv {
    struct gzfile *file;
    char *label; /* copy of the line up to its TAB */
    size_t cap;
};

static void close_file(void *state) {
    struct tsv *s = state;

    if (!s)
        return;
    gzfile_close(s->file);
    free(s->label);
    free(s);
}

/* The file of a split: path itself, or one of the usual names in the folder that path is. */
static diffuse_err find_file(const char *path, enum dataset_split split, char **ret_file,
                             struct reason *why) {
    static const char *const names[][2] = {[DATASET_TRAIN] = {"train.tsv", NULL},
                                           [DATASET_TEST] = {"test.tsv", NULL},
                                           [DATASET_VALID] = {"val.tsv", "valid.tsv"}};
    char *file;
    diffuse_err e;

    if (!split_path_is_folder(path)) {
        *ret_file = strdup(path);
        return *ret_file ? DIFFUSE_OK : reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    }
    if ((e = split_path_join(path, names[split][0], &file, why)))
        return e;
    if (names[split][1] && !split_path_exists(file)) {
        free(file);
        if ((e = split_path_join(path, names[split][1], &file, why)))
            return e;
    }
    *ret_file = file;
    return DIFFUSE_OK;
}

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    struct tsv *s = calloc(1, sizeof *s);
    char *file = NULL;
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    if ((e = find_file(path, split, &file, why)) || (e = gzfile_open(file, &s->file, why))) {
        free(file);
        close_file(s);
        return e;
    }
    free(file);
    *ret_state = s;
    return DIFFUSE_OK;
}

static diffuse_err keep_label(struct tsv *s, const char *label, size_t len, struct reason *why) {
    if (len + 1 > s->cap) {
        char *room = realloc(s->label, 2 * (len + 1));

        if (!room)
            return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", gzfile_path(s->file));
        s->label = room;
        s->cap = 2 * (len + 1);
    }
    memcpy(s->label, label, len);
    s->label[len] = 0;
    return DIFFUSE_OK;
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct tsv *s = state;
    const char *line, *tab;
    size_t len;
    bool more;
    diffuse_err e;

    do {
        if ((e = gzfile_line(s->file, &line, &len, &more, why)))
            return e;
        if (!more) {
            *ret_got = DATASET_END;
            return DIFFUSE_OK;
        }
    } while (len == 0);
    ret_row->line = gzfile_line_number(s->file);
    tab = memchr(line, '\t', len);
    if (memchr(line, 0, len) || !tab) {
        *ret_got = DATASET_BAD_ROW;
        return reason_set(why, DIFFUSE_OK, "%s",
                          tab ? "a NUL byte" : "no TAB; expected label TAB text");
    }
    if ((e = keep_label(s, line, (size_t)(tab - line), why)))
        return e;
    ret_row->label = s->label;
    ret_row->text = tab + 1;
    ret_row->len = len - (size_t)(tab + 1 - line);
    *ret_got = DATASET_ROW;
    return DIFFUSE_OK;
}

static const char *current_file(const void *state) {
    const struct tsv *s = state;

    return gzfile_path(s->file);
}

static void progress(const void *state, uint64_t *ret_read, uint64_t *ret_total) {
    const struct tsv *s = state;

    gzfile_progress(s->file, ret_read, ret_total);
}

const struct dataset_kind dataset_tsv = {.name = "tsv",
                                         .open = open_file,
                                         .next = next_row,
                                         .file = current_file,
                                         .progress = progress,
                                         .close = close_file};
