#include "model/text/sigma.h"

#include <utf8proc.h>

#include "model/text/letter.h"
#include "model/text/utf8.h"

#define SIGMA_SMALL 0x3c3u
#define SIGMA_FINAL 0x3c2u

/* What a neighbour says about the sigma. */
enum neighbour { CASED, IGNORED, OTHER };

/* Punctuation that stands inside words: the property Case_Ignorable beyond the categories. */
static bool inside_words(uint32_t code) {
    static const uint16_t list[] = {0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,
                                    0x5f4,  0x2018, 0x2019, 0x2024, 0x2027, 0xfe13,
                                    0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (list[i] == code)
            return true;
    return false;
}

/* The property Other_Uppercase and Other_Lowercase, where it is not IGNORED anyway. */
static bool cased_symbol(uint32_t code) {
    return code == 0xaa || code == 0xba || (code >= 0x2160 && code <= 0x217f) ||
           (code >= 0x24b6 && code <= 0x24e9) || (code >= 0x1f130 && code <= 0x1f149) ||
           (code >= 0x1f150 && code <= 0x1f169) || (code >= 0x1f170 && code <= 0x1f189);
}

static enum neighbour judge(uint32_t code) {
    if (letter_is_dropped(code) || inside_words(code))
        return IGNORED;
    if (letter_is_space(code) || letter_is_ideograph(code))
        return OTHER;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return IGNORED;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
        return CASED;
    default:
        return cased_symbol(code) ? CASED : OTHER;
    }
}

static bool cased_before(const uint8_t *text, size_t len, size_t at, bool before) {
    while (at > 0) {
        size_t start = utf8_back(text, at), next = start;
        enum neighbour n = judge(utf8_step(text, len, &next));

        if (n != IGNORED)
            return n == CASED;
        at = start;
    }
    return before;
}

bool sigma_cased(const uint8_t *text, size_t len, bool before) {
    return cased_before(text, len, len, before);
}

enum sigma_answer sigma_look(const uint8_t *text, size_t len, uint32_t *seen) {
    for (size_t at = 0; at < len && *seen < SIGMA_REACH; ++*seen) {
        enum neighbour n = judge(utf8_step(text, len, &at));

        if (n != IGNORED)
            return n == CASED ? SIGMA_INSIDE : SIGMA_ENDS;
    }
    return *seen < SIGMA_REACH ? SIGMA_OPEN : SIGMA_ENDS;
}

size_t sigma_waits(const uint8_t *text, size_t len, uint32_t *ret_seen) {
    uint32_t seen = 0;

    for (size_t at = len; at > 0 && seen < SIGMA_REACH; seen++) {
        size_t start = utf8_back(text, at), next = start;
        uint32_t code = utf8_step(text, len, &next);

        *ret_seen = seen;
        if (code == SIGMA_CAPITAL)
            return start;
        if (judge(code) != IGNORED)
            break;
        at = start;
    }
    return len;
}

static bool cased_after(const uint8_t *text, size_t len, size_t at, bool after) {
    uint32_t seen = 0;
    enum sigma_answer answer = sigma_look(text + at, len - at, &seen);

    return answer == SIGMA_OPEN ? after : answer == SIGMA_INSIDE;
}

uint32_t sigma_lower(const uint8_t *text, size_t len, size_t start, size_t end,
                     struct sigma_beyond beyond) {
    return cased_before(text, len, start, beyond.before) &&
                   !cased_after(text, len, end, beyond.after)
               ? SIGMA_FINAL
               : SIGMA_SMALL;
}
