/* test_name.c - which bytes may stand in a name, and in a stream's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/name.h"

#include "cmocka.h"

/* Encode a code point in exactly width bytes, overlong or not. */
static size_t put(unsigned char *s, uint32_t c, size_t width) {
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = width; i-- > 1; c >>= 6)
        s[i] = (unsigned char)(0x80 | (c & 0x3f));
    s[0] = (unsigned char)(lead[width] | c);
    return width;
}

static size_t width_of(uint32_t c) {
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void every_code_point(void **state) {
    unsigned char s[4];

    (void)state;
    for (uint32_t c = 0; c < 0x200000; c++) {
        size_t n = put(s, c, width_of(c));
        int allowed = c >= 0x20 && !(c >= 0x7f && c <= 0x9f) && !(c >= 0xd800 && c <= 0xdfff) &&
                      c <= 0x10ffff && !(c >= 0x2028 && c <= 0x202e) &&
                      !(c >= 0x2066 && c <= 0x2069);

        if (name_span(s, n) != (allowed ? n : 0))
            fail_msg("U+%04X: %zu of %zu bytes", (unsigned)c, name_span(s, n), n);
    }
}

static void overlong_forms_are_refused(void **state) {
    unsigned char s[4];

    (void)state;
    for (uint32_t c = 0x20; c < 0x10000; c++)
        for (size_t width = width_of(c) + 1; width <= 4; width++)
            assert_int_equal(name_span(s, put(s, c, width)), 0);
}

static void cut_and_stray_bytes_are_refused(void **state) {
    unsigned char s[4];
    size_t n = put(s, 0x1f600, 4);

    (void)state;
    while (--n > 0)
        assert_int_equal(name_span(s, n), 0);
    for (unsigned c = 0x80; c < 0x100; c++) {
        s[0] = (unsigned char)c;
        s[1] = 'a';
        assert_int_equal(name_span(s, 2), 0);
    }
    assert_int_equal(name_span("ab\xff"
                               "c",
                               4),
                     2);
}

static void check(const char *name, size_t len, diffuse_err expected, const char *says) {
    struct reason why = {""};

    assert_int_equal(decode_stream_name(name, len, &why), expected);
    if (says)
        assert_non_null(strstr(why.text, says));
    else
        assert_string_equal(why.text, "");
}

static void stream_names(void **state) {
    char long_name[LIMIT_STREAM_BYTES + 1];

    (void)state;
    memset(long_name, 'x', sizeof long_name);
    check("robot7/rosout", 13, DIFFUSE_OK, NULL);
    check("r\xc3\xb6"
          "bot",
          6, DIFFUSE_OK, NULL);
    check("a$b", 3, DIFFUSE_OK, NULL);
    check(long_name, LIMIT_STREAM_BYTES, DIFFUSE_OK, NULL);
    check(long_name, LIMIT_STREAM_BYTES + 1, DIFFUSE_BADNAME, "256 bytes");
    check("", 0, DIFFUSE_BADNAME, "empty");
    check("a\0b", 3, DIFFUSE_BADNAME, "byte 1");
    check("ab\n", 3, DIFFUSE_BADNAME, "byte 2");
    check("ab\xc3", 3, DIFFUSE_BADNAME, "byte 2");
    check("x\xc2\x9b"
          "31m",
          6, DIFFUSE_BADNAME, "byte 1");
    check("ab\xe2\x80\xae"
          "cd",
          7, DIFFUSE_BADNAME, "direction");
    check("$sys/ready", 10, DIFFUSE_BADNAME, "reserved");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(overlong_forms_are_refused),
        cmocka_unit_test(cut_and_stray_bytes_are_refused),
        cmocka_unit_test(stream_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
