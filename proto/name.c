#include "proto/name.h"

#include <stdint.h>

#include "proto/limits.h"

/* Bytes of the character at s (0 when it is not well formed within n bytes); its code point in
 * *code. */
static size_t take(const unsigned char *s, size_t n, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t width = s[0] < 0x80             ? 1
                   : (s[0] & 0xe0) == 0xc0 ? 2
                   : (s[0] & 0xf0) == 0xe0 ? 3
                   : (s[0] & 0xf8) == 0xf0 ? 4
                                           : 0;
    uint32_t c;

    if (width == 0 || width > n)
        return 0;
    c = width == 1 ? s[0] : s[0] & (0x7fu >> width);
    for (size_t i = 1; i < width; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < least[width] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return width;
}

static bool allowed(uint32_t code) {
    return code >= 0x20 && (code < 0x7f || code > 0x9f) && (code < 0x2028 || code > 0x202e) &&
           (code < 0x2066 || code > 0x2069);
}

size_t name_span(const void *bytes, size_t len) {
    const unsigned char *s = bytes;
    size_t at = 0;

    while (at < len) {
        uint32_t code;
        size_t width = take(s + at, len - at, &code);

        if (width == 0 || !allowed(code))
            break;
        at += width;
    }
    return at;
}

bool name_valid(const void *bytes, size_t len) {
    return len >= 1 && len <= LIMIT_STREAM_BYTES && name_span(bytes, len) == len;
}
