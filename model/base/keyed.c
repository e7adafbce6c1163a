#include "model/base/keyed.h"

#include <sodium.h>

_Static_assert(sizeof((struct keyed){{0}}.key) == crypto_shorthash_KEYBYTES, "the key");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "the hash");

void keyed_init(struct keyed *k) {
    randombytes_buf(k->key, sizeof k->key);
}

uint64_t keyed_hash(const struct keyed *k, const void *bytes, size_t n) {
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, bytes, n, k->key);
    return hash;
}
