#include "model/text/normalize.h"

#include <assert.h>
#include <string.h>
#include <utf8proc.h>

#include "model/text/letter.h"
#include "model/text/utf8.h"

#define FOLD_MAX 8u /* code points of the longest canonical decomposition: 4 */

#define DROP   NORMALIZE_DROP
#define SPACE  NORMALIZE_SPACE
#define PUNCT  NORMALIZE_PUNCT
#define BEYOND NORMALIZE_BEYOND

/* clang-format off */
#define FOUR(x)    x, x, x, x
#define SIXTEEN(x) FOUR(x), FOUR(x), FOUR(x), FOUR(x)
const uint8_t normalize_class[256] = {
    FOUR(DROP), FOUR(DROP), DROP, SPACE, SPACE, DROP, DROP, SPACE, DROP, DROP,
    SIXTEEN(DROP),
    SPACE, PUNCT, PUNCT, PUNCT, FOUR(PUNCT), FOUR(PUNCT), FOUR(PUNCT),
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', PUNCT, PUNCT, FOUR(PUNCT),
    PUNCT, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', PUNCT, FOUR(PUNCT),
    PUNCT, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', FOUR(PUNCT), DROP,
    SIXTEEN(BEYOND), SIXTEEN(BEYOND), SIXTEEN(BEYOND), SIXTEEN(BEYOND),
    SIXTEEN(BEYOND), SIXTEEN(BEYOND), SIXTEEN(BEYOND), SIXTEEN(BEYOND),
};
/* clang-format on */

static int mark_class(utf8proc_int32_t code) {
    return utf8proc_get_property(code)->combining_class;
}

/* Canonical order: the mark that was appended at start sinks below marks of a higher class. Only
 * the two dozen marks that are not Mn ever get here. */
static void sink_mark(struct normalize_word *w, size_t start, int class) {
    uint8_t *bytes = normalize_bytes(w), mark[UTF8_MAX];
    size_t mark_len = w->len - start;

    memcpy(mark, bytes + start, mark_len);
    while (start > w->settled) {
        size_t before = utf8_back(bytes, start), at = before;

        if (mark_class((utf8proc_int32_t)utf8_step(bytes, w->len, &at)) <= class)
            break;
        memmove(bytes + before + mark_len, bytes + before, start - before);
        start = before;
    }
    memcpy(bytes + start, mark, mark_len);
}

static void append(struct normalize_word *w, utf8proc_int32_t code) {
    size_t start = w->len;
    int class = mark_class(code);

    if (utf8proc_category(code) == UTF8PROC_CATEGORY_MN) {
        if (class == 0)
            w->settled = w->len;
        return;
    }
    if (w->chars == NORMALIZE_WORD_CHARS) {
        w->too_long = true;
        return;
    }
    w->len += utf8_put((uint32_t)code, normalize_bytes(w) + w->len);
    w->chars++;
    if (class > 0)
        sink_mark(w, start, class);
}

/* Lower case and canonical decomposition of the code point at start..end, its base first. */
static size_t fold(const struct normalize *n, uint32_t code, size_t start, size_t end,
                   utf8proc_int32_t ret_codes[FOLD_MAX]) {
    int boundary = 0;
    utf8proc_int32_t lower =
        code == SIGMA_CAPITAL
            ? (utf8proc_int32_t)sigma_lower(n->text, n->len, start, end, n->beyond)
            : utf8proc_tolower((utf8proc_int32_t)code);
    utf8proc_ssize_t got =
        utf8proc_decompose_char(lower, ret_codes, FOLD_MAX, UTF8PROC_DECOMPOSE, &boundary);

    assert(got > 0 && got <= (utf8proc_ssize_t)FOLD_MAX);
    return (size_t)got;
}

/* Take one code point beyond ASCII. Returns true when the word is complete; the code point is then
 * consumed only if it belongs to that word. */
static bool take_beyond(struct normalize *n, struct normalize_word *w) {
    utf8proc_int32_t codes[FOLD_MAX];
    size_t next = n->at, n_codes;
    uint32_t code = utf8_step(n->text, n->len, &next);
    bool alone;

    assert(code != UTF8_BAD); /* the caller has checked the text */
    if (letter_is_dropped(code) || letter_is_space(code)) {
        n->at = next;
        return w->len > 0 && letter_is_space(code);
    }
    n_codes = fold(n, code, n->at, next, codes);
    alone = letter_is_ideograph(code) || letter_is_punct((uint32_t)codes[0]);
    if (alone && w->len > 0)
        return true;
    n->at = next;
    for (size_t i = 0; i < n_codes; i++)
        append(w, codes[i]);
    return alone;
}

/* Take the ASCII word characters at hand. */
static void take_letters(struct normalize *n, struct normalize_word *w) {
    uint8_t *bytes = normalize_bytes(w);
    uint32_t room = NORMALIZE_WORD_CHARS - w->chars, taken = 0;
    size_t at = n->at;
    uint8_t c;

    while (at < n->len && (c = normalize_class[n->text[at]]) >= NORMALIZE_WORD) {
        if (taken == room) {
            w->too_long = true;
            at++;
            continue;
        }
        bytes[w->len + taken++] = c;
        at++;
    }
    w->len += taken;
    w->chars += taken;
    n->at = at;
}

void normalize_clear(struct normalize_word *w) {
    w->len = 0;
    w->settled = 0;
    w->chars = 0;
    w->too_long = false;
}

bool normalize_more(struct normalize *n, struct normalize_word *w) {
    while (n->at < n->len) {
        switch (normalize_class[n->text[n->at]]) {
        case DROP:
            n->at++;
            break;
        case SPACE:
            n->at++;
            if (w->len > 0)
                return true;
            break;
        case PUNCT:
            if (w->len > 0)
                return true;
            normalize_bytes(w)[0] = n->text[n->at++];
            w->len = w->chars = 1;
            return true;
        case BEYOND:
            if (take_beyond(n, w))
                return true;
            break;
        default:
            take_letters(n, w);
        }
    }
    return false;
}

bool normalize_next(struct normalize *n, struct normalize_word *ret_word) {
    normalize_clear(ret_word);
    return normalize_more(n, ret_word) || ret_word->len > 0;
}
