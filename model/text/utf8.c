#include "model/text/utf8.h"

#include <string.h>

/* Bytes after a lead byte, and the smallest code point that needs that many. */
static const uint32_t smallest[4] = {0, 0x80, 0x800, 0x10000};

static size_t trail_bytes(uint8_t lead) {
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef)
        return 2;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 3;
    return 0;
}

uint32_t utf8_step(const uint8_t *bytes, size_t len, size_t *at) {
    const uint8_t *s = bytes + *at;
    size_t trail;
    uint32_t code;

    if (s[0] < 0x80) {
        *at += 1;
        return s[0];
    }
    trail = trail_bytes(s[0]);
    if (trail == 0 || trail > len - *at - 1)
        return UTF8_BAD;
    code = s[0] & (0x3fu >> trail);
    for (size_t i = 1; i <= trail; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return UTF8_BAD;
        code = code << 6 | (s[i] & 0x3f);
    }
    if (code < smallest[trail] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return UTF8_BAD;
    *at += trail + 1;
    return code;
}

size_t utf8_length(uint8_t lead) {
    size_t trail = trail_bytes(lead);

    return lead < 0x80 ? 1 : trail ? trail + 1 : 0;
}

/* What may follow the bytes is one range of values, so that one of its ends will do. */
bool utf8_begins(const uint8_t *bytes, size_t len) {
    uint8_t least[UTF8_MAX], most[UTF8_MAX];

    if (len == 0 || len >= utf8_length(bytes[0]))
        return false;
    memset(least, 0x80, sizeof least);
    memset(most, 0xbf, sizeof most);
    memcpy(least, bytes, len);
    memcpy(most, bytes, len);
    return utf8_valid(least, utf8_length(bytes[0])) || utf8_valid(most, utf8_length(bytes[0]));
}

size_t utf8_span(const void *bytes, size_t len) {
    const uint8_t *s = bytes;
    size_t at = 0;

    while (at < len) {
        uint64_t eight;

        if (len - at >= sizeof eight) {
            memcpy(&eight, s + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        if (utf8_step(s, len, &at) == UTF8_BAD)
            break;
    }
    return at;
}

bool utf8_valid(const void *bytes, size_t len) {
    return utf8_span(bytes, len) == len;
}

size_t utf8_put(uint32_t code, uint8_t ret_bytes[UTF8_MAX]) {
    if (code < 0x80) {
        ret_bytes[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        ret_bytes[0] = (uint8_t)(0xc0 | code >> 6);
        ret_bytes[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        ret_bytes[0] = (uint8_t)(0xe0 | code >> 12);
        ret_bytes[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        ret_bytes[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    ret_bytes[0] = (uint8_t)(0xf0 | code >> 18);
    ret_bytes[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    ret_bytes[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    ret_bytes[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

size_t utf8_back(const uint8_t *bytes, size_t at) {
    do
        at--;
    while (at > 0 && (bytes[at] & 0xc0) == 0x80);
    return at;
}
