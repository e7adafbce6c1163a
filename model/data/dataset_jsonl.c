/* dataset_jsonl.c - {"text": "...", "label": "..."}, an object a line; other keys are ignored. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_lines.h"

struct jsonl {
    struct dataset_lines lines; /* first, for dataset_lines_file and _progress */
    json_t *object;             /* of the last row: its text is handed out */
};

static void close_file(void *state) {
    struct jsonl *s = state;

    if (!s)
        return;
    dataset_lines_done(&s->lines);
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

/* The line as an object, or NULL: then the reason says why it is none. */
static json_t *parse(const char *line, size_t len, struct reason *why) {
    json_error_t error;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

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
    *ret_got = DATASET_BAD_ROW;
    s->object = parse(ret_row->text, ret_row->len, why);
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
