/* dataset_columns.h - which columns of a table hold the text and the label. */
#ifndef MODEL_DATA_DATASET_COLUMNS_H
#define MODEL_DATA_DATASET_COLUMNS_H

#include "model/data/csvfile.h"
#include "model/data/dataset.h"

#define DATASET_NO_COLUMN SIZE_MAX

struct dataset_columns_place {
    size_t n;           /* fields of the first row, and so of each */
    size_t text, label; /* from 0; label is DATASET_NO_COLUMN in an unlabelled split */
};

/* Are all of them numbers, so that no row names them? */
bool dataset_columns_headless(const struct dataset_columns *c, bool unlabelled);

/* Where they are in the first row; c may be NULL. file and line are for the reason. Errors: BADDATA
 * (there is none of that name, or number, or there are two of that name). */
DIFFUSE_MUST_CHECK diffuse_err dataset_columns_find(const struct dataset_columns *c,
                                                    const struct csvfile_record *first,
                                                    bool unlabelled, const char *file,
                                                    struct dataset_columns_place *ret_place,
                                                    struct reason *why);

/* Does a row, label and the rest of it, look like names of columns: words that columns are usually
 * called, two of them or more, and nothing else but words? */
bool dataset_columns_named(const char *label, const char *text, size_t len);

#endif
