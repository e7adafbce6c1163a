/* dataset_imdb.c - the aclImdb folder as reviews to read: their line breaks, <br />, as spaces. */
#include <string.h>

#include "model/data/dataset_reviews.h"

#define BREAK     "<br />"
#define BREAK_LEN (sizeof BREAK - 1)

/* Each <br /> becomes one space, in place; returns the new length. */
static size_t drop_breaks(char *text, size_t len) {
    const char *end = text + len, *from = text;
    char *to = text;

    for (;;) {
        const char *at = memmem(from, (size_t)(end - from), BREAK, BREAK_LEN);
        size_t plain = (size_t)((at ? at : end) - from);

        memmove(to, from, plain);
        to += plain;
        if (!at)
            break;
        *to++ = ' ';
        from = at + BREAK_LEN;
    }
    *to = 0;
    return (size_t)(to - text);
}

static size_t drop_byte_order_mark(char *text, size_t len) {
    if (len < 3 || memcmp(text, "\xef\xbb\xbf", 3) != 0)
        return len;
    memmove(text, text + 3, len - 3 + 1);
    return len - 3;
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    char *text;
    diffuse_err e = dataset_reviews_next(state, ret_row, &text, ret_got, why);

    if (e || *ret_got != DATASET_ROW)
        return e;
    ret_row->len = drop_byte_order_mark(text, ret_row->len);
    ret_row->len = drop_breaks(text, ret_row->len);
    return DIFFUSE_OK;
}

const struct dataset_kind dataset_imdb = {.name = "imdb",
                                          .labels = dataset_reviews_labels,
                                          .n_labels = 2,
                                          .splits = DATASET_REVIEWS_SPLITS,
                                          .open = dataset_reviews_open,
                                          .next = next_row,
                                          .file = dataset_reviews_file,
                                          .progress = dataset_reviews_progress,
                                          .close = dataset_reviews_close};
