/* load.h - data sets from disk to label names, vocabulary and token rows. */
#ifndef MODEL_TRAIN_ROWS_LOAD_H
#define MODEL_TRAIN_ROWS_LOAD_H

#include "model/data/dataset.h"
#include "model/text/tokenize.h"
#include "model/train/rows/label_set.h"
#include "model/train/rows/rows.h"

/* Called now and then while reading: bytes of the file done, and in all. */
typedef void load_tick(void *user, uint64_t done, uint64_t total);

struct load {
    const char *spec; /* KIND:PATH */
    enum dataset_split split;
    load_tick *tick; /* may be NULL */
    void *user;
    const struct dataset_columns *columns; /* NULL: by the kind's own names */
    struct load_gaps *gaps;                /* NULL, or to be added to by load_rows */
};

/* Which of a data set's rows are not among those that load_rows made of it, so that each can be
 * found again: bad ones, and those without a token. {0} at first. */
struct load_gaps {
    uint64_t *number; /* (n) owned, rising; a dataset_row's number */
    size_t n, cap;
};
void load_gaps_done(struct load_gaps *g);

/* "no rows" of spec, with what the first bad one had: BADDATA. */
DIFFUSE_MUST_CHECK diffuse_err load_no_rows(const char *spec, const struct dataset_stats *stats,
                                            struct reason *why);

/* What a first pass over the training rows learns. */
struct load_vocab_options {
    enum tokenizer_kind kind;
    uint32_t size;       /* pieces at most */
    uint32_t min_count;  /* a piece that occurs less often is left out */
    bool unlabelled_too; /* learn from the rows without labels as well */
};

/* Label names (in the kind's order, else sorted; none of the split of rows without) and, for
 * wordpiece and symbol, a trained vocabulary: *ret_vocab is the caller's to free, NULL for byte or
 * when o is NULL. *ret_stats: of l's split. Errors: as dataset.h; INVAL also where the rows
 * cannot be read again. */
DIFFUSE_MUST_CHECK diffuse_err load_survey(const struct load *l, const struct load_vocab_options *o,
                                           struct label_set *labels, char **ret_vocab,
                                           size_t *ret_len, struct dataset_stats *ret_stats,
                                           struct reason *why);

/* Append every row as windows of up to max_length tokens, so that nothing of a long row is left
 * out; their labels are 0. count(vocabulary) is added to: how often each piece occurs. rows are
 * ready for rows_append. Errors: as dataset.h; INVAL, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err load_windows(const struct load *l, const struct tokenizer *t,
                                            size_t max_length, struct rows *rows, uint64_t *count,
                                            struct dataset_stats *ret_stats, struct reason *why);

/* Every row as tokens, for the caller's rows_done. Labels (0 in a split without) must be in the
 * set: BADDATA names the first that is not, with its line. Memory: as rows.h. */
DIFFUSE_MUST_CHECK diffuse_err load_rows(const struct load *l, const struct tokenizer *t,
                                         const struct label_set *labels, size_t max_length,
                                         struct rows *ret_rows, struct dataset_stats *ret_stats,
                                         struct reason *why);

#endif
