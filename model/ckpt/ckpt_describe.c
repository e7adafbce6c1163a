/* ckpt_describe.c - an open checkpoint, for a person. */
#include <stdio.h>
#include <string.h>

#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_file.h"

void ckpt_describe(const struct ckpt *k, ckpt_sink *metadata, ckpt_sink *tensor, void *user) {
    char shape[ST_SHAPE_BYTES], line[ST_SHAPE_BYTES + 48];
    const char *key;
    json_t *value;

    json_object_foreach(k->strings, key, value) {
        bool format = strcmp(key, "format") == 0;

        metadata(user, key, k->bare && format ? "bare" : json_string_value(value));
    }
    for (size_t i = 0; i < k->header.n; i++) {
        const struct st_tensor *t = &k->header.tensor[i];

        st_header_shape(t, shape);
        (void)snprintf(line, sizeof line, "%s %s %llu", t->dtype, shape,
                       (unsigned long long)t->bytes);
        tensor(user, t->name, line);
    }
}
