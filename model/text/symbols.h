/* symbols.h - text split at ASCII white space: the words of the symbol tokenizer. */
#ifndef MODEL_TEXT_SYMBOLS_H
#define MODEL_TEXT_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool symbols_is_space(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next symbol of text from *at on: true, where it starts and its bytes, and *at after it. */
static inline bool symbols_next(const uint8_t *text, size_t len, size_t *at,
                                const uint8_t **ret_symbol, size_t *ret_len) {
    size_t start = *at, end;

    while (start < len && symbols_is_space(text[start]))
        start++;
    for (end = start; end < len && !symbols_is_space(text[end]);)
        end++;
    *at = end;
    *ret_symbol = text + start;
    *ret_len = end - start;
    return end > start;
}

#endif
