#include "model/text/wordpiece.h"

#include <string.h>

#include "model/text/word64.h"

static size_t put_one(uint32_t id, uint32_t *ids, size_t cap) {
    if (cap > 0)
        ids[0] = id;
    return 1;
}

size_t wordpiece_word(const struct vocab *v, uint32_t unk, struct normalize_word *word,
                      uint32_t *ids, size_t cap) {
    uint32_t pieces[NORMALIZE_WORD_CHARS];
    uint8_t *bytes = normalize_bytes(word), *end = bytes + word->len;
    size_t n = 0, len, min_len = 1;

    if (word->too_long)
        return put_one(unk, ids, cap);
    for (;;) {
        uint32_t id = vocab_longest(v, bytes, (size_t)(end - bytes), min_len, &len);

        if (id == VOCAB_NONE)
            return put_one(unk, ids, cap);
        bytes += len;
        if (bytes == end && n == 0)
            return put_one(id, ids, cap);
        pieces[n++] = id;
        if (bytes == end)
            break;
        bytes -= NORMALIZE_LEAD; /* what lies there has been matched already */
        memcpy(bytes, "##", NORMALIZE_LEAD);
        min_len = NORMALIZE_LEAD + 1;
    }
    if (cap > 0)
        memcpy(ids, pieces, (n < cap ? n : cap) * sizeof *ids);
    return n;
}

/* Does the byte end a word before it, whatever comes next? */
static bool ends_word(uint8_t byte) {
    return normalize_class[byte] == NORMALIZE_SPACE || normalize_class[byte] == NORMALIZE_PUNCT;
}

/* A longer word than a block, folded. False: it does not end here, or not plainly. */
static bool long_word(const uint8_t *text, size_t len, struct normalize_word *w) {
    uint8_t *bytes = normalize_bytes(w);
    size_t n = 0, run = WORD64_BYTES;

    normalize_clear(w);
    while (run == WORD64_BYTES) {
        if (n + WORD64_BYTES > len || n + WORD64_BYTES > NORMALIZE_WORD_CHARS)
            return false;
        for (size_t i = 0; i < WORD64_BYTES; i++)
            bytes[n + i] = normalize_class[text[n + i]];
        for (run = 0; run < WORD64_BYTES && bytes[n + run] >= NORMALIZE_WORD;)
            run++;
        n += run;
    }
    w->len = n;
    w->chars = (uint32_t)n;
    return ends_word(text[n]);
}

size_t wordpiece_plain(const struct vocab *v, uint32_t unk, const uint8_t *text, size_t len,
                       size_t *at, uint32_t *ids, size_t cap) {
    struct normalize_word word;
    size_t got = 0, i = *at;

    while (got <= cap && i + WORD64_BYTES <= len) {
        uint64_t lower, letters = word64_letters(word64_whole(text + i), &lower);
        size_t run = word64_run(letters);
        uint32_t id = VOCAB_NONE;

        if (run == 0) {
            uint8_t class = normalize_class[text[i]];

            if (class == NORMALIZE_BEYOND)
                break;
            i++;
            if (class != NORMALIZE_PUNCT)
                continue;
            id = vocab_find_short(v, text[i - 1], 1);
            got += put_one(id == VOCAB_NONE ? unk : id, ids + got, cap - got);
            continue;
        }
        if (run < WORD64_BYTES) {
            if (!ends_word(text[i + run]))
                break;
            lower = word64_first(lower, run);
            id = vocab_find_short(v, lower, run);
        }
        if (id != VOCAB_NONE) {
            got += put_one(id, ids + got, cap - got);
        } else {
            if (!long_word(text + i, len - i, &word))
                break;
            run = word.len;
            got += wordpiece_word(v, unk, &word, ids + got, cap - got);
        }
        i += run + (text[i + run] == ' ');
    }
    *at = i;
    return got;
}
