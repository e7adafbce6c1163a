/* dataset_tsv.c - one's own data: label TAB text, a line a row; further TABs belong to the text.
 * Where the columns are named, the fields of a line instead, as many as the first line has. */
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_columns.h"
#include "model/data/dataset_lines.h"

struct tsv {
    struct dataset_lines lines; /* first, for dataset_lines_file and _progress */
    bool columns;               /* they are named, and place says where they are */
    struct dataset_columns_place place;
    struct bytebuf first; /* the first line, which is a row, with first_waits */
    uint64_t first_line;
    bool first_waits;
};

static void close_file(void *state) {
    struct tsv *s = state;

    if (!s)
        return;
    bytebuf_done(&s->first);
    dataset_lines_done(&s->lines);
    free(s);
}

static size_t count_fields(const char *line, size_t len) {
    size_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += line[i] == '\t';
    return n;
}

/* Field k of a line that has so many. */
static void get_field(const char *line, size_t len, size_t k, const char **ret_field,
                      size_t *ret_len) {
    const char *end = line + len, *tab;

    for (; k > 0; k--)
        line = (const char *)memchr(line, '\t', (size_t)(end - line)) + 1;
    tab = memchr(line, '\t', (size_t)(end - line));
    *ret_field = line;
    *ret_len = (size_t)((tab ? tab : end) - line);
}

/* Where the columns are, by the first line, of which bytes is a copy that may be cut up. */
static diffuse_err find_columns(struct tsv *s, const struct dataset_columns *columns, char *bytes,
                                size_t len, struct reason *why) {
    size_t n = count_fields(bytes, len);
    struct csvfile_field *fields = reallocarray(NULL, n, sizeof *fields);
    struct csvfile_record first = {.line = s->first_line, .n = n, .fields = fields};
    diffuse_err e;

    if (!fields)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", dataset_lines_file(s));
    for (size_t k = 0; k < n; k++) {
        char *tab = strchr(bytes, '\t');

        fields[k] = (struct csvfile_field){bytes, tab ? (size_t)(tab - bytes) : strlen(bytes)};
        if (!tab)
            continue;
        *tab = 0;
        bytes = tab + 1;
    }
    e = dataset_columns_find(columns, &first, s->lines.unlabelled, dataset_lines_file(s), &s->place,
                             why);
    free(fields);
    return e;
}

static diffuse_err read_first(struct tsv *s, const struct dataset_columns *columns,
                              struct reason *why) {
    struct dataset_row row = {0};
    struct bytebuf copy = {0};
    enum dataset_got got;
    diffuse_err e = dataset_lines_next(&s->lines, &row, &got, why);

    if (e || got == DATASET_END)
        return e ? e
                 : reason_set(why, DIFFUSE_BADDATA, "%s: empty; expected a first row",
                              dataset_lines_file(s));
    s->first_line = row.line;
    if (got == DATASET_BAD_ROW)
        return reason_set(why, DIFFUSE_BADDATA, "%s:%llu: a NUL byte in the first row",
                          dataset_lines_file(s), (unsigned long long)row.line);
    if (bytebuf_keep(&s->first, row.text, row.len) || bytebuf_keep(&copy, row.text, row.len))
        e = reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", dataset_lines_file(s));
    else
        e = find_columns(s, columns, copy.bytes, row.len, why);
    bytebuf_done(&copy);
    s->first_waits = dataset_columns_headless(columns, s->lines.unlabelled);
    return e;
}

static diffuse_err open_columns(const char *path, enum dataset_split split,
                                const struct dataset_columns *columns, void **ret_state,
                                struct reason *why) {
    struct tsv *s = calloc(1, sizeof *s);
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    s->columns = columns != NULL;
    e = dataset_lines_open(&s->lines, path, split, "", ".tsv", why);
    if (!e && columns)
        e = read_first(s, columns, why);
    if (e)
        close_file(s);
    else
        *ret_state = s;
    return e;
}

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    return open_columns(path, split, NULL, ret_state, why);
}

static diffuse_err next_line(struct tsv *s, struct dataset_row *ret_row, enum dataset_got *ret_got,
                             struct reason *why) {
    if (!s->first_waits)
        return dataset_lines_next(&s->lines, ret_row, ret_got, why);
    s->first_waits = false;
    ret_row->text = s->first.bytes;
    ret_row->len = strlen(s->first.bytes);
    ret_row->line = s->first_line;
    *ret_got = DATASET_ROW;
    return DIFFUSE_OK;
}

/* The line's fields that were named. */
static diffuse_err take_fields(struct tsv *s, struct dataset_row *ret_row,
                               enum dataset_got *ret_got, struct reason *why) {
    const char *line = ret_row->text, *label = "";
    size_t len = ret_row->len, n = count_fields(line, len), label_len = 0;

    if (n != s->place.n) {
        *ret_got = DATASET_BAD_ROW;
        return reason_set(why, DIFFUSE_OK, "%zu columns; expected %zu: those of the first row", n,
                          s->place.n);
    }
    get_field(line, len, s->place.text, &ret_row->text, &ret_row->len);
    if (!s->lines.unlabelled)
        get_field(line, len, s->place.label, &label, &label_len);
    return dataset_lines_label(&s->lines, label, label_len, ret_row, why);
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct tsv *s = state;
    diffuse_err e = next_line(s, ret_row, ret_got, why);
    const char *line, *tab;

    if (e || *ret_got != DATASET_ROW)
        return e;
    if (s->columns)
        return take_fields(s, ret_row, ret_got, why);
    line = ret_row->text;
    tab = memchr(line, '\t', ret_row->len);
    if (!tab && !s->lines.unlabelled) {
        *ret_got = DATASET_BAD_ROW;
        return reason_set(why, DIFFUSE_OK, "no TAB; expected label TAB text");
    }
    if (tab) {
        ret_row->text = tab + 1;
        ret_row->len -= (size_t)(tab + 1 - line);
    }
    return dataset_lines_label(&s->lines, line, tab ? (size_t)(tab - line) : 0, ret_row, why);
}

const struct dataset_kind dataset_tsv = {.name = "tsv",
                                         .splits = DATASET_ALL_SPLITS,
                                         .open = open_file,
                                         .open_columns = open_columns,
                                         .headless = true,
                                         .next = next_row,
                                         .file = dataset_lines_file,
                                         .progress = dataset_lines_progress,
                                         .close = close_file};
