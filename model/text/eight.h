/* eight.h - eight bytes of text in one number, the first byte lowest, missing ones zero: looked at,
 * folded and hashed at once instead of a byte at a time. Nothing here reads past the length given.
 */
#ifndef MODEL_TEXT_EIGHT_H
#define MODEL_TEXT_EIGHT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EIGHT_BYTES 8u
#define EIGHT_START 0x2545f4914f6cdd1du /* hash of no bytes */
#define EIGHT_EACH  0x0101010101010101u /* times a byte: the byte in every place */
#define EIGHT_TOPS  0x8080808080808080u

static inline uint64_t eight_whole(const uint8_t *bytes) {
    uint64_t block;

    memcpy(&block, bytes, sizeof block);
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    block = __builtin_bswap64(block);
#endif
    return block;
}

/* Its first n bytes, 1..8. */
static inline uint64_t eight_first(uint64_t block, size_t n) {
    return block & UINT64_MAX >> (EIGHT_BYTES - n) * 8;
}

/* Of n bytes, or the first eight of more. */
static inline uint64_t eight_load(const uint8_t *bytes, size_t n) {
    uint64_t block = 0;

    if (n >= EIGHT_BYTES)
        return eight_whole(bytes);
    for (size_t i = n; i-- > 0;)
        block = block << 8 | bytes[i];
    return block;
}

/* Hash of a text so far, and the next block of it: its high bits scatter well. Not for keys that an
 * opponent chooses. */
static inline uint64_t eight_hash(uint64_t h, uint64_t block) {
    h = (h ^ block) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* The top bit of each byte that is an ASCII letter or digit; *ret_lower: the block in lower case.
 */
static inline uint64_t eight_letters(uint64_t block, uint64_t *ret_lower) {
    const uint64_t seven = block & ~EIGHT_TOPS, ascii = ~block & EIGHT_TOPS;
    const uint64_t low = seven | 0x20 * EIGHT_EACH; /* a letter is a small one now, and no other */
    const uint64_t letter =
        ascii & (low + (0x80 - 'a') * EIGHT_EACH) & ~(low + (0x7f - 'z') * EIGHT_EACH);
    const uint64_t digit =
        ascii & (seven + (0x80 - '0') * EIGHT_EACH) & ~(seven + (0x7f - '9') * EIGHT_EACH);

    *ret_lower = block | letter >> 2;
    return letter | digit;
}

/* How many bytes at the start have their top bit, 0..8. */
static inline size_t eight_run(uint64_t tops) {
    uint64_t others = ~tops & EIGHT_TOPS;

    return others ? (size_t)__builtin_ctzll(others) / 8 : EIGHT_BYTES;
}

#endif
