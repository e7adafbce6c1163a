/* keyed.h - hashes that nobody can aim at without the key: SipHash-2-4 (libsodium). For tables
 * whose entries come from outside. */
#ifndef MODEL_BASE_KEYED_H
#define MODEL_BASE_KEYED_H

#include <stddef.h>
#include <stdint.h>

struct keyed {
    uint8_t key[16];
};

void keyed_init(struct keyed *k); /* a random key */
uint64_t keyed_hash(const struct keyed *k, const void *bytes, size_t n);

#endif
