/* dataset_csv.c - one's own CSV: the first row names the columns, among them text and label. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/data/dataset_record.h"
#include "model/data/split_path.h"

#define NO_COLUMN SIZE_MAX

struct csv {
    struct csvfile *file;
    size_t columns;     /* in the header, and so in each row */
    size_t text, label; /* which they are; label may be NO_COLUMN in an unlabelled split */
    bool unlabelled;
};

static void close_file(void *state) {
    struct csv *s = state;

    if (!s)
        return;
    csvfile_close(s->file);
    free(s);
}

/* "a, b, c": the names of a header, as many as fit. */
static void list_columns(const struct csvfile_record *header, char *list, size_t size) {
    size_t used = 0;

    list[0] = 0;
    for (size_t i = 0; i < header->n && i < CSVFILE_FIELDS && used < size; i++)
        used += (size_t)snprintf(list + used, size - used, "%s%.40s", i ? ", " : "",
                                 header->fields[i].bytes);
}

/* Column of that name. Errors: BADDATA when there is none (*ret_column NO_COLUMN) or two. */
static diffuse_err find_column(const struct csv *s, const struct csvfile_record *header,
                               const char *name, size_t *ret_column, struct reason *why) {
    const char *path = gzfile_path(csvfile_gzfile(s->file));
    unsigned long long line = header->line;
    char list[200];

    *ret_column = NO_COLUMN;
    for (size_t i = 0; i < header->n && i < CSVFILE_FIELDS; i++) {
        if (strcasecmp(header->fields[i].bytes, name) != 0)
            continue;
        if (*ret_column != NO_COLUMN)
            return reason_set(why, DIFFUSE_BADDATA, "%s:%llu: two columns '%s'", path, line, name);
        *ret_column = i;
    }
    if (*ret_column != NO_COLUMN)
        return DIFFUSE_OK;
    list_columns(header, list, sizeof list);
    return reason_set(
        why, DIFFUSE_BADDATA,
        "%s:%llu: no column '%s'; the first row must name the columns text and label; "
        "found: %s",
        path, line, name, list);
}

static diffuse_err read_header(struct csv *s, struct reason *why) {
    struct csvfile_record header;
    const char *path = gzfile_path(csvfile_gzfile(s->file));
    bool more;
    diffuse_err e = csvfile_next(s->file, &header, &more, why);

    if (e)
        return e;
    if (!more)
        return reason_set(why, DIFFUSE_BADDATA,
                          "%s: empty; expected a first row that names the columns text and label",
                          path);
    if (header.flaw)
        return reason_set(why, DIFFUSE_BADDATA, "%s:%llu: %s in the row of column names", path,
                          (unsigned long long)header.line, header.flaw);
    s->columns = header.n;
    s->label = NO_COLUMN;
    e = find_column(s, &header, "text", &s->text, why);
    return e || s->unlabelled ? e : find_column(s, &header, "label", &s->label, why);
}

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    struct csv *s = calloc(1, sizeof *s);
    char *file = NULL;
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    s->unlabelled = split == DATASET_UNLABELLED;
    if ((e = split_path_find(path, split, "", ".csv", &file, why)) ||
        (e = csvfile_open(file, &s->file, why)) || (e = read_header(s, why)))
        close_file(s);
    else
        *ret_state = s;
    free(file);
    return e;
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct csv *s = state;
    struct csvfile_record record;
    diffuse_err e = dataset_record_next(s->file, s->columns, "those of the first row", &record,
                                        ret_row, ret_got, why);

    if (e || *ret_got != DATASET_ROW)
        return e;
    ret_row->label = s->unlabelled ? "" : record.fields[s->label].bytes;
    ret_row->text = record.fields[s->text].bytes;
    ret_row->len = record.fields[s->text].len;
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
                                         .next = next_row,
                                         .file = current_file,
                                         .progress = progress,
                                         .close = close_file};
