/* dataset_kind.h - what a kind of data set must provide. One file a kind: dataset_NAME.c; the list
 * is at the top of dataset.c. */
#ifndef MODEL_DATA_DATASET_KIND_H
#define MODEL_DATA_DATASET_KIND_H

#include "model/data/dataset.h"
#include "model/text/tokenize.h"

enum dataset_got {
    DATASET_ROW,     /* a row; dataset.c still checks its label and text */
    DATASET_BAD_ROW, /* row.line is set (and row.lines, where not 1), and *why says what is wrong
                        with it */
    DATASET_END
};

struct dataset_kind {
    const char *name;
    const char *const *labels; /* in id order; NULL where the rows decide */
    uint32_t n_labels;
    unsigned splits;               /* those it has, 1 << DATASET_...; open is asked for no other */
    enum tokenizer_kind tokenizer; /* recommended, as max_length: see dataset_defaults */
    uint32_t max_length;

    /* Open the split under path. Errors as dataset_open. */
    diffuse_err (*open)(const char *path, enum dataset_split split, void **ret_state,
                        struct reason *why);
    /* The same with the columns named, of a kind that has some; else NULL. */
    diffuse_err (*open_columns)(const char *path, enum dataset_split split,
                                const struct dataset_columns *columns, void **ret_state,
                                struct reason *why);
    bool headless; /* open takes the first row for a row like the others */
    /* Errors (not bad rows) as dataset_next. The row is borrowed until the next call. Its label is
     * "" in DATASET_UNLABELLED. */
    diffuse_err (*next)(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                        struct reason *why);
    const char *(*file)(const void *state); /* the file that the last row came from, borrowed */
    void (*progress)(const void *state, uint64_t *ret_read, uint64_t *ret_total);
    void (*close)(void *state); /* fine with NULL */
};

#define DATASET_LABELLED_SPLITS (1u << DATASET_TRAIN | 1u << DATASET_TEST | 1u << DATASET_VALID)
#define DATASET_ALL_SPLITS      (DATASET_LABELLED_SPLITS | 1u << DATASET_UNLABELLED)

extern const struct dataset_kind dataset_ag_news;
extern const struct dataset_kind dataset_csv;
extern const struct dataset_kind dataset_fasttext;
extern const struct dataset_kind dataset_imdb;
extern const struct dataset_kind dataset_jsonl;
extern const struct dataset_kind dataset_lra_listops;
extern const struct dataset_kind dataset_lra_text;
extern const struct dataset_kind dataset_tsv;

#endif
