#include "model/data/dataset_lines.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/split_path.h"

diffuse_err dataset_lines_open(struct dataset_lines *s, const char *path, enum dataset_split split,
                               const char *prefix, const char *extension, struct reason *why) {
    char *file = NULL;
    diffuse_err e = split_path_find(path, split, prefix, extension, &file, why);

    s->unlabelled = split == DATASET_UNLABELLED;
    if (!e)
        e = gzfile_open(file, &s->file, why);
    free(file);
    return e;
}

void dataset_lines_done(struct dataset_lines *s) {
    gzfile_close(s->file);
    bytebuf_done(&s->label);
}

diffuse_err dataset_lines_new(const char *path, enum dataset_split split, const char *extension,
                              void **ret_state, struct reason *why) {
    struct dataset_lines *s = calloc(1, sizeof *s);
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    if ((e = dataset_lines_open(s, path, split, "", extension, why))) {
        dataset_lines_free(s);
        return e;
    }
    *ret_state = s;
    return DIFFUSE_OK;
}

void dataset_lines_free(void *state) {
    struct dataset_lines *s = state;

    if (!s)
        return;
    dataset_lines_done(s);
    free(s);
}

diffuse_err dataset_lines_next(struct dataset_lines *s, struct dataset_row *ret_row,
                               enum dataset_got *ret_got, struct reason *why) {
    const char *line = NULL;
    size_t len = 0;
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
    ret_row->text = line;
    ret_row->len = len;
    ret_row->line = gzfile_line_number(s->file);
    *ret_got = memchr(line, 0, len) ? DATASET_BAD_ROW : DATASET_ROW;
    return *ret_got == DATASET_ROW ? DIFFUSE_OK : reason_set(why, DIFFUSE_OK, "a NUL byte");
}

diffuse_err dataset_lines_label(struct dataset_lines *s, const char *label, size_t len,
                                struct dataset_row *ret_row, struct reason *why) {
    diffuse_err e = bytebuf_keep(&s->label, label, s->unlabelled ? 0 : len);

    if (e)
        return reason_set(why, e, "%s: out of memory for a row", gzfile_path(s->file));
    ret_row->label = s->label.bytes;
    return DIFFUSE_OK;
}

const char *dataset_lines_file(const void *state) {
    const struct dataset_lines *s = state;

    return gzfile_path(s->file);
}

void dataset_lines_progress(const void *state, uint64_t *ret_read, uint64_t *ret_total) {
    const struct dataset_lines *s = state;

    gzfile_progress(s->file, ret_read, ret_total);
}
