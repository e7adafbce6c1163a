/* dataset_jsonl.c - {"text": "...", "label": "..."}, an object a line; other keys are ignored. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_lines.h"

#define DEPTH 2048u /* arrays and objects within one another in a value that is passed over */

struct jsonl {
    struct dataset_lines lines; /* first, for dataset_lines_file and _progress */
    struct bytebuf line;        /* the row without what is passed over */
    json_t *object;             /* of the last row: its text is handed out */
};

static void close_file(void *state) {
    struct jsonl *s = state;

    if (!s)
        return;
    dataset_lines_done(&s->lines);
    bytebuf_done(&s->line);
    json_decref(s->object);
    free(s);
}

static diffuse_err open_file(const char *path, enum dataset_split split, void **ret_state,
                             struct reason *why) {
    struct jsonl *s = calloc(1, sizeof *s);
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    if ((e = dataset_lines_open(&s->lines, path, split, "", ".jsonl", why))) {
        close_file(s);
        return e;
    }
    *ret_state = s;
    return DIFFUSE_OK;
}

/* A walk over JSON that keeps nothing of it. Each step is false where the grammar says no. */
struct walk {
    char *at, *end;
};

static void skip_space(struct walk *w) {
    while (w->at < w->end && strchr(" \t\r\n", *w->at))
        w->at++;
}

static bool skip_char(struct walk *w, char c) {
    if (w->at == w->end || *w->at != c)
        return false;
    w->at++;
    return true;
}

static bool skip_escape(struct walk *w) {
    if (w->at == w->end || !strchr("\"\\/bfnrtu", *w->at))
        return false;
    if (*w->at++ != 'u')
        return true;
    if (w->end - w->at < 4 || strspn(w->at, "0123456789abcdefABCDEF") < 4)
        return false;
    w->at += 4;
    return true;
}

static bool skip_string(struct walk *w) {
    if (!skip_char(w, '"'))
        return false;
    while (w->at < w->end && *w->at != '"') {
        unsigned char c = (unsigned char)*w->at++;

        if (c < 0x20 || (c == '\\' && !skip_escape(w)))
            return false;
    }
    return skip_char(w, '"');
}

static bool skip_digits(struct walk *w) {
    const char *begin = w->at;

    while (w->at < w->end && *w->at >= '0' && *w->at <= '9')
        w->at++;
    return w->at > begin;
}

static bool skip_number(struct walk *w) {
    (void)skip_char(w, '-');
    if (!skip_char(w, '0') && !skip_digits(w))
        return false;
    if (skip_char(w, '.') && !skip_digits(w))
        return false;
    if (!skip_char(w, 'e') && !skip_char(w, 'E'))
        return true;
    if (!skip_char(w, '+'))
        (void)skip_char(w, '-');
    return skip_digits(w);
}

static bool skip_plain(struct walk *w) {
    static const char *const words[] = {"true", "false", "null"};

    if (w->at < w->end && *w->at == '"')
        return skip_string(w);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);

        if ((size_t)(w->end - w->at) >= len && memcmp(w->at, words[i], len) == 0) {
            w->at += len;
            return true;
        }
    }
    return skip_number(w);
}

static bool skip_key(struct walk *w) {
    skip_space(w);
    if (!skip_string(w))
        return false;
    skip_space(w);
    return skip_char(w, ':');
}

/* Behind a value: the ends of what it ends, up to a comma or the end of the outermost. */
static bool skip_ends(struct walk *w, const bool *object, unsigned *depth) {
    for (; *depth > 0; --*depth) {
        skip_space(w);
        if (skip_char(w, ','))
            return !object[*depth - 1] || skip_key(w);
        if (!skip_char(w, object[*depth - 1] ? '}' : ']'))
            return false;
    }
    return true;
}

static bool skip_value(struct walk *w) {
    bool object[DEPTH]; /* what is open: an object, or an array */
    unsigned depth = 0;

    do {
        bool opens;

        skip_space(w);
        opens = w->at < w->end && (*w->at == '{' || *w->at == '[');
        if (opens && depth == DEPTH)
            return false;
        if (opens) {
            object[depth++] = *w->at++ == '{';
            skip_space(w);
            if (w->at < w->end && *w->at == (object[depth - 1] ? '}' : ']')) {
                if (!skip_ends(w, object, &depth))
                    return false;
            } else if (object[depth - 1] && !skip_key(w)) {
                return false;
            }
        } else if (!skip_plain(w) || !skip_ends(w, object, &depth)) {
            return false;
        }
    } while (depth > 0);
    return true;
}

/* Is the string from `from` to w->at this word, however it is written? */
static bool is_key(const char *from, const struct walk *w, const char *word) {
    size_t len = (size_t)(w->at - from);
    json_t *key;
    bool same;

    if (!memchr(from, '\\', len))
        return len == strlen(word) + 2 && memcmp(from + 1, word, len - 2) == 0;
    key = json_loadb(from, len, JSON_DECODE_ANY, NULL);
    same = key && strcmp(json_string_value(key), word) == 0;
    json_decref(key);
    return same;
}

/* In place of a string or value, one of the same length that any parser takes. */
static void blank(char *from, const struct walk *w, const char *with) {
    memset(from, ' ', (size_t)(w->at - from));
    memcpy(from, with, strlen(with));
}

/* A member of the row: kept where it is text or label, which *seen counts, else blanked. */
static bool pass_member(struct walk *w, bool unlabelled, unsigned seen[2]) {
    char *key, *value;
    bool text, label;

    skip_space(w);
    key = w->at;
    if (!skip_string(w))
        return false;
    text = is_key(key, w, "text");
    label = !unlabelled && is_key(key, w, "label");
    if (!text && !label)
        blank(key, w, "\"\"");
    skip_space(w);
    if (!skip_char(w, ':'))
        return false;
    skip_space(w);
    value = w->at;
    if (!skip_value(w))
        return false;
    if (!text && !label)
        blank(value, w, "0");
    seen[0] += text;
    seen[1] += label;
    return seen[0] < 2 && seen[1] < 2;
}

/* Blank all of a row that is neither text nor label. False: it is no JSON object, or has one of
 * them twice; then the bytes are of no use. */
static bool pass_over(struct jsonl *s, size_t len) {
    struct walk w = {s->line.bytes, s->line.bytes + len};
    unsigned seen[2] = {0, 0};

    skip_space(&w);
    if (!skip_char(&w, '{'))
        return false;
    skip_space(&w);
    if (!skip_char(&w, '}')) {
        do {
            if (!pass_member(&w, s->lines.unlabelled, seen))
                return false;
            skip_space(&w);
        } while (skip_char(&w, ','));
        if (!skip_char(&w, '}'))
            return false;
    }
    skip_space(&w);
    return w.at == w.end;
}

/* The line as an object, or NULL: then the reason says why it is none. */
static json_t *parse(struct jsonl *s, const char *line, size_t len, struct reason *why) {
    json_error_t error;
    json_t *object = pass_over(s, len) ? json_loadb(s->line.bytes, len, 0, &error)
                                       : json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

    if (object && json_is_object(object))
        return object;
    if (object)
        (void)reason_set(why, DIFFUSE_OK,
                         "no JSON object; expected {\"text\": ..., \"label\": ...}");
    else
        (void)reason_set(why, DIFFUSE_OK, "not JSON at column %d: %s", error.column, error.text);
    json_decref(object);
    return NULL;
}

static diffuse_err take_label(struct jsonl *s, struct dataset_row *ret_row,
                              enum dataset_got *ret_got, struct reason *why) {
    const json_t *label = json_object_get(s->object, "label");
    char number[32];

    if (s->lines.unlabelled)
        return dataset_lines_label(&s->lines, "", 0, ret_row, why);
    if (json_is_string(label))
        return dataset_lines_label(&s->lines, json_string_value(label), json_string_length(label),
                                   ret_row, why);
    if (json_is_integer(label)) {
        int n = snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(label));

        return dataset_lines_label(&s->lines, number, (size_t)n, ret_row, why);
    }
    *ret_got = DATASET_BAD_ROW;
    return reason_set(why, DIFFUSE_OK, "%s; expected a string or a whole number",
                      label ? "\"label\" is of another type" : "no \"label\"");
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct jsonl *s = state;
    const json_t *text;
    diffuse_err e;

    json_decref(s->object);
    s->object = NULL;
    e = dataset_lines_next(&s->lines, ret_row, ret_got, why);
    if (e || *ret_got != DATASET_ROW)
        return e;
    if ((e = bytebuf_keep(&s->line, ret_row->text, ret_row->len)))
        return reason_set(why, e, "%s: out of memory for a row", dataset_lines_file(s));
    *ret_got = DATASET_BAD_ROW;
    s->object = parse(s, ret_row->text, ret_row->len, why);
    if (!s->object)
        return DIFFUSE_OK;
    text = json_object_get(s->object, "text");
    if (!json_is_string(text))
        return reason_set(why, DIFFUSE_OK, "%s; expected a string",
                          text ? "\"text\" is of another type" : "no \"text\"");
    ret_row->text = json_string_value(text);
    ret_row->len = json_string_length(text);
    *ret_got = DATASET_ROW;
    return take_label(s, ret_row, ret_got, why);
}

const struct dataset_kind dataset_jsonl = {.name = "jsonl",
                                           .splits = DATASET_ALL_SPLITS,
                                           .open = open_file,
                                           .next = next_row,
                                           .file = dataset_lines_file,
                                           .progress = dataset_lines_progress,
                                           .close = close_file};
