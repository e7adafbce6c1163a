#include "model/data/dataset_columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_BYTES 32u /* of a name that columns are usually called, at most */

/* The number, or 0 where name is none. */
static size_t number_of(const char *name) {
    size_t digits = strspn(name, "0123456789");

    return digits > 0 && digits < 10 && !name[digits] ? strtoul(name, NULL, 10) : 0;
}

bool dataset_columns_headless(const struct dataset_columns *c, bool unlabelled) {
    return c && c->text && number_of(c->text) && (unlabelled || (c->label && number_of(c->label)));
}

/* "a, b, c": the names of a first row, as many as fit. */
static void list_columns(const struct csvfile_record *first, char *list, size_t size) {
    size_t used = 0;

    list[0] = 0;
    for (size_t i = 0; i < first->n && used < size; i++)
        used += (size_t)snprintf(list + used, size - used, "%s%.40s", i ? ", " : "",
                                 first->fields[i].bytes);
}

static diffuse_err find_number(size_t number, const struct csvfile_record *first, const char *file,
                               size_t *ret_column, struct reason *why) {
    *ret_column = number - 1;
    if (number <= first->n)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BADDATA, "%s:%llu: no column %zu; the first row has %zu", file,
                      (unsigned long long)first->line, number, first->n);
}

static diffuse_err find_one(const char *name, const struct csvfile_record *first, const char *file,
                            size_t *ret_column, struct reason *why) {
    unsigned long long line = first->line;
    char list[200];

    if (number_of(name))
        return find_number(number_of(name), first, file, ret_column, why);
    *ret_column = DATASET_NO_COLUMN;
    for (size_t i = 0; i < first->n; i++) {
        if (strcasecmp(first->fields[i].bytes, name) != 0)
            continue;
        if (*ret_column != DATASET_NO_COLUMN)
            return reason_set(why, DIFFUSE_BADDATA, "%s:%llu: two columns '%s'", file, line, name);
        *ret_column = i;
    }
    if (*ret_column != DATASET_NO_COLUMN)
        return DIFFUSE_OK;
    list_columns(first, list, sizeof list);
    return reason_set(
        why, DIFFUSE_BADDATA,
        "%s:%llu: no column '%.60s'; the first row must name the columns text and label; "
        "found: %s; --text-column and --label-column choose others",
        file, line, name, list);
}

diffuse_err dataset_columns_find(const struct dataset_columns *c,
                                 const struct csvfile_record *first, bool unlabelled,
                                 const char *file, struct dataset_columns_place *ret_place,
                                 struct reason *why) {
    const char *text = c && c->text ? c->text : "text", *label = c && c->label ? c->label : "label";
    diffuse_err e = find_one(text, first, file, &ret_place->text, why);

    ret_place->n = first->n;
    ret_place->label = DATASET_NO_COLUMN;
    return e || unlabelled ? e : find_one(label, first, file, &ret_place->label, why);
}

static bool is_usual(const char *word, size_t len) {
    static const char *const usual[] = {
        "text",     "label",       "labels",  "class",    "category", "target",    "intent",
        "sentence", "utterance",   "message", "title",    "content",  "body",      "review",
        "comment",  "description", "query",   "question", "phrase",   "sentiment", "tweet",
        "id",       "index",       "name",    "topic",    "tag",      "document",  "source"};

    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (strlen(usual[i]) == len && strncasecmp(usual[i], word, len) == 0)
            return true;
    return false;
}

static bool is_word(const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", bytes[i]))
            return false;
    return len > 0 && len <= NAME_BYTES;
}

bool dataset_columns_named(const char *label, const char *text, size_t len) {
    size_t named = is_usual(label, strlen(label));
    const char *end = text + len;

    if (!is_word(label, strlen(label)))
        return false;
    for (const char *at = text; at <= end; at++) {
        const char *tab = at < end ? memchr(at, '\t', (size_t)(end - at)) : NULL;
        size_t n = (size_t)((tab ? tab : end) - at);

        if (!is_word(at, n))
            return false;
        named += is_usual(at, n);
        at += n;
    }
    return named >= 2;
}
