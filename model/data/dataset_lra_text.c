/* dataset_lra_text.c - Long Range Arena's text task: the aclImdb folder's reviews byte for byte. */
#include "model/data/dataset_reviews.h"

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    char *text;

    return dataset_reviews_next(state, ret_row, &text, ret_got, why);
}

const struct dataset_kind dataset_lra_text = {.name = "lra_text",
                                              .labels = dataset_reviews_labels,
                                              .n_labels = 2,
                                              .splits = DATASET_REVIEWS_SPLITS,
                                              .tokenizer = TOKENIZER_BYTE,
                                              .max_length = 4000,
                                              .open = dataset_reviews_open,
                                              .next = next_row,
                                              .file = dataset_reviews_file,
                                              .progress = dataset_reviews_progress,
                                              .close = dataset_reviews_close};
