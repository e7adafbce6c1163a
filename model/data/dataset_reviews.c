#include "model/data/dataset_reviews.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/file_list.h"
#include "model/data/gzfile.h"
#include "model/data/split_path.h"

#define CLASSES 2u

const char *const dataset_reviews_labels[CLASSES] = {"neg", "pos"};

/* Where a split's classes lie. */
static const struct {
    const char *folder[CLASSES];
    const char *label[CLASSES];
    unsigned n;
} layout[] = {
    [DATASET_TRAIN] = {{"train/neg", "train/pos"}, {"neg", "pos"}, 2},
    [DATASET_TEST] = {{"test/neg", "test/pos"}, {"neg", "pos"}, 2},
    [DATASET_UNLABELLED] = {{"train/unsup"}, {""}, 1},
};

struct reviews {
    enum dataset_split split;
    char *folder[CLASSES];
    struct file_list list[CLASSES];
    unsigned class; /* the review to come is list[class].items[at] */
    size_t at;
    struct gzfile *file;   /* of the last review, which is handed out */
    uint64_t bytes_before; /* in the files before it */
};

void dataset_reviews_close(void *state) {
    struct reviews *s = state;

    if (!s)
        return;
    gzfile_close(s->file);
    for (unsigned i = 0; i < CLASSES; i++) {
        free(s->folder[i]);
        file_list_done(&s->list[i]);
    }
    free(s);
}

diffuse_err dataset_reviews_open(const char *path, enum dataset_split split, void **ret_state,
                                 struct reason *why) {
    struct reviews *s = calloc(1, sizeof *s);
    diffuse_err e = DIFFUSE_OK;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    s->split = split;
    for (unsigned i = 0; !e && i < layout[split].n; i++) {
        if (!(e = split_path_join(path, layout[split].folder[i], &s->folder[i], why)))
            e = file_list_read(s->folder[i], &s->list[i], why);
    }
    if (e) {
        dataset_reviews_close(s);
        return e;
    }
    *ret_state = s;
    return DIFFUSE_OK;
}

/* The file before is done with. */
static void leave(struct reviews *s) {
    uint64_t read, total = 0;

    if (s->file)
        gzfile_progress(s->file, &read, &total);
    s->bytes_before += total;
    gzfile_close(s->file);
    s->file = NULL;
}

static diffuse_err open_next(struct reviews *s, struct reason *why) {
    const char *folder = s->folder[s->class], *name = s->list[s->class].items[s->at].name;
    char *path;
    diffuse_err e;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", folder);
    e = gzfile_open(path, &s->file, why);
    free(path);
    return e == DIFFUSE_NOTFOUND ? DIFFUSE_IO : e; /* it was there a moment ago */
}

diffuse_err dataset_reviews_next(void *state, struct dataset_row *ret_row, char **ret_text,
                                 enum dataset_got *ret_got, struct reason *why) {
    struct reviews *s = state;
    diffuse_err e;

    while (s->class < CLASSES && s->at == s->list[s->class].n) {
        s->class ++;
        s->at = 0;
    }
    *ret_got = DATASET_END;
    if (s->class == CLASSES)
        return DIFFUSE_OK;
    leave(s);
    if ((e = open_next(s, why)) || (e = gzfile_whole(s->file, ret_text, &ret_row->len, why)))
        return e;
    s->at++;
    ret_row->label = layout[s->split].label[s->class];
    ret_row->text = *ret_text;
    ret_row->line = 1;
    *ret_got = memchr(*ret_text, 0, ret_row->len) ? DATASET_BAD_ROW : DATASET_ROW;
    return *ret_got == DATASET_ROW ? DIFFUSE_OK : reason_set(why, DIFFUSE_OK, "a NUL byte");
}

const char *dataset_reviews_file(const void *state) {
    const struct reviews *s = state;

    return s->file ? gzfile_path(s->file) : s->folder[0];
}

void dataset_reviews_progress(const void *state, uint64_t *ret_read, uint64_t *ret_total) {
    const struct reviews *s = state;
    uint64_t read = 0, total;

    if (s->file)
        gzfile_progress(s->file, &read, &total);
    *ret_read = s->bytes_before + read;
    *ret_total = s->list[0].bytes + s->list[1].bytes;
}
