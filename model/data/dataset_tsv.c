/* dataset_tsv.c - one's own data: label TAB text, a line a row; further TABs belong to the text. */
#include <string.h>

#include "model/data/dataset_lines.h"

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    return dataset_lines_new(path, split, ".tsv", ret_state, why);
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct dataset_lines *s = state;
    diffuse_err e = dataset_lines_next(s, ret_row, ret_got, why);
    const char *line, *tab;

    if (e || *ret_got != DATASET_ROW)
        return e;
    line = ret_row->text;
    tab = memchr(line, '\t', ret_row->len);
    if (!tab && !s->unlabelled) {
        *ret_got = DATASET_BAD_ROW;
        return reason_set(why, DIFFUSE_OK, "no TAB; expected label TAB text");
    }
    if (tab) {
        ret_row->text = tab + 1;
        ret_row->len -= (size_t)(tab + 1 - line);
    }
    return dataset_lines_label(s, line, tab ? (size_t)(tab - line) : 0, ret_row, why);
}

const struct dataset_kind dataset_tsv = {.name = "tsv",
                                         .splits = DATASET_ALL_SPLITS,
                                         .open = open_file,
                                         .next = next_row,
                                         .file = dataset_lines_file,
                                         .progress = dataset_lines_progress,
                                         .close = dataset_lines_free};
