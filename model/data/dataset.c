/* dataset.c - see dataset.h. What all kinds share: choosing the kind, checking rows, counting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/data/dataset_columns.h"
#include "model/data/dataset_kind.h"
#include "model/text/utf8.h"
#include "proto/limits.h"
#include "proto/name.h"

static const struct dataset_kind *const kinds[] = {
    &dataset_ag_news, &dataset_imdb, &dataset_lra_text, &dataset_lra_listops,
    &dataset_tsv,     &dataset_csv,  &dataset_jsonl,    &dataset_fasttext};
#define KINDS (sizeof kinds / sizeof kinds[0])

#define BAD_LINES_FREE  10u  /* so many lines of bad rows are borne whatever their share */
#define BAD_LINES_SHARE 100u /* beyond them, one in so many */

struct dataset {
    const struct dataset_kind *kind;
    void *state;
    enum dataset_split split;
    bool headless; /* no row names the columns */
    struct dataset_stats stats;
};

/* The kind that spec begins with, or NULL. */
static const struct dataset_kind *kind_of(const char *spec) {
    const char *colon = strchr(spec, ':');

    for (size_t i = 0; colon && i < KINDS; i++) {
        size_t len = strlen(kinds[i]->name);

        if ((size_t)(colon - spec) == len && memcmp(spec, kinds[i]->name, len) == 0)
            return kinds[i];
    }
    return NULL;
}

/* "a, b, c": the kinds that have one of these splits. */
static void list_kinds(unsigned splits, char *list, size_t size) {
    size_t used = 0;

    list[0] = 0;
    for (size_t i = 0; i < KINDS && used < size; i++)
        if (kinds[i]->splits & splits)
            used += (size_t)snprintf(list + used, size - used, "%s%s", used ? ", " : "",
                                     kinds[i]->name);
}

static diffuse_err check_spec(const char *spec, enum dataset_split split,
                              const struct dataset_kind *kind, struct reason *why) {
    static const char *const what[] = {[DATASET_TRAIN] = "training split",
                                       [DATASET_TEST] = "test split",
                                       [DATASET_VALID] = "validation split",
                                       [DATASET_UNLABELLED] = "unlabelled texts"};
    char list[128];

    if (!kind) {
        list_kinds(~0u, list, sizeof list);
        return reason_set(why, DIFFUSE_INVAL, "data set '%s': expected KIND:PATH, KIND one of %s",
                          spec, list);
    }
    if (!spec[strlen(kind->name) + 1])
        return reason_set(why, DIFFUSE_INVAL, "data set '%s': the path is empty", spec);
    if (kind->splits & 1u << split)
        return DIFFUSE_OK;
    list_kinds(1u << split, list, sizeof list);
    return reason_set(why, DIFFUSE_INVAL, "data set '%s': %s has no %s; kinds that may: %s", spec,
                      kind->name, what[split], list);
}

static diffuse_err open_kind(struct dataset *d, const char *path,
                             const struct dataset_columns *columns, struct reason *why) {
    if (!columns || (!columns->text && !columns->label)) {
        d->headless = d->kind->headless;
        return d->kind->open(path, d->split, &d->state, why);
    }
    if (!d->kind->open_columns)
        return reason_set(why, DIFFUSE_INVAL,
                          "data set '%s:%s': --text-column and --label-column are for csv and tsv",
                          d->kind->name, path);
    d->headless = dataset_columns_headless(columns, d->split == DATASET_UNLABELLED);
    return d->kind->open_columns(path, d->split, columns, &d->state, why);
}

diffuse_err dataset_open_columns(const char *spec, enum dataset_split split,
                                 const struct dataset_columns *columns,
                                 struct dataset **ret_dataset, struct reason *why) {
    const struct dataset_kind *kind = kind_of(spec);
    struct dataset *d;
    diffuse_err e = check_spec(spec, split, kind, why);

    if (e)
        return e;
    d = calloc(1, sizeof *d);
    if (!d)
        return reason_set(why, DIFFUSE_NOMEM, "data set '%s': out of memory", spec);
    d->kind = kind;
    d->split = split;
    if ((e = open_kind(d, spec + strlen(kind->name) + 1, columns, why))) {
        dataset_close(d);
        return e;
    }
    *ret_dataset = d;
    return DIFFUSE_OK;
}

diffuse_err dataset_open(const char *spec, enum dataset_split split, struct dataset **ret_dataset,
                         struct reason *why) {
    return dataset_open_columns(spec, split, NULL, ret_dataset, why);
}

diffuse_err dataset_check_twice(const char *spec, struct reason *why) {
    const char *path = strchr(spec, ':');
    struct stat st;

    if (!path || stat(path + 1, &st) || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL,
                      "%s: a pipe or device, and its rows are read twice here; write them to a "
                      "file first",
                      path + 1);
}

void dataset_close(struct dataset *d) {
    if (!d)
        return;
    d->kind->close(d->state);
    free(d);
}

static bool is_blank(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && (text[i] < '\t' || text[i] > '\r'))
            return false;
    return true;
}

/* What is wrong with a row, or NULL. */
static const char *flaw(const struct dataset *d, const struct dataset_row *row) {
    size_t label = strlen(row->label);

    if (label == 0 && d->split != DATASET_UNLABELLED)
        return "the label is empty";
    if (label > LIMIT_LABEL_BYTES)
        return "the label is longer than 255 bytes";
    if (label > 0 && !name_valid(row->label, label))
        return "the label is not UTF-8, or has control characters";
    if (is_blank(row->text, row->len))
        return "the text is empty";
    if (!utf8_valid(row->text, row->len))
        return "the text is not UTF-8";
    return NULL;
}

static diffuse_err count_bad(struct dataset *d, const struct dataset_row *row, const char *what,
                             struct reason *why) {
    struct dataset_stats *s = &d->stats;

    if (s->bad_rows++ == 0)
        snprintf(s->first_bad, sizeof s->first_bad, "%s:%llu: %.180s", d->kind->file(d->state),
                 (unsigned long long)row->line, what);
    s->bad_lines += row->lines;
    if (s->bad_lines <= BAD_LINES_FREE || s->bad_lines * BAD_LINES_SHARE <= s->rows + s->bad_lines)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BADDATA,
                      "%llu of %llu rows are bad, which took %llu lines; the first: %s",
                      (unsigned long long)s->bad_rows, (unsigned long long)(s->rows + s->bad_rows),
                      (unsigned long long)s->bad_lines, s->first_bad);
}

/* The first row of a file that has no names of columns by what was said of it. */
static void look_at_first(struct dataset *d, const struct dataset_row *row) {
    if (d->headless && dataset_columns_named(row->label, row->text, row->len))
        snprintf(d->stats.suspicion, sizeof d->stats.suspicion,
                 "%.120s:%llu: names columns, but is read as a row; give --text-column and "
                 "--label-column their names",
                 d->kind->file(d->state), (unsigned long long)row->line);
}

diffuse_err dataset_next(struct dataset *d, struct dataset_row *ret_row, bool *ret_more,
                         struct reason *why) {
    for (;;) {
        struct dataset_row row = {.lines = 1};
        struct reason bad = {""};
        enum dataset_got got;
        const char *what;
        diffuse_err e = d->kind->next(d->state, &row, &got, &bad);

        if (e)
            return reason_set(why, e, "%s", bad.text);
        if (got == DATASET_END) {
            *ret_more = false;
            return DIFFUSE_OK;
        }
        row.number = d->stats.rows + d->stats.bad_rows + 1;
        what = got == DATASET_BAD_ROW ? bad.text : flaw(d, &row);
        if (!what) {
            if (row.number == 1)
                look_at_first(d, &row);
            d->stats.rows++;
            *ret_row = row;
            *ret_more = true;
            return DIFFUSE_OK;
        }
        if ((e = count_bad(d, &row, what, why)))
            return e;
    }
}

const char *const *dataset_labels(const struct dataset *d, uint32_t *ret_n) {
    *ret_n = d->kind->n_labels;
    return d->kind->labels;
}

void dataset_stats(const struct dataset *d, struct dataset_stats *ret_stats) {
    *ret_stats = d->stats;
    d->kind->progress(d->state, &ret_stats->bytes_read, &ret_stats->bytes_total);
}

struct dataset_defaults dataset_defaults(const char *spec) {
    const struct dataset_kind *kind = kind_of(spec);

    return (struct dataset_defaults){
        .tokenizer = tokenizer_kind_name(kind ? kind->tokenizer : TOKENIZER_WORDPIECE),
        .max_length = kind ? kind->max_length : 0};
}
