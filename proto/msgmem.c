#include "proto/msgmem.h"

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#define UNIT alignof(max_align_t)

static void *give(void *state, size_t size) {
    return msgmem_alloc(state, size);
}

static void keep(void *state, void *block) {
    (void)state; /* blocks live until reset */
    (void)block;
}

void msgmem_init(struct msgmem *m, void *buffer, size_t size) {
    size_t skip = (size_t)(-(uintptr_t)buffer % UNIT);

    if (skip > size)
        skip = size;
    *m = (struct msgmem){.base = (unsigned char *)buffer + skip,
                         .cap = (size - skip) / UNIT * UNIT, /* whole units, so all blocks align */
                         .allocator = {.alloc = give, .free = keep}};
    m->allocator.allocator_data = m;
}

void msgmem_reset(struct msgmem *m) {
    m->used = 0;
    m->full = false;
}

void *msgmem_alloc(struct msgmem *m, size_t size) {
    unsigned char *block = m->base + m->used;

    assert(m->used <= m->cap);
    if (size == 0)
        size = 1; /* a block of no bytes is aligned and apart as well */
    if (size > m->cap - m->used) {
        m->full = true;
        return NULL;
    }
    m->used += (size + UNIT - 1) / UNIT * UNIT;
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
