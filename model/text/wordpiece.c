/* wordpiece.c - see wordpiece.h. */
#include "model/text/wordpiece.h"

#include <string.h>

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
