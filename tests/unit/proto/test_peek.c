/* test_peek.c - the number that addresses an answer, out of whole and of damaged frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/peek.h"
#include "tests/lib/wire_random.h"

#include "cmocka.h"

enum { CAP = 4096, ROUNDS = 20000 };

static void agrees_with_the_decoder(void **state) {
    static unsigned char frame[CAP], room[64 * 1024];
    struct wire_random r = wire_random_start("peek");
    struct msgmem mem;

    (void)state;
    msgmem_init(&mem, room, sizeof room);
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = wire_random_ingest(&r, frame, sizeof frame);
        Diffused__V1__Ingest *m;
        Diffused__V1__Reply *reply;
        struct reason why;

        msgmem_reset(&mem);
        if (decode_ingest(frame, n, &mem, &m, &why))
            fail_msg("round %d: %s", i, why.text);
        assert_true(peek_ingest_seq(frame, n) == (m->kind_case == DIFFUSED__V1__INGEST__KIND_SAMPLE
                                                      ? m->sample->seq
                                                      : m->feedback->seq));
        n = wire_random_reply(&r, frame, sizeof frame);
        msgmem_reset(&mem);
        assert_int_equal(decode_reply(frame, n, &mem, &reply, NULL), DIFFUSE_OK);
        assert_true(peek_id(frame, n) == reply->id);
    }
}

static void damage_never_leads_outside(void **state) {
    struct wire_random r = wire_random_start("peek damage");
    unsigned char frame[CAP];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = wire_random_ingest(&r, frame, sizeof frame);
        unsigned char *exact;

        n = wire_random_damage(&r, frame, n, sizeof frame);
        exact = malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
        assert_non_null(exact);
        memcpy(exact, frame, n);
        (void)peek_ingest_seq(exact, n);
        (void)peek_id(exact, n);
        assert_true(peek_ingest_kind(exact, n) <= 2);
        free(exact);
    }
}

static void finds_it_before_the_damage(void **state) {
    /* seq 300, then a text that claims 4 GiB */
    static const unsigned char cut[] = {0x0a, 0x80, 0x80, 0x80, 0x80, 0x10, 0x08, 0xac, 0x02, 0x1a};
    static const unsigned char endless[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0x01};

    (void)state;
    assert_int_equal(peek_ingest_seq(cut, sizeof cut), 300);
    assert_int_equal(peek_id(endless, sizeof endless), 0);
    assert_int_equal(peek_id("", 0), 0);
    assert_int_equal(peek_ingest_kind(cut, sizeof cut), 1);
    assert_int_equal(peek_ingest_kind("\x0a\0\x12\0", 4), 2); /* the last one counts */
    assert_int_equal(peek_ingest_kind(endless, sizeof endless), 0);
    assert_int_equal(peek_ingest_kind("", 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_decoder),
        cmocka_unit_test(damage_never_leads_outside),
        cmocka_unit_test(finds_it_before_the_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
