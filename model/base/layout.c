#include "model/base/layout.h"

void *layout_room(struct layout *l, size_t count, size_t size) {
    void *p;

    l->bytes += arena_block(count * size);
    if (!l->arena)
        return NULL;
    p = arena_alloc(l->arena, count * size);
    l->failed |= !p;
    return p;
}
