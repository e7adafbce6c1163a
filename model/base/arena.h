/* arena.h - bump memory: reserved once, handed out in order, given back all at once.
 *
 * A plan computes the bytes, arena_init reserves and touches them, and nothing later can fail for
 * want of memory. Threads: an arena belongs to one thread at a time.
 */
#ifndef MODEL_BASE_ARENA_H
#define MODEL_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

#define ARENA_ALIGN 64u /* of every block handed out: one cache line, one AVX-512 register */

struct arena {
    uint8_t *base; /* owned */
    size_t cap;    /* bytes reserved */
    size_t used;   /* bytes handed out */
    size_t peak;   /* largest used ever */
};

/* Bytes that a block of n takes in an arena; sums of this are what a plan adds up. SIZE_MAX when
 * n is too large to round. */
size_t arena_block(size_t n);

/* Reserve cap bytes and touch every page, so that they are resident. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err arena_init(struct arena *a, size_t cap);

/* Give the memory back. Fine with a zeroed arena. */
void arena_done(struct arena *a);

/* n zeroed bytes, aligned to ARENA_ALIGN; NULL when they do not fit. */
void *arena_alloc(struct arena *a, size_t n);

/* Place now, for arena_rewind: everything handed out since is given back. */
size_t arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, size_t mark);

#endif
