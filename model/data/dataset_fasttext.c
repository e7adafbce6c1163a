/* dataset_fasttext.c - fastText's lines: __label__NAME, a space, the text. */
#include <string.h>

#include "model/data/dataset_lines.h"

#define MARK     "__label__"
#define MARK_LEN (sizeof MARK - 1)
#define SHOWN    40 /* bytes of a word in a reason */

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    return dataset_lines_new(path, split, ".txt", ret_state, why);
}

/* What fastText splits words at. */
static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool has_mark(const char *at, const char *end) {
    return (size_t)(end - at) >= MARK_LEN && memcmp(at, MARK, MARK_LEN) == 0;
}

static const char *word_end(const char *at, const char *end) {
    while (at < end && !is_space(*at))
        at++;
    return at;
}

/* The first word from at on that fastText would take for a label, or NULL. */
static const char *find_label(const char *at, const char *end) {
    for (const char *begin = at; at < end; at++) {
        at = memmem(at, (size_t)(end - at), MARK, MARK_LEN);
        if (!at)
            return NULL;
        if (at == begin || is_space(at[-1]))
            return at;
    }
    return NULL;
}

/* The word at *at, passed over together with the one space behind it. */
static size_t take_word(const char **at, const char *end) {
    const char *word = *at, *stop = word_end(word, end);

    *at = stop < end ? stop + 1 : stop;
    return (size_t)(stop - word);
}

static int shown(const char *word, const char *end) {
    size_t len = (size_t)(word_end(word, end) - word);

    return len < SHOWN ? (int)len : SHOWN;
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct dataset_lines *s = state;
    const char *at, *end, *label = "", *second;
    size_t len = MARK_LEN;
    diffuse_err e = dataset_lines_next(s, ret_row, ret_got, why);

    if (e || *ret_got != DATASET_ROW)
        return e;
    at = ret_row->text;
    end = at + ret_row->len;
    *ret_got = DATASET_BAD_ROW;
    if (has_mark(at, end)) {
        label = at + MARK_LEN;
        len = take_word(&at, end);
    } else if (!s->unlabelled) {
        return reason_set(why, DIFFUSE_OK, "no label in front; expected " MARK "NAME text");
    }
    if ((second = find_label(at, end)))
        return reason_set(why, DIFFUSE_OK, "a second label '%.*s'; expected one a row",
                          shown(second, end), second);
    ret_row->text = at;
    ret_row->len = (size_t)(end - at);
    *ret_got = DATASET_ROW;
    return dataset_lines_label(s, label, len - MARK_LEN, ret_row, why);
}

const struct dataset_kind dataset_fasttext = {.name = "fasttext",
                                              .splits = DATASET_ALL_SPLITS,
                                              .open = open_file,
                                              .next = next_row,
                                              .file = dataset_lines_file,
                                              .progress = dataset_lines_progress,
                                              .close = dataset_lines_free};
