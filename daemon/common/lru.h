/* lru.h - names of streams to rows, in a table of fixed size that knows which was used last.
 *
 * A row is a number below cap, which stays the name's until it is dropped; what belongs to it lies
 * in the owner's arrays. Lives in the arena it was made in. Threads: the owner's.
 */
#ifndef DAEMON_COMMON_LRU_H
#define DAEMON_COMMON_LRU_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/common/stream_name.h"
#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"

#define LRU_NONE UINT32_MAX

struct lru;

size_t lru_bytes(size_t cap); /* arena bytes of lru_new */
DIFFUSE_MUST_CHECK diffuse_err lru_new(struct arena *arena, size_t cap, struct lru **ret_lru);

/* The row of a name (at most LIMIT_STREAM_BYTES); LRU_NONE: it has none. Does not count as use. */
uint32_t lru_find(const struct lru *t, struct stream_name name);

/* Now it is the one that was used last. */
void lru_use(struct lru *t, uint32_t row);

/* A row for a name that has none, used last; the table must not be full. */
uint32_t lru_add(struct lru *t, struct stream_name name);

void lru_drop(struct lru *t, uint32_t row);
void lru_clear(struct lru *t); /* drop all */

/* The row that was not used for longest; LRU_NONE: the table is empty. */
uint32_t lru_oldest(const struct lru *t);

const char *lru_name(const struct lru *t, uint32_t row, size_t *ret_len);
size_t lru_count(const struct lru *t);

#endif
