/* dataset_csv.c - one's own CSV: the first row names the columns, among them text and label. */
#include <stdlib.h>

#include "model/data/dataset_columns.h"
#include "model/data/dataset_record.h"
#include "model/data/split_path.h"

#define SEPARATORS ",;\t|"

struct csv {
    struct csvfile *file;
    struct dataset_columns_place place;
    struct csvfile_record first; /* a row like the others, with first_waits: no row names columns */
    bool first_waits, unlabelled;
};

static void close_file(void *state) {
    struct csv *s = state;

    if (!s)
        return;
    csvfile_close(s->file);
    free(s);
}

static diffuse_err read_first(struct csv *s, const struct dataset_columns *columns,
                              struct reason *why) {
    const char *path = gzfile_path(csvfile_gzfile(s->file));
    bool more;
    diffuse_err e = csvfile_next(s->file, &s->first, &more, why);

    if (e)
        return e;
    if (!more)
        return reason_set(why, DIFFUSE_BADDATA,
                          "%s: empty; expected a first row that names the columns text and label",
                          path);
    if (s->first.flaw)
        return reason_set(why, DIFFUSE_BADDATA, "%s:%llu: %s in the row of column names", path,
                          (unsigned long long)s->first.line, s->first.flaw);
    s->first_waits = dataset_columns_headless(columns, s->unlabelled);
    return dataset_columns_find(columns, &s->first, s->unlabelled, path, &s->place, why);
}

static diffuse_err open_columns(const char *path, enum dataset_split split,
                                const struct dataset_columns *columns, void **ret_state,
                                struct reason *why) {
    struct csv *s = calloc(1, sizeof *s);
    char *file = NULL;
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    s->unlabelled = split == DATASET_UNLABELLED;
    if ((e = split_path_find(path, split, "", ".csv", &file, why)) ||
        (e = csvfile_open(file, SEPARATORS, &s->file, why)) || (e = read_first(s, columns, why)))
        close_file(s);
    else
        *ret_state = s;
    free(file);
    return e;
}

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    return open_columns(path, split, NULL, ret_state, why);
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct csv *s = state;
    struct csvfile_record record = s->first;
    diffuse_err e = DIFFUSE_OK;

    if (s->first_waits) {
        s->first_waits = false;
        *ret_got = DATASET_ROW;
        ret_row->line = record.line;
        ret_row->lines = record.lines;
    } else {
        e = dataset_record_next(s->file, s->place.n, "those of the first row", &record, ret_row,
                                ret_got, why);
    }
    if (e || *ret_got != DATASET_ROW)
        return e;
    ret_row->label = s->unlabelled ? "" : record.fields[s->place.label].bytes;
    ret_row->text = record.fields[s->place.text].bytes;
    ret_row->len = record.fields[s->place.text].len;
    return DIFFUSE_OK;
}

static const char *current_file(const void *state) {
    const struct csv *s = state;

    return gzfile_path(csvfile_gzfile(s->file));
}

static void progress(const void *state, uint64_t *ret_read, uint64_t *ret_total) {
    const struct csv *s = state;

    gzfile_progress(csvfile_gzfile(s->file), ret_read, ret_total);
}

const struct dataset_kind dataset_csv = {.name = "csv",
                                         .splits = DATASET_ALL_SPLITS,
                                         .open = open_file,
                                         .open_columns = open_columns,
                                         .next = next_row,
                                         .file = current_file,
                                         .progress = progress,
                                         .close = close_file};
