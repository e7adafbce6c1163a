/* dataset.h - rows of labelled text from disk, one at a time, in file order.
 *
 * "KIND:PATH" on the command line. Kinds:
 *   ag_news  folder with train.csv and test.csv as published ("class","title","description"); title
 * and description are joined by a space; labels are World, Sports, Business, Sci/Tech tsv label TAB
 * text, a file; or a folder with train.tsv, test.tsv (and val.tsv or valid.tsv) Rows are handed out
 * as published: AG News keeps its backslashes for line ends and its "#39;" for an apostrophe, in
 * training and test alike, and the tokenizer splits them. A byte order mark at the start of a file,
 * CR at line ends and blank lines are dropped. A bad row is one that the kind cannot read (quotes,
 * columns, TAB, a NUL byte), whose label is empty, over LIMIT_LABEL_BYTES or has control
 * characters, or whose text is blank; label and text must be UTF-8. Each file may be gzip (name.gz
 * is looked for when name is absent). A bad row is counted and its line number kept; more than 1 %
 * bad rows of those read so far (and more than 10) end the reading with BADDATA.
 */
#ifndef MODEL_DATA_DATASET_H
#define MODEL_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

enum dataset_split { DATASET_TRAIN, DATASET_TEST, DATASET_VALID };

struct dataset; /* an open data set */

struct dataset_row {
    const char *label; /* NUL-terminated UTF-8; borrowed until the next call */
    const char *text;  /* len bytes; borrowed until the next call */
    size_t len;
    uint64_t line; /* where the row began, from 1 */
};

struct dataset_stats {
    uint64_t rows; /* good rows handed out */
    uint64_t bad_rows;
    uint64_t bytes_read; /* of the file as stored, for a progress bar */
    uint64_t bytes_total;
    char first_bad[256]; /* "FILE:LINE: why" of the first bad row, or "" */
};

/* spec is KIND:PATH. Errors: INVAL (unknown kind: the reason lists them), NOTFOUND, IO, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err dataset_open(const char *spec, enum dataset_split split,
                                            struct dataset **ret_dataset, struct reason *why);
void dataset_close(struct dataset *d); /* fine with NULL */

/* Next row. *ret_more false: the end, and *ret_row is untouched. Errors: BADDATA (too many bad
 * rows), TOOBIG (row over LIMIT_ROW_BYTES), IO (read or gzip error), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err dataset_next(struct dataset *d, struct dataset_row *ret_row,
                                            bool *ret_more, struct reason *why);

/* The labels that the kind itself fixes, in id order (ag_news); NULL where the rows decide (tsv).
 */
const char *const *dataset_labels(const struct dataset *d, uint32_t *ret_n);

void dataset_stats(const struct dataset *d, struct dataset_stats *ret_stats);

#endif
