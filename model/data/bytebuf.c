#include "model/data/bytebuf.h"

#include <stdlib.h>
#include <string.h>

diffuse_err bytebuf_fit(struct bytebuf *b, size_t len) {
    size_t cap = 2 * (len + 1);
    char *bytes;

    if (len < b->cap)
        return DIFFUSE_OK;
    bytes = realloc(b->bytes, cap);
    if (!bytes)
        return DIFFUSE_NOMEM;
    b->bytes = bytes;
    b->cap = cap;
    return DIFFUSE_OK;
}

diffuse_err bytebuf_keep(struct bytebuf *b, const char *bytes, size_t len) {
    diffuse_err e = bytebuf_fit(b, len);

    if (e)
        return e;
    memcpy(b->bytes, bytes, len);
    b->bytes[len] = 0;
    return DIFFUSE_OK;
}

void bytebuf_done(struct bytebuf *b) {
    free(b->bytes);
    *b = (struct bytebuf){0};
}
