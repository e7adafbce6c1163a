/* dataset.c - see dataset.h. What all kinds share: choosing the kind, checking rows, counting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_kind.h"
#include "model/text/utf8.h"
#include "proto/limits.h"

static const struct dataset_kind *const kinds[] = {&dataset_ag_news, &dataset_tsv};
#define KINDS (sizeof kinds / sizeof kinds[0])

#define BAD_ROWS_FREE  10u  /* so many bad rows are borne whatever their share */
#define BAD_ROWS_SHARE 100u /* beyond them, one row in so many */

struct dataset {
    const struct dataset_kind *kind;
    void *state;
    uint64_t rows, bad_rows;
    char first_bad[sizeof((struct dataset_stats *)0)->first_bad];
};

static diffuse_err find_kind(const char *spec, const struct dataset_kind **ret_kind,
                             const char **ret_path, struct reason *why) {
    const char *colon = strchr(spec, ':');
    char list[128] = "";

    for (size_t i = 0; i < KINDS; i++) {
        size_t len = strlen(kinds[i]->name);

        if (colon && (size_t)(colon - spec) == len && memcmp(spec, kinds[i]->name, len) == 0) {
            *ret_kind = kinds[i];
            *ret_path = colon + 1;
            return DIFFUSE_OK;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 kinds[i]->name);
    }
    return reason_set(why, DIFFUSE_INVAL, "data set '%s': expected KIND:PATH, KIND one of %s", spec,
                      list);
}

diffuse_err dataset_open(const char *spec, enum dataset_split split, struct dataset **ret_dataset,
                         struct reason *why) {
    const struct dataset_kind *kind = NULL;
    const char *path = NULL;
    struct dataset *d;
    diffuse_err e = find_kind(spec, &kind, &path, why);

    if (e)
        return e;
    if (!*path)
        return reason_set(why, DIFFUSE_INVAL, "data set '%s': the path is empty", spec);
    d = calloc(1, sizeof *d);
    if (!d)
        return reason_set(why, DIFFUSE_NOMEM, "data set '%s': out of memory", spec);
    d->kind = kind;
    if ((e = kind->open(path, split, &d->state, why))) {
        dataset_close(d);
        return e;
    }
    *ret_dataset = d;
    return DIFFUSE_OK;
}

void dataset_close(struct dataset *d) {
    if (!d)
        return;
    d->kind->close(d->state);
    free(d);
}

static bool has_control(const char *s) {
    size_t len = strlen(s), at = 0;

    while (at < len) {
        uint32_t code = utf8_step((const uint8_t *)s, len, &at);

        if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
            return true;
    }
    return false;
}

static bool is_blank(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && (text[i] < '\t' || text[i] > '\r'))
            return false;
    return true;
}

/* What is wrong with a row, or NULL. */
static const char *flaw(const struct dataset_row *row) {
    size_t label = strlen(row->label);

    if (label == 0)
        return "the label is empty";
    if (label > LIMIT_LABEL_BYTES)
        return "the label is longer than 255 bytes";
    if (!utf8_valid(row->label, label) || has_control(row->label))
        return "the label is not UTF-8, or has control characters";
    if (is_blank(row->text, row->len))
        return "the text is empty";
    if (!utf8_valid(row->text, row->len))
        return "the text is not UTF-8";
    return NULL;
}

static diffuse_err count_bad(struct dataset *d, uint64_t line, const char *what,
                             struct reason *why) {
    if (d->bad_rows++ == 0)
        snprintf(d->first_bad, sizeof d->first_bad, "%s:%llu: %s", d->kind->file(d->state),
                 (unsigned long long)line, what);
    if (d->bad_rows <= BAD_ROWS_FREE || d->bad_rows * BAD_ROWS_SHARE <= d->rows + d->bad_rows)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BADDATA, "%llu of %llu rows are bad; the first: %s",
                      (unsigned long long)d->bad_rows, (unsigned long long)(d->rows + d->bad_rows),
                      d->first_bad);
}

diffuse_err dataset_next(struct dataset *d, struct dataset_row *ret_row, bool *ret_more,
                         struct reason *why) {
    for (;;) {
        struct dataset_row row;
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
        what = got == DATASET_BAD_ROW ? bad.text : flaw(&row);
        if (!what) {
            d->rows++;
            *ret_row = row;
            *ret_more = true;
            return DIFFUSE_OK;
        }
        if ((e = count_bad(d, row.line, what, why)))
            return e;
    }
}

const char *const *dataset_labels(const struct dataset *d, uint32_t *ret_n) {
    *ret_n = d->kind->n_labels;
    return d->kind->labels;
}

void dataset_stats(const struct dataset *d, struct dataset_stats *ret_stats) {
    *ret_stats = (struct dataset_stats){.rows = d->rows, .bad_rows = d->bad_rows};
    d->kind->progress(d->state, &ret_stats->bytes_read, &ret_stats->bytes_total);
    memcpy(ret_stats->first_bad, d->first_bad, sizeof d->first_bad);
}
