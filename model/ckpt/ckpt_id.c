#include "model/ckpt/ckpt_id.h"

#include <stdlib.h>
#include <string.h>

static void add_u64(struct digest *d, uint64_t v) {
    uint8_t raw[8];

    for (unsigned i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(v >> (8 * i));
    digest_add(d, raw, sizeof raw);
}

/* Length first, so that no two lists of texts look the same. */
static void add_text(struct digest *d, const char *text) {
    size_t len = strlen(text);

    add_u64(d, len);
    digest_add(d, text, len);
}

static int by_text(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

diffuse_err ckpt_id_begin(struct digest *d, const json_t *strings) {
    size_t n = json_object_size(strings), i = 0;
    const char **keys = calloc(n + 1, sizeof *keys);
    void *it;

    if (!keys)
        return DIFFUSE_NOMEM;
    for (it = json_object_iter((json_t *)(uintptr_t)strings); it;
         it = json_object_iter_next((json_t *)(uintptr_t)strings, it))
        if (strcmp(json_object_iter_key(it), "id") != 0)
            keys[i++] = json_object_iter_key(it);
    n = i;
    qsort(keys, n, sizeof *keys, by_text);
    digest_init(d);
    add_u64(d, n);
    for (i = 0; i < n; i++) {
        add_text(d, keys[i]);
        add_text(d, json_string_value(json_object_get(strings, keys[i])));
    }
    free(keys);
    return DIFFUSE_OK;
}

void ckpt_id_tensor(struct digest *d, const struct st_tensor *t) {
    add_text(d, t->name);
    add_text(d, t->dtype);
    add_u64(d, t->rank);
    for (uint32_t i = 0; i < t->rank; i++)
        add_u64(d, t->shape[i]);
    add_u64(d, t->bytes);
}
