/* msgmem.c - see msgmem.h. */
#include "proto/msgmem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>

static void *give(void *state, size_t size) {
    return msgmem_alloc(state, size);
}

static void keep(void *state, void *block) {
    (void)state; /* blocks live until reset */
    (void)block;
}

void msgmem_init(struct msgmem *m, void *buffer, size_t size) {
    size_t skip = (size_t)(-(uintptr_t)buffer % alignof(max_align_t));

    if (skip > size)
        skip = size;
    *m = (struct msgmem){.base = (unsigned char *)buffer + skip,
                         .cap = size - skip,
                         .allocator = {.alloc = give, .free = keep}};
    m->allocator.allocator_data = m;
}

void msgmem_reset(struct msgmem *m) {
    m->used = 0;
    m->full = false;
}

void *msgmem_alloc(struct msgmem *m, size_t size) {
    const size_t unit = alignof(max_align_t);
    size_t room = m->cap - m->used;
    unsigned char *block = m->base + m->used;

    assert(m->used <= m->cap);
    if (size > room) {
        m->full = true;
        return NULL;
    }
    /* Rounded up so that the next block is aligned too; the last one may end at the very end. */
    size += (unit - size % unit) % unit;
    m->used += size < room ? size : room;
    if (m->used > m->high)
        m->high = m->used;
    return block;
}

ProtobufCAllocator *msgmem_allocator(struct msgmem *m) {
    assert(m->allocator.allocator_data == m); /* not moved since init */
    return &m->allocator;
}

bool msgmem_full(const struct msgmem *m) {
    return m->full;
}
