/* store.h - numbers that are kept for later: as they are, or in 16 bits each, for half the memory.
 *
 * Nothing computes in 16 bits. The BLAS has no 16-bit product that is faster than its float one, so
 * numbers are made in a room, put, and got back into a room. With STORE_REAL the room is not used:
 * they are made, and read, where they lie.
 * Threads: any number, on parts that do not overlap.
 */
#ifndef MODEL_BASE_STORE_H
#define MODEL_BASE_STORE_H

#include <stddef.h>

#include "model/base/real.h"
#include "proto/diffuse_err.h"

enum store_type { STORE_REAL, STORE_F16, STORE_BF16 };

struct store {
    enum store_type type;
    void *at; /* borrowed */
};

/* "f32", "f16" or "bf16". Error: NOTFOUND. */
DIFFUSE_MUST_CHECK diffuse_err store_type_parse(const char *name, enum store_type *ret_type);

size_t store_each(enum store_type type); /* bytes a number */

/* The n numbers from `from` on: in place, or widened into room(n). */
real *store_get(const struct store *s, size_t from, size_t n, real *room);

/* Where to make numbers that store_put then keeps: in place, or room. */
real *store_place(const struct store *s, size_t from, real *room);

/* Keep x(n); nothing to do when it is in place. Too large for F16: infinity. */
void store_put(const struct store *s, size_t from, size_t n, const real *x);

/* A copy in y(n). */
void store_load(const struct store *s, size_t from, size_t n, real *y);

/* n numbers from the start of x, to y from `at` on; both of one type. */
void store_copy(const struct store *x, size_t n, const struct store *y, size_t at);

#endif
