/* word64.h - eight bytes of text in one number, the first byte lowest, missing ones zero: looked
 * at, folded and hashed at once instead of a byte at a time. Nothing here reads past the length
 * given.
 */
#ifndef MODEL_TEXT_WORD64_H
#define MODEL_TEXT_WORD64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD64_BYTES 8u
#define WORD64_START 0x2545f4914f6cdd1du /* hash of no bytes */
#define WORD64_EACH  0x0101010101010101u /* times a byte: the byte in every place */
#define WORD64_TOPS  0x8080808080808080u

static inline uint64_t word64_whole(const uint8_t *bytes) {
    uint64_t block;

    memcpy(&block, bytes, sizeof block);
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    block = __builtin_bswap64(block);
#endif
    return block;
}

/* Its first n bytes, 1..8. */
static inline uint64_t word64_first(uint64_t block, size_t n) {
    return block & UINT64_MAX >> (WORD64_BYTES - n) * 8;
}

/* Of n bytes, or the first eight of more. */
static inline uint64_t word64_load(const uint8_t *bytes, size_t n) {
    uint64_t block = 0;

    if (n >= WORD64_BYTES)
        return word64_whole(bytes);
    for (size_t i = n; i-- > 0;)
        block = block << 8 | bytes[i];
    return block;
}

/* Hash of a text so far, and the next block of it: its high bits scatter well. Not for keys that an
 * opponent chooses. */
static inline uint64_t word64_hash(uint64_t h, uint64_t block) {
    h = (h ^ block) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* The top bit of each byte that is an ASCII letter or digit; *ret_lower: the block in lower case.
 */
static inline uint64_t word64_letters(uint64_t block, uint64_t *ret_lower) {
    const uint64_t seven = block & ~WORD64_TOPS, ascii = ~block & WORD64_TOPS;
    const uint64_t low = seven | 0x20 * WORD64_EACH; /* a letter is a small one now, and no other */
    const uint64_t letter =
        ascii & (low + (0x80 - 'a') * WORD64_EACH) & ~(low + (0x7f - 'z') * WORD64_EACH);
    const uint64_t digit =
        ascii & (seven + (0x80 - '0') * WORD64_EACH) & ~(seven + (0x7f - '9') * WORD64_EACH);

    *ret_lower = block | letter >> 2;
    return letter | digit;
}

/* How many bytes at the start have their top bit, 0..8. */
static inline size_t word64_run(uint64_t tops) {
    uint64_t others = ~tops & WORD64_TOPS;

    return others ? (size_t)__builtin_ctzll(others) / 8 : WORD64_BYTES;
}

#endif
