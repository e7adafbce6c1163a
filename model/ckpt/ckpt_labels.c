#include "model/ckpt/ckpt_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt.h"
#include "model/ckpt/file/json_guard.h"
#include "proto/name.h"

diffuse_err ckpt_label_check(const char *name, struct reason *why) {
    size_t len = strlen(name);

    if (len == 0 || len > LIMIT_LABEL_BYTES)
        return reason_set(why, DIFFUSE_INVAL, "label name of %zu bytes, expected 1 to %u", len,
                          LIMIT_LABEL_BYTES);
    if (name_valid(name, len))
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL, "label name: byte %zu " NAME_FAULT, name_span(name, len));
}

static int by_text(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static diffuse_err check_unique(const json_t *labels, size_t n, struct reason *why) {
    const char **sorted = calloc(n + 1, sizeof *sorted);
    diffuse_err e = DIFFUSE_OK;

    if (!sorted)
        return reason_set(why, DIFFUSE_NOMEM, "out of memory for %zu labels", n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_string_value(json_array_get(labels, i));
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 1; i < n && !e; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            e = reason_set(why, DIFFUSE_CORRUPT, "labels: \"%s\" is there twice", sorted[i]);
    free(sorted);
    return e;
}

diffuse_err ckpt_labels_check(const json_t *labels, size_t n, struct reason *why) {
    struct reason inner = {""};

    if (!json_is_array(labels))
        return reason_set(why, DIFFUSE_CORRUPT, "labels: not a JSON array");
    if (json_array_size(labels) != n)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "labels: %zu names for the %zu rows of the classifier",
                          json_array_size(labels), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(labels, i);
        const char *name = json_string_value(entry);

        if (!name || strlen(name) != json_string_length(entry))
            return reason_set(why, DIFFUSE_CORRUPT, "labels: entry %zu is not a string of UTF-8",
                              i);
        if (ckpt_label_check(name, &inner))
            return reason_set(why, DIFFUSE_CORRUPT, "labels: entry %zu: %.400s", i, inner.text);
    }
    return check_unique(labels, n, why);
}

diffuse_err ckpt_labels_parse(const char *text, size_t len, json_t **ret_labels,
                              struct reason *why) {
    const struct json_guard limit = {1, LIMIT_LABELS + 2};
    json_t *labels;
    diffuse_err e = json_guard_parse(text, len, limit, "labels", &labels, why);

    if (e)
        return e;
    if ((e = ckpt_labels_check(labels, json_array_size(labels), why)))
        json_decref(labels);
    else
        *ret_labels = labels;
    return e;
}

diffuse_err ckpt_labels_number(uint32_t n, json_t **ret_labels) {
    json_t *labels = json_array();
    char name[16];

    for (uint32_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        if (json_array_append_new(labels, json_string(name))) {
            json_decref(labels);
            return DIFFUSE_NOMEM;
        }
    }
    if (!labels)
        return DIFFUSE_NOMEM;
    *ret_labels = labels;
    return DIFFUSE_OK;
}

static size_t count_lines(const char *text, size_t len) {
    size_t n = len && text[len - 1] != '\n';

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

diffuse_err ckpt_labels_lines(const char *text, size_t len, uint32_t n, json_t **ret_labels,
                              struct reason *why) {
    size_t lines = count_lines(text, len);
    json_t *labels;
    diffuse_err e;

    if (lines != n)
        return reason_set(why, DIFFUSE_INVAL,
                          "%zu lines of labels, the classifier has %u rows: one name a line", lines,
                          n);
    if (!(labels = json_array()))
        return reason_set(why, DIFFUSE_NOMEM, "out of memory for labels");
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end ? (size_t)(end - text) - at : len - at;
        size_t kept = line && text[at + line - 1] == '\r' ? line - 1 : line;

        /* What is not UTF-8 gives no string, and the check below names the entry. */
        if (json_array_append_new(labels, json_stringn(text + at, kept)))
            (void)json_array_append_new(labels, json_null());
        at += line + 1;
    }
    if ((e = ckpt_labels_check(labels, n, why)))
        json_decref(labels);
    else
        *ret_labels = labels;
    return e;
}
