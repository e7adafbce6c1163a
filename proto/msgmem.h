/* msgmem.h - the memory of one decoded message: a bump allocator inside a buffer of the caller's.
 *
 * protobuf-c builds a tree of small blocks; here they come from one buffer of known size, so that a
 * hostile message can use that buffer up and nothing else. Single blocks are not freed: reset frees
 * all.
 *
 * Memory:  the buffer stays the caller's and must outlive every message decoded into it.
 * Threads: a msgmem belongs to one thread at a time.
 */
#ifndef PROTO_MSGMEM_H
#define PROTO_MSGMEM_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct msgmem {
    unsigned char *base;
    size_t cap;  /* bytes that may be given out */
    size_t used; /* bytes given out since the last reset */
    size_t high; /* highest `used` since init */
    bool full;   /* a request was refused for lack of room since the last reset */
    ProtobufCAllocator allocator;
};

/* Take over size bytes at buffer (any alignment, which may cost up to 30 of them). Allocates
 * nothing. The struct must not be moved afterwards: its allocator points at itself. */
void msgmem_init(struct msgmem *m, void *buffer, size_t size);

/* Free everything that was given out. Constant time; keeps `high`. */
void msgmem_reset(struct msgmem *m);

/* size bytes, aligned for any type; NULL when they do not fit. Not cleared. */
void *msgmem_alloc(struct msgmem *m, size_t size);

/* The view that protobuf-c takes. */
ProtobufCAllocator *msgmem_allocator(struct msgmem *m);

/* After a failed unpack: true when room was lacking, false when the bytes were bad. */
bool msgmem_full(const struct msgmem *m);

#endif
