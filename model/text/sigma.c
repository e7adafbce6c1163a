/* sigma.c - see sigma.h. */
#include "model/text/sigma.h"

#include <stdbool.h>
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

static bool cased_before(const uint8_t *text, size_t len, size_t at) {
    while (at > 0) {
        size_t start = utf8_back(text, at), next = start;
        enum neighbour n = judge(utf8_step(text, len, &next));

        if (n != IGNORED)
            return n == CASED;
        at = start;
    }
    return false;
}

static bool cased_after(const uint8_t *text, size_t len, size_t at) {
    while (at < len) {
        enum neighbour n = judge(utf8_step(text, len, &at));

        if (n != IGNORED)
            return n == CASED;
    }
    return false;
}

uint32_t sigma_lower(const uint8_t *text, size_t len, size_t start, size_t end) {
    return cased_before(text, len, start) && !cased_after(text, len, end) ? SIGMA_FINAL
                                                                          : SIGMA_SMALL;
}
