/* label_set.c - see label_set.h. Linear search: sets are small and rows mostly repeat their
 * neighbours'. */
#include "model/train/label_set.h"

#include <stdlib.h>
#include <string.h>

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
