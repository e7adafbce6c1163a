/* The books by pages: every stream of a prefix on one of them, each page within its room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/path/path.h"
#include "daemon/report/stream_page.h"
#include "proto/encode.h"

#define STREAMS 100u
#define ROOM    5000u
#define SECOND  ((uint64_t)1000000000u)

/* Names as long as can be, numbers as large: the page must pack into its room all the same. */
static size_t name_stream(char *name, unsigned i) {
    memset(name, 'n', LIMIT_STREAM_BYTES);
    name[0] = (char)(i % 3 == 0 ? 'a' : 'b');
    int len = snprintf(name + 1, 8, "%03u", i);
    name[1 + len] = 'n';
    return LIMIT_STREAM_BYTES;
}

static struct stream_name named(const char *name, size_t len) {
    static const struct keyed key = {{7}};
    return stream_name(&key, name, len);
}

static uint64_t fill(struct stream_table *t) {
    char name[LIMIT_STREAM_BYTES];
    uint64_t accepted = 0, seq = UINT64_MAX;
    for (unsigned i = 0; i < STREAMS; i++) {
        size_t len = name_stream(name, i);
        for (unsigned k = 0; k <= i; k++, accepted++)
            stream_settle(t, stream_hear(t, named(name, len), &seq).books,
                          (enum stream_fate)(k % STREAM_FATES));
    }
    return accepted;
}

static void test_pages(void **state) {
    (void)state;
    static uint8_t memory[1 << 16], packed[ROOM];
    static const char *const prefixes[] = {"", "a", "b0", "none"};
    static const size_t expected[] = {STREAMS, 34, 66, 0};
    struct arena a;
    struct stream_table *t = NULL;
    struct msgmem rows;
    assert_int_equal(arena_init(&a, stream_bytes(STREAMS)), DIFFUSE_OK);
    assert_int_equal(stream_new(&a, STREAMS, &t), DIFFUSE_OK);
    uint64_t accepted = fill(t);
    msgmem_init(&rows, memory, sizeof memory);
    for (size_t p = 0; p < 4; p++) {
        Diffused__V1__StreamsRequest asked = DIFFUSED__V1__STREAMS_REQUEST__INIT;
        size_t seen = 0, pages = 0;
        uint64_t sum = 0;
        bool had[STREAMS] = {false};
        asked.prefix =
            (ProtobufCBinaryData){strlen(prefixes[p]), (uint8_t *)(uintptr_t)prefixes[p]};
        do {
            Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
            Diffused__V1__Streams page;
            size_t len;
            msgmem_reset(&rows);
            assert_int_equal(stream_page_page(t, &asked, &rows, ROOM, &page), DIFFUSE_OK);
            reply.result_case = DIFFUSED__V1__REPLY__RESULT_STREAMS;
            reply.streams = &page;
            assert_int_equal(encode_reply(&reply, packed, ROOM, &len), DIFFUSE_OK);
            for (size_t i = 0; i < page.n_streams; i++) {
                const Diffused__V1__StreamBooks *b = page.streams[i];
                unsigned number = 0;
                assert_int_equal(sscanf((const char *)b->stream.data + 1, "%3u", &number), 1);
                assert_false(had[number]);
                had[number] = true;
                assert_int_equal(b->accepted, number + 1);
                assert_int_equal(b->labelled + b->errored + b->expired + b->dropped, b->accepted);
                assert_int_equal(b->in_flight, 0);
                assert_int_equal(memcmp(b->stream.data, prefixes[p], strlen(prefixes[p])), 0);
                sum += b->accepted;
            }
            assert_int_equal(page.total->accepted, accepted);
            assert_int_equal(page.known, STREAMS);
            seen += page.n_streams;
            asked.from = page.next;
            pages++;
        } while (asked.from != 0);
        assert_int_equal(seen, expected[p]);
        assert_true(p > 0 || (pages > 5 && sum == accepted));
    }
    Diffused__V1__StreamsRequest beyond = DIFFUSED__V1__STREAMS_REQUEST__INIT;
    Diffused__V1__Streams page;
    beyond.from = UINT32_MAX;
    msgmem_reset(&rows);
    assert_int_equal(stream_page_page(t, &beyond, &rows, ROOM, &page), DIFFUSE_OK);
    assert_int_equal(page.n_streams, 0);
    arena_done(&a);
}

/* Where the rows' memory is smaller than the message's, pages are as long as that: none is lost. */
static void test_pages_fit_the_memory_of_their_rows(void **state) {
    (void)state;
    static uint8_t memory[1 << 15];
    struct arena a;
    struct stream_table *t = NULL;
    struct msgmem rows;
    size_t fitted = 0;
    assert_int_equal(arena_init(&a, stream_bytes(STREAMS)), DIFFUSE_OK);
    assert_int_equal(stream_new(&a, STREAMS, &t), DIFFUSE_OK);
    (void)fill(t);
    for (size_t cap = 512; cap <= sizeof memory; cap += 504) {
        Diffused__V1__StreamsRequest asked = DIFFUSED__V1__STREAMS_REQUEST__INIT;
        Diffused__V1__Streams page;
        size_t seen = 0;
        msgmem_init(&rows, memory, cap);
        do {
            msgmem_reset(&rows);
            diffuse_err e = stream_page_page(t, &asked, &rows, STREAMS * ROOM, &page);
            if (e) {
                assert_true(e == DIFFUSE_TOOBIG && cap < 2048 && seen == 0);
                break;
            }
            assert_true(page.n_streams > 0);
            seen += page.n_streams;
            asked.from = page.next;
        } while (asked.from != 0);
        assert_true(seen == 0 || seen == STREAMS);
        fitted += seen == STREAMS;
    }
    assert_true(fitted > 50);
    arena_done(&a);
}

static void test_no_room(void **state) {
    (void)state;
    static uint8_t memory[64];
    struct arena a;
    struct stream_table *t = NULL;
    struct msgmem rows;
    Diffused__V1__StreamsRequest asked = DIFFUSED__V1__STREAMS_REQUEST__INIT;
    Diffused__V1__Streams page;
    assert_int_equal(arena_init(&a, stream_bytes(4)), DIFFUSE_OK);
    assert_int_equal(stream_new(&a, 4, &t), DIFFUSE_OK);
    msgmem_init(&rows, memory, sizeof memory);
    assert_int_equal(stream_page_page(t, &asked, &rows, ROOM, &page), DIFFUSE_TOOBIG);
    assert_int_equal(stream_page_page(t, &asked, &rows, 3 * STREAM_PAGE_ROW_BYTES, &page),
                     DIFFUSE_TOOBIG);
    arena_done(&a);
}

/* What a sender's clock says counts when it can be true. */
static void test_when_a_sample_expires(void **state) {
    (void)state;
    const uint64_t now = 50 * SECOND, wall = 1000000 * SECOND, limit = 5 * SECOND;
    static const struct {
        int64_t stamp_s; /* 0: none was given */
        uint64_t left_s;
    } cases[] = {{0, 5},      {1000000, 5}, {999998, 3},  {999995, 0}, {999000, 0},     {996400, 0},
                 {996399, 5}, {1000001, 5}, {2000000, 5}, {-1, 5},     {-1000000000, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(path_expiry(limit, cases[i].stamp_s * (int64_t)SECOND, now, wall),
                         now + cases[i].left_s * SECOND);
    assert_int_equal(path_expiry(limit, INT64_MAX, now, wall), now + limit);
    assert_int_equal(path_expiry(limit, INT64_MIN, now, wall), now + limit);
    assert_int_equal(path_expiry(0, (int64_t)(wall - SECOND), now, wall), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_pages_fit_the_memory_of_their_rows),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_when_a_sample_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
