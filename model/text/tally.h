/* tally.h - how often each distinct byte string came by, in bounded memory.
 *
 * Strings get indexes 0, 1, ... in order of first sight. When a bound is met, the rarest strings
 * are forgotten until half the bound is free, the same ones whatever the machine; indexes are then
 * given anew. Memory: at most TALLY_STRINGS strings of TALLY_BYTES in all, about 56 MiB.
 * Threads: a tally belongs to one thread.
 */
#ifndef MODEL_TEXT_TALLY_H
#define MODEL_TEXT_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

#define TALLY_STRINGS (1u << 20)
#define TALLY_BYTES   (16u << 20)

#define TALLY_NONE UINT32_MAX

struct tally;

struct tally_item {
    const uint8_t *bytes; /* borrowed until the next tally_add */
    uint32_t len;
    uint64_t count;
};

/* Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err tally_new(struct tally **ret_tally);
void tally_free(struct tally *t); /* fine with NULL */

/* Add weight (0 is fine) to the string's count. ret_index may be NULL. Errors: NOMEM, TOOBIG (one
 * string over LIMIT_PIECE_BYTES). */
DIFFUSE_MUST_CHECK diffuse_err tally_add(struct tally *t, const uint8_t *bytes, size_t len,
                                         uint64_t weight, uint32_t *ret_index);

/* Index of a string, or TALLY_NONE. */
uint32_t tally_find(const struct tally *t, const uint8_t *bytes, size_t len);

/* The next new string may make it forget; one that must keep its indexes stops here. */
bool tally_is_full(const struct tally *t);

uint32_t tally_size(const struct tally *t);
struct tally_item tally_item(const struct tally *t, uint32_t index); /* index < tally_size */

/* All indexes in falling order of count, strings of equal count in byte order. The caller frees.
 * Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err tally_order(const struct tally *t, uint32_t **ret_indexes);

#endif
