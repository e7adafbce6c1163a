/* test_utf8.c - the decoder against every code point and every short byte string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "model/text/utf8.h"

#include "cmocka.h"

/* Well-formed sequences as Unicode's table 3-7 lists them, written out apart from the decoder. */
static bool table_allows(const uint8_t *s, size_t len) {
    uint8_t low = 0x80, high = 0xbf;

    if (len == 1)
        return s[0] < 0x80;
    if (s[0] == 0xe0)
        low = 0xa0;
    if (s[0] == 0xed)
        high = 0x9f;
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return false;
    for (size_t i = 2; i < len; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return false;
    return (len == 2 && s[0] >= 0xc2 && s[0] <= 0xdf) ||
           (len == 3 && s[0] >= 0xe0 && s[0] <= 0xef) || (len == 4 && s[0] >= 0xf0 && s[0] <= 0xf4);
}

static void every_code_point_comes_back(void **state) {
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        uint8_t bytes[UTF8_MAX];
        size_t len, at = 0;

        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        len = utf8_put(code, bytes);
        if (utf8_step(bytes, len, &at) != code || at != len || !table_allows(bytes, len) ||
            utf8_back(bytes, len) != 0)
            fail_msg("U+%04X", code);
    }
}

/* All strings of up to three bytes, and four bytes with every lead and second byte. */
static void the_table_decides(void **state) {
    static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};

    (void)state;
    for (uint32_t all = 0; all < 1u << 24; all++) {
        uint8_t s[4] = {(uint8_t)(all >> 16), (uint8_t)(all >> 8), (uint8_t)all,
                        tails[all % sizeof tails]};

        for (size_t len = 1; len <= 4; len++) {
            size_t at = 0;
            bool one = utf8_step(s, len, &at) != UTF8_BAD && at == len;

            if (one != table_allows(s, len))
                fail_msg("%02x %02x %02x %02x, length %zu", s[0], s[1], s[2], s[3], len);
        }
    }
}

/* The span of broken text ends where it breaks, wherever that is; the bytes lie at the end of a
 * block of their own, so that a sanitizer sees a read past them. */
static void span_ends_at_the_break(void **state) {
    static const char *const broken[] = {
        "\xff",        "\x80", "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf0\x9f\x98"};

    (void)state;
    for (size_t kind = 0; kind < sizeof broken / sizeof broken[0]; kind++)
        for (size_t before = 0; before < 40; before++) {
            size_t tail = strlen(broken[kind]);
            uint8_t *text = malloc(before + tail);

            assert_non_null(text);
            memset(text, 'a', before);
            memcpy(text + before, broken[kind], tail);
            assert_int_equal(utf8_span(text, before + tail), before);
            assert_false(utf8_valid(text, before + tail));
            assert_true(utf8_valid(text, before));
            free(text);
        }
}

static void failure_leaves_the_place(void **state) {
    const uint8_t text[] = {'a', 0xe2, 0x82};
    size_t at = 1;

    (void)state;
    assert_int_equal(utf8_step(text, sizeof text, &at), UTF8_BAD);
    assert_int_equal(at, 1);
}

/* Exactly the proper prefixes of code points begin one: all strings of up to three bytes. */
static void beginnings_are_the_prefixes(void **state) {
    static bool prefix[3][1 << 24];

    (void)state;
    for (uint32_t code = 0x80; code <= 0x10ffff; code++) {
        uint8_t b[UTF8_MAX];
        size_t len = utf8_put(code, b);
        uint32_t key = 0;

        if (!utf8_valid(b, len))
            continue;
        assert_int_equal(utf8_length(b[0]), len);
        for (size_t n = 1; n < len; n++) {
            key = key << 8 | b[n - 1];
            prefix[n - 1][key] = true;
        }
    }
    for (size_t n = 1; n <= 3; n++)
        for (uint32_t key = 0; key < 1u << 8 * n; key++) {
            const uint8_t b[3] = {(uint8_t)(key >> 8 * (n - 1)),
                                  (uint8_t)(n > 1 ? key >> 8 * (n - 2) : 0), (uint8_t)key};

            if (utf8_begins(b, n) != prefix[n - 1][key])
                fail_msg("%zu bytes, %x", n, key);
        }
    assert_false(utf8_begins((const uint8_t *)"", 0));
    assert_false(utf8_begins((const uint8_t *)"\xf0\x9f\x98\x80", 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_comes_back), cmocka_unit_test(the_table_decides),
        cmocka_unit_test(span_ends_at_the_break),      cmocka_unit_test(failure_leaves_the_place),
        cmocka_unit_test(beginnings_are_the_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
