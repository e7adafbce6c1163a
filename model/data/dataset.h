/* dataset.h - rows of labelled text from disk, one at a time, in file order.
 *
 * "KIND:PATH" on the command line. Published data sets, PATH being their folder:
 *
 *   ag_news      train.csv, test.csv: "class","title","description". Title and description are
 *                joined by a space; labels World, Sports, Business, Sci/Tech. Backslashes for line
 *                ends and "#39;" for an apostrophe stay as published, in training and test alike.
 *   imdb         aclImdb: train/neg, train/pos, test/neg, test/pos, unlabelled train/unsup; a
 *                review a file, NAME.txt. Labels neg, pos; all of neg comes first, by the number
 *                in the file's name, then by the name. Each "<br />" is handed out as one space,
 *                as it would otherwise be five tokens; all else is as published.
 *   lra_text     the same files and labels, byte for byte (Long Range Arena's text task).
 *   lra_listops  basic_train.tsv, basic_val.tsv, basic_test.tsv of Long Range Arena: the line
 *                "Source TAB Target", then expression TAB value. PATH may be a file, too, and what
 *                `diffuse listops` writes: value TAB symbols, without that first line.
 *                Parentheses are dropped, "]" becomes "X"; labels 0 to 9.
 *
 * One's own data, PATH being a file, or a folder with train.E, test.E, val.E or valid.E, and
 * unlabelled.E, where E is:
 *
 *   tsv          .tsv    label TAB text; further TABs belong to the text. With dataset_columns the
 *                        text is one of as many fields as the first row has
 *   csv          .csv    RFC 4180. The first row names the columns: text and label in any order and
 *                        case, others are ignored. A file without these names is refused and the
 *                        names found are told: columns are not guessed. Between fields stands a
 *                        comma, a semicolon, a TAB or a bar, whichever the first row has most of
 *   jsonl        .jsonl  {"text": "...", "label": "..."} a line; the label may be a whole number;
 *                        other keys are ignored, whatever JSON their values are
 *   fasttext     .txt    __label__NAME, one space or TAB, text. A second __label__ is a bad row
 *
 * Unlabelled (DATASET_UNLABELLED): imdb's and lra_text's train/unsup; in tsv a line without TAB, in
 * csv no column label, in jsonl no "label", in fasttext no __label__. A label that is there all the
 * same is left out, so that a labelled file serves as well. ag_news and lra_listops have none.
 *
 * Every file may be gzip: name.gz is looked for when name is absent. A byte order mark at the start
 * of a file, CR at line ends and blank lines are dropped (not in lra_text; in imdb the mark only).
 * A bad row is one that the kind cannot read (quotes, columns, TAB, JSON, symbols, a NUL byte),
 * whose label is empty, over LIMIT_LABEL_BYTES or has control characters, or whose text is blank;
 * label and text must be UTF-8. A bad row is counted with the lines that it took, and its file and
 * line kept; when the bad rows' lines are more than ten, and more than 1 % of what was read so far,
 * the reading ends with BADDATA.
 *
 * Memory: the longest row a few times over, whatever the file's length; imdb and lra_text keep the
 * names of the split's files besides.
 */
#ifndef MODEL_DATA_DATASET_H
#define MODEL_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

enum dataset_split { DATASET_TRAIN, DATASET_TEST, DATASET_VALID, DATASET_UNLABELLED };

struct dataset; /* an open data set */

struct dataset_row {
    const char *label; /* NUL-terminated UTF-8, "" if unlabelled; borrowed until the next call */
    const char *text;  /* len bytes; borrowed until the next call */
    size_t len;
    uint64_t line;   /* where the row began in its file, from 1 */
    uint64_t lines;  /* that it takes there */
    uint64_t number; /* of the split's rows, bad ones too, from 1 */
};

struct dataset_stats {
    uint64_t rows; /* good rows handed out */
    uint64_t bad_rows;
    uint64_t bad_lines;  /* that the bad rows took: a quote that is not closed takes many */
    uint64_t bytes_read; /* of the file as stored, for a progress bar */
    uint64_t bytes_total;
    char first_bad[256]; /* "FILE:LINE: why" of the first bad row, or "" */
    char suspicion[256]; /* "FILE:LINE: what, and what to do": the first row names columns; or "" */
};

/* Which columns of a csv or tsv file are meant: each by the name that the first row gives it, or by
 * its number from 1. NULL: "text", "label". When both are numbers (in unlabelled rows: the text's)
 * the first row is a row like the others. */
struct dataset_columns {
    const char *text, *label; /* borrowed until dataset_open_columns returns */
};

/* spec is KIND:PATH. Errors: INVAL (unknown kind, or one that has no such split: the reason lists
 * those to choose from), NOTFOUND, IO, BADDATA (csv: no such columns), TOOBIG, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err dataset_open(const char *spec, enum dataset_split split,
                                            struct dataset **ret_dataset, struct reason *why);

/* The same with the columns named; NULL, or neither of them: as dataset_open. Errors: also INVAL
 * where the kind has no columns. */
DIFFUSE_MUST_CHECK diffuse_err dataset_open_columns(const char *spec, enum dataset_split split,
                                                    const struct dataset_columns *columns,
                                                    struct dataset **ret_dataset,
                                                    struct reason *why);
void dataset_close(struct dataset *d); /* fine with NULL */

/* May it be read twice? Errors: INVAL where spec's path is a pipe or device: what was read of it is
 * gone. Whatever else is wrong with spec is for dataset_open to say. */
DIFFUSE_MUST_CHECK diffuse_err dataset_check_twice(const char *spec, struct reason *why);

/* Next row. *ret_more false: the end, and *ret_row is untouched. Errors: BADDATA (too many bad
 * rows), TOOBIG (row over LIMIT_ROW_BYTES), IO (read or gzip error), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err dataset_next(struct dataset *d, struct dataset_row *ret_row,
                                            bool *ret_more, struct reason *why);

/* The labels that the kind itself fixes, in id order; NULL where the rows decide. */
const char *const *dataset_labels(const struct dataset *d, uint32_t *ret_n);

/* What suits a kind; it is for the caller to follow. */
struct dataset_defaults {
    const char *tokenizer; /* "wordpiece", "symbol" or "byte"; static text */
    uint32_t max_length;   /* tokens; 0: no opinion */
};

/* Of spec's kind: byte and 4000 for lra_text, symbol and 2048 for lra_listops, wordpiece and 0 for
 * all others, and where there is no such kind. */
struct dataset_defaults dataset_defaults(const char *spec);

void dataset_stats(const struct dataset *d, struct dataset_stats *ret_stats);

#endif
