/* digest.c - the only file that knows libsodium. */
#include "model/base/digest.h"

#include <sodium.h>

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct digest), "room for the state");

void digest_init(struct digest *d) {
    (void)crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)d->state);
}

void digest_add(struct digest *d, const void *bytes, size_t n) {
    (void)crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)d->state, bytes, n);
}

void digest_hex(struct digest *d, char ret_hex[DIGEST_HEX_BYTES]) {
    unsigned char hash[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)d->state, hash);
    (void)sodium_bin2hex(ret_hex, DIGEST_HEX_BYTES, hash, sizeof hash);
}
