/* dataset.c - see dataset.h. What all kinds share: choosing the kind, checking rows, counting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_kind.h"
#include "model/text/utf8.h"
#include "proto/limits.h"
#include "proto/name.h"

static const struct dataset_kind *const kinds[] = {
    &dataset_ag_news, &dataset_imdb, &dataset_lra_text, &dataset_lra_listops,
    &dataset_tsv,     &dataset_csv,  &dataset_jsonl,    &dataset_fasttext};
#define KINDS (sizeof kinds / sizeof kinds[0])

#define BAD_ROWS_FREE  10u  /* so many bad rows are borne whatever their share */
#define BAD_ROWS_SHARE 100u /* beyond them, one row in so many */

struct dataset {
    const struct dataset_kind *kind;
    void *state;
    enum dataset_split split;
    uint64_t rows, bad_rows;
    char first_bad[sizeof((struct dataset_stats *)0)->first_bad];
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

diffuse_err dataset_open(const char *spec, enum dataset_split split, struct dataset **ret_dataset,
                         struct reason *why) {
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
    if ((e = kind->open(spec + strlen(kind->name) + 1, split, &d->state, why))) {
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

static diffuse_err count_bad(struct dataset *d, uint64_t line, const char *what,
                             struct reason *why) {
    if (d->bad_rows++ == 0)
        snprintf(d->first_bad, sizeof d->first_bad, "%s:%llu: %.180s", d->kind->file(d->state),
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
        what = got == DATASET_BAD_ROW ? bad.text : flaw(d, &row);
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

struct dataset_defaults dataset_defaults(const char *spec) {
    const struct dataset_kind *kind = kind_of(spec);

    return (struct dataset_defaults){
        .tokenizer = tokenizer_kind_name(kind ? kind->tokenizer : TOKENIZER_WORDPIECE),
        .max_length = kind ? kind->max_length : 0};
}
