/* dataset_reviews.h - the aclImdb folder (Maas et al., 2011): what the kinds imdb and lra_text
 * share. One review a file, the class is its folder; neg comes before pos. */
#ifndef MODEL_DATA_DATASET_REVIEWS_H
#define MODEL_DATA_DATASET_REVIEWS_H

#include "model/data/dataset_kind.h"

#define DATASET_REVIEWS_SPLITS (1u << DATASET_TRAIN | 1u << DATASET_TEST | 1u << DATASET_UNLABELLED)

extern const char *const dataset_reviews_labels[2]; /* neg, pos */

/* As in struct dataset_kind. The names of all files are read here, the texts one at a time. */
DIFFUSE_MUST_CHECK diffuse_err dataset_reviews_open(const char *path, enum dataset_split split,
                                                    void **ret_state, struct reason *why);
void dataset_reviews_close(void *state);

/* *ret_text is the row's text, which may be changed in place; NUL-terminated. */
DIFFUSE_MUST_CHECK diffuse_err dataset_reviews_next(void *state, struct dataset_row *ret_row,
                                                    char **ret_text, enum dataset_got *ret_got,
                                                    struct reason *why);

const char *dataset_reviews_file(const void *state);
void dataset_reviews_progress(const void *state, uint64_t *ret_read, uint64_t *ret_total);

#endif
