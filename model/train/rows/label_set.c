/* label_set.c - see label_set.h. Linear search: sets are small and rows mostly repeat their
 * neighbours'. */
#include "model/train/rows/label_set.h"

#include <stdlib.h>
#include <string.h>

#include "model/text/letter.h"
#include "model/text/normalize.h"
#include "model/text/utf8.h"
#include "proto/limits.h"

void label_set_done(struct label_set *s) {
    for (uint32_t i = 0; i < s->n; i++)
        free(s->names[i]);
    free(s->names);
    *s = (struct label_set){0};
}

diffuse_err label_set_find(const struct label_set *s, const char *name, uint32_t *ret_id) {
    for (uint32_t i = 0; i < s->n; i++)
        if (strcmp(s->names[i], name) == 0) {
            *ret_id = i;
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}

diffuse_err label_set_add(struct label_set *s, const char *name, uint32_t *ret_id) {
    if (!label_set_find(s, name, ret_id))
        return DIFFUSE_OK;
    if (s->n == LIMIT_LABELS)
        return DIFFUSE_TOOBIG;
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? 2 * s->cap : 16;
        char **names = reallocarray(s->names, cap, sizeof *names);

        if (!names)
            return DIFFUSE_NOMEM;
        s->names = names;
        s->cap = cap;
    }
    s->names[s->n] = strdup(name);
    if (!s->names[s->n])
        return DIFFUSE_NOMEM;
    *ret_id = s->n++;
    return DIFFUSE_OK;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void label_set_sort(struct label_set *s) {
    if (s->n)
        qsort(s->names, s->n, sizeof *s->names, by_bytes);
}

/* The name without what a reader hardly sees, and its id. */
struct look {
    char *bytes;
    uint32_t id;
};

/* The part of a name from its first character that is a letter, digit or sign to its last. "c+" and
 * "c++" are two names: only what ends a sentence or quotes is left out. */
static void trim(const uint8_t *name, size_t len, size_t *ret_from, size_t *ret_to) {
    static const char idle[] = ".,;:!?'\"`";
    size_t at = 0;

    *ret_from = *ret_to = len;
    while (at < len) {
        size_t begin = at;
        uint32_t code = utf8_step(name, len, &at);

        if (code == UTF8_BAD)
            at++;
        else if (letter_is_space(code) || letter_is_dropped(code) ||
                 (code < 0x80 && strchr(idle, (int)code)))
            continue;
        if (*ret_from == len)
            *ret_from = begin;
        *ret_to = at;
    }
}

/* The words of a name as a model reads them, end to end. NULL: out of memory. */
static char *look_of(const char *name) {
    size_t from, to, len = 0, cap;
    struct normalize_word word;
    struct normalize n;
    char *look;

    trim((const uint8_t *)name, strlen(name), &from, &to);
    n = (struct normalize){.text = (const uint8_t *)name + from, .len = to - from};
    cap = 4 * (to - from) + NORMALIZE_WORD_BYTES + 1; /* decomposed, letters take more bytes */
    look = malloc(cap);
    if (!look)
        return NULL;
    while (normalize_next(&n, &word) && len + word.len < cap) {
        memcpy(look + len, normalize_bytes(&word), word.len);
        len += word.len;
    }
    look[len] = 0;
    return look;
}

static int by_look(const void *a, const void *b) {
    const struct look *x = a, *y = b;
    int order = strcmp(x->bytes, y->bytes);

    return order ? order : (x->id > y->id) - (x->id < y->id);
}

diffuse_err label_set_alike(const struct label_set *s, size_t *ret_pairs, uint32_t *ret_a,
                            uint32_t *ret_b) {
    struct look *look = calloc(s->n + 1, sizeof *look);
    diffuse_err e = look ? DIFFUSE_OK : DIFFUSE_NOMEM;
    uint32_t n = 0;

    *ret_pairs = 0;
    for (; !e && n < s->n; n++) {
        look[n] = (struct look){look_of(s->names[n]), n};
        if (!look[n].bytes)
            e = DIFFUSE_NOMEM;
    }
    if (!e)
        qsort(look, n, sizeof *look, by_look);
    for (uint32_t i = 1; !e && i < n; i++)
        if (look[i].bytes[0] && strcmp(look[i - 1].bytes, look[i].bytes) == 0 &&
            (*ret_pairs)++ == 0) {
            *ret_a = look[i - 1].id;
            *ret_b = look[i].id;
        }
    for (uint32_t i = 0; look && i < n; i++)
        free(look[i].bytes);
    free(look);
    return e;
}
