/* hash.h - 64-bit hash of a short byte string: FNV-1a (Fowler, Noll and Vo), a byte at a time, so
 * that one pass yields the hash of every prefix; ended by a mixing step, since its low bits alone
 * scatter short strings badly. Not for keys that an opponent chooses. */
#ifndef MODEL_TEXT_HASH_H
#define MODEL_TEXT_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0xcbf29ce484222325u

static inline uint64_t hash_add(uint64_t h, uint8_t byte) {
    return (h ^ byte) * 0x100000001b3u;
}

static inline uint64_t hash_end(uint64_t h) {
    h ^= h >> 32;
    return h * 0x9e3779b97f4a7c15u;
}

static inline uint64_t hash_of(const uint8_t *bytes, size_t len) {
    uint64_t h = HASH_START;

    for (size_t i = 0; i < len; i++)
        h = hash_add(h, bytes[i]);
    return hash_end(h);
}

#endif
