/* dataset_lra_listops.c - nested list expressions, as Long Range Arena publishes them (Source TAB
 * Target, with parentheses) and as `diffuse listops` writes them (value TAB symbols). */
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_lines.h"

static const char header[] = "Source\tTarget";
static const char *const labels[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

struct listops_file {
    struct dataset_lines lines; /* first, for dataset_lines_file and _progress */
    struct bytebuf text;        /* the symbols, each behind a space but the first */
    bool begun, published;      /* the first line told which form it is */
};

static void close_file(void *state) {
    struct listops_file *s = state;

    if (!s)
        return;
    dataset_lines_done(&s->lines);
    bytebuf_done(&s->text);
    free(s);
}

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    struct listops_file *s = calloc(1, sizeof *s);
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    if ((e = dataset_lines_open(&s->lines, path, split, "basic_", ".tsv", why))) {
        close_file(s);
        return e;
    }
    *ret_state = s;
    return DIFFUSE_OK;
}

/* What the model reads for a symbol of the file: "" for nothing, NULL where it is none. */
static const char *symbol(const char *word, size_t len) {
    static const char *const known[][2] = {{"(", ""},        {")", ""},        {"]", "X"},
                                           {"X", "X"},       {"[MIN", "[MIN"}, {"[MAX", "[MAX"},
                                           {"[MED", "[MED"}, {"[SM", "[SM"}};

    if (len == 1 && word[0] >= '0' && word[0] <= '9')
        return labels[word[0] - '0'];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i][0]) == len && memcmp(word, known[i][0], len) == 0)
            return known[i][1];
    return NULL;
}

/* The expression's symbols into s->text, which has room. The word that is none, or NULL. */
static const char *rewrite(struct listops_file *s, const char *at, const char *end,
                           size_t *ret_len) {
    char *text = s->text.bytes;
    size_t len = 0;

    while (at < end) {
        const char *space = memchr(at, ' ', (size_t)(end - at)), *stop = space ? space : end;
        const char *read = stop > at ? symbol(at, (size_t)(stop - at)) : "";

        if (!read)
            return at;
        if (*read && len > 0)
            text[len++] = ' ';
        memcpy(text + len, read, strlen(read));
        len += strlen(read);
        at = stop < end ? stop + 1 : end;
    }
    text[len] = 0;
    *ret_len = len;
    return NULL;
}

/* Divide a line at its TAB. Why it cannot be, or NULL. */
static const char *divide(const struct listops_file *s, const struct dataset_row *row,
                          const char **ret_target, const char **ret_source, const char **ret_end) {
    const char *line = row->text, *end = line + row->len, *tab = memchr(line, '\t', row->len);
    const char *target, *target_end;

    if (!tab)
        return s->published ? "no TAB; expected expression TAB value"
                            : "no TAB; expected value TAB symbols";
    target = s->published ? tab + 1 : line;
    target_end = s->published ? end : tab;
    if (target_end - target != 1 || *target < '0' || *target > '9')
        return s->published ? "the value behind the TAB is not one of 0 to 9"
                            : "the value before the TAB is not one of 0 to 9";
    *ret_target = target;
    *ret_source = s->published ? line : tab + 1;
    *ret_end = s->published ? tab : end;
    return NULL;
}

/* The next line that is no header. */
static diffuse_err next_line(struct listops_file *s, struct dataset_row *ret_row,
                             enum dataset_got *ret_got, struct reason *why) {
    diffuse_err e = dataset_lines_next(&s->lines, ret_row, ret_got, why);
    bool first = !s->begun;

    s->begun = true;
    if (e || *ret_got != DATASET_ROW || !first || strcmp(ret_row->text, header) != 0)
        return e;
    s->published = true;
    return dataset_lines_next(&s->lines, ret_row, ret_got, why);
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct listops_file *s = state;
    const char *target, *source, *end, *what;
    diffuse_err e = next_line(s, ret_row, ret_got, why);

    if (e || *ret_got != DATASET_ROW)
        return e;
    *ret_got = DATASET_BAD_ROW;
    what = divide(s, ret_row, &target, &source, &end);
    if (what)
        return reason_set(why, DIFFUSE_OK, "%s", what);
    if ((e = bytebuf_fit(&s->text, ret_row->len)))
        return reason_set(why, e, "%s: out of memory for a row", dataset_lines_file(s));
    what = rewrite(s, source, end, &ret_row->len);
    if (what)
        return reason_set(why, DIFFUSE_OK,
                          "symbol '%.*s'; expected [MIN [MAX [MED [SM, 0 to 9, ( ) and ] or X",
                          (int)(strcspn(what, " ") < 20 ? strcspn(what, " ") : 20), what);
    ret_row->label = labels[*target - '0'];
    ret_row->text = s->text.bytes;
    *ret_got = DATASET_ROW;
    return DIFFUSE_OK;
}

const struct dataset_kind dataset_lra_listops = {.name = "lra_listops",
                                                 .labels = labels,
                                                 .n_labels = 10,
                                                 .splits = DATASET_LABELLED_SPLITS,
                                                 .tokenizer = TOKENIZER_SYMBOL,
                                                 .max_length = 2048,
                                                 .open = open_file,
                                                 .next = next_row,
                                                 .file = dataset_lines_file,
                                                 .progress = dataset_lines_progress,
                                                 .close = close_file};
