#include "model/base/store.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "model/base/narrow.h"
#include "model/base/vec.h"

diffuse_err store_type_parse(const char *name, enum store_type *ret_type) {
    static const char *const names[] = {"f32", "f16", "bf16"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *ret_type = (enum store_type)i;
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}

size_t store_each(enum store_type type) {
    return type == STORE_REAL ? sizeof(real) : sizeof(uint16_t);
}

static void *place(const struct store *s, size_t from) {
    return (char *)s->at + from * store_each(s->type);
}

real *store_get(const struct store *s, size_t from, size_t n, real *room) {
    if (s->type == STORE_REAL)
        return place(s, from);
    store_load(s, from, n, room);
    return room;
}

real *store_place(const struct store *s, size_t from, real *room) {
    return s->type == STORE_REAL ? place(s, from) : room;
}

void store_put(const struct store *s, size_t from, size_t n, const real *x) {
    void *at = place(s, from);

    if (s->type == STORE_F16)
        narrow_f16(n, x, at);
    else if (s->type == STORE_BF16)
        narrow_bf16(n, x, at);
    else if (at != (const void *)x)
        vec_copy(n, x, at);
}

void store_load(const struct store *s, size_t from, size_t n, real *y) {
    if (s->type == STORE_F16)
        narrow_wide_f16(n, place(s, from), y);
    else if (s->type == STORE_BF16)
        narrow_wide_bf16(n, place(s, from), y);
    else
        vec_copy(n, place(s, from), y);
}

void store_copy(const struct store *x, size_t n, const struct store *y, size_t at) {
    assert(x->type == y->type);
    memcpy(place(y, at), x->at, n * store_each(x->type));
}
