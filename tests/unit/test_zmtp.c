/* Frames of a connection: the same ones however the bytes are cut, and messages that are bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/zmtp.h"
#include "model/base/rng.h"

#define MORE    1u
#define COMMAND 4u
#define MAX     2000u

struct wire {
    uint8_t bytes[16384];
    size_t n;
};

static void greet(struct wire *w, uint8_t version) {
    memset(w->bytes, 0, 64);
    w->bytes[0] = 0xff;
    w->bytes[9] = 0x7f;
    w->bytes[10] = version;
    w->n = 64;
}

static void put(struct wire *w, uint8_t flags, const char *begin, size_t begin_len, size_t len) {
    if (len > 255) {
        w->bytes[w->n++] = flags | 2u;
        for (unsigned i = 0; i < 8; i++)
            w->bytes[w->n++] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
    } else {
        w->bytes[w->n++] = flags;
        w->bytes[w->n++] = (uint8_t)len;
    }
    memset(w->bytes + w->n, 'x', len);
    if (begin_len > 0)
        memcpy(w->bytes + w->n, begin, begin_len);
    w->n += len;
}

struct seen {
    unsigned frames, subscribe, cancel;
    size_t topic_bytes;
    bool fine;
};

/* In pieces of at most `piece` bytes. */
static struct seen read_all(const struct wire *w, size_t piece) {
    struct zmtp z = {0};
    struct seen seen = {.fine = true};
    for (size_t at = 0; at < w->n && seen.fine; at += piece) {
        const uint8_t *bytes = w->bytes + at;
        size_t n = w->n - at < piece ? w->n - at : piece;
        while (n > 0 && seen.fine) {
            const uint8_t *topic;
            size_t len = 0;
            if (!zmtp_take(&z, &bytes, &n, MAX, &seen.fine))
                continue;
            enum zmtp_wish wish = zmtp_wish(&z, &topic, &len);
            seen.frames++;
            seen.subscribe += wish == ZMTP_SUBSCRIBE;
            seen.cancel += wish == ZMTP_CANCEL;
            seen.topic_bytes += wish == ZMTP_OTHER ? 0 : len;
        }
    }
    return seen;
}

static void test_any_pieces(void **state) {
    (void)state;
    static struct wire w;
    greet(&w, 3);
    put(&w, COMMAND, "\x05READY", 6, 40);
    put(&w, 0, "\x01", 1, 5);                  /* subscribe to 4 bytes, as before 3.1 */
    put(&w, COMMAND, "\x09SUBSCRIBE", 10, 13); /* to 3 */
    put(&w, COMMAND,
        "\x06"
        "CANCEL",
        7, 9);                /* of 2 */
    put(&w, 0, "\x00", 1, 1); /* cancel of all */
    put(&w, MORE, "s", 1, 10);
    put(&w, 0, "body", 4, 1000);
    put(&w, 0, "", 0, 0);
    put(&w, 0, "\x01", 1, 300); /* longer than any stream's name */
    for (size_t piece = 1; piece < w.n; piece += piece < 80 ? 1 : 37) {
        struct seen seen = read_all(&w, piece);
        assert_true(seen.fine);
        assert_int_equal(seen.frames, 9);
        assert_int_equal(seen.subscribe, 3);
        assert_int_equal(seen.cancel, 2);
        assert_int_equal(seen.topic_bytes, 4 + 3 + 2 + 0 + ZMTP_HEAD_BYTES - 1);
    }
}

static void test_messages_are_bounded(void **state) {
    (void)state;
    static struct wire w;
    greet(&w, 3);
    for (unsigned i = 0; i < 8; i++) { /* whole messages, each at the bound */
        put(&w, MORE, "", 0, 10);
        put(&w, 0, "", 0, MAX - 10 - 2 * ZMTP_FRAME_COST);
    }
    assert_true(read_all(&w, 100).fine);
    put(&w, MORE, "", 0, 11);
    put(&w, 0, "", 0, MAX - 10 - 2 * ZMTP_FRAME_COST);
    assert_false(read_all(&w, 100).fine);

    greet(&w, 3);
    for (unsigned i = 0; i < 100; i++) /* frames without a byte count too */
        put(&w, MORE, "", 0, 0);
    struct seen seen = read_all(&w, 7);
    assert_false(seen.fine);
    assert_int_equal(seen.frames, MAX / ZMTP_FRAME_COST);

    greet(&w, 3);
    memcpy(w.bytes + w.n, "\x03\xff\xff\xff\xff\xff\xff\xff\xff",
           9); /* that would wrap: ZeroMQ's */
    w.n += 9;
    put(&w, MORE, "", 0, 3000);
    seen = read_all(&w, 64);
    assert_true(seen.fine);
    assert_int_equal(seen.frames, 0);
}

/* What stands between the frames of a message does not begin it anew. */
static void test_commands_are_no_part_of_messages(void **state) {
    (void)state;
    static struct wire w;
    greet(&w, 3);
    for (unsigned i = 0; i < 3; i++) {
        put(&w, MORE, "", 0, MAX / 3);
        put(&w, COMMAND, "\x04PING", 5, 7);
    }
    assert_false(read_all(&w, 100).fine);

    greet(&w, 3);
    for (unsigned i = 0; i < 100; i++) /* and alone they are nothing */
        put(&w, COMMAND, "\x04PING", 5, 7);
    struct seen seen = read_all(&w, 100);
    assert_true(seen.fine);
    assert_int_equal(seen.frames, 100);
}

static void greet_curve(struct wire *w) {
    greet(w, 3);
    memcpy(w->bytes + 12, "CURVE", 5);
}

/* As ZeroMQ has it: a byte of flags, then what is in the frame. False: more than may be sent. */
static bool open_frame(struct zmtp *z, uint8_t flags, const char *begin, size_t begin_len,
                       size_t len) {
    uint8_t opened[4096] = {flags};
    memset(opened + 1, 'x', len);
    memcpy(opened + 1, begin, begin_len);
    return zmtp_open(z, opened, len + 1, MAX);
}

static bool take_all(struct zmtp *z, const struct wire *w, size_t from, size_t n) {
    const uint8_t *bytes = w->bytes + from;
    bool fine = true;
    while (n > 0 && fine)
        (void)zmtp_take(z, &bytes, &n, MAX, &fine);
    return fine;
}

static void test_sealed_messages_are_bounded(void **state) {
    (void)state;
    static struct wire w;
    const uint8_t *topic;
    size_t len;
    greet_curve(&w);
    size_t frame = w.n;
    put(&w, 0, "\x07MESSAGE", 8, MAX / 2 + ZMTP_SEAL_BYTES);
    struct zmtp z = {0};
    assert_true(take_all(&z, &w, 0, frame));
    assert_true(z.curve);
    for (unsigned i = 0; i < 1000; i++) { /* whole messages without end */
        assert_true(take_all(&z, &w, frame, w.n - frame));
        assert_true(open_frame(&z, 0, "", 0, MAX / 2));
        assert_int_equal(z.sealed, 0);
    }
    assert_true(open_frame(&z, 1, "", 0, MAX / 2)); /* one message, of more and more frames */
    assert_true(open_frame(&z, 2, "\x04PING", 5, 7));
    assert_false(open_frame(&z, 1, "", 0, MAX / 2));

    z = (struct zmtp){0}; /* nothing is ever opened: as with another ZeroMQ */
    assert_true(take_all(&z, &w, 0, frame));
    unsigned n = 0;
    while (take_all(&z, &w, frame, w.n - frame))
        n++;
    assert_in_range(n, 10, 60);

    z = (struct zmtp){0};
    assert_true(take_all(&z, &w, 0, frame));
    assert_true(open_frame(&z, 0, "\x01topic", 6, 6));
    assert_int_equal(zmtp_wish(&z, &topic, &len), ZMTP_SUBSCRIBE);
    assert_int_equal(len, 5);
    assert_true(open_frame(&z, 2, "\x09SUBSCRIBEab", 12, 12));
    assert_int_equal(zmtp_wish(&z, &topic, &len), ZMTP_SUBSCRIBE);
    assert_int_equal(len, 2);
    assert_true(open_frame(&z, 2,
                           "\x06"
                           "CANCEL",
                           7, 7));
    assert_int_equal(zmtp_wish(&z, &topic, &len), ZMTP_CANCEL);
    assert_true(open_frame(&z, 0, "", 0, 0));
    assert_int_equal(zmtp_wish(&z, &topic, &len), ZMTP_OTHER);
}

/* Only that name, in that place, is CURVE. */
static void test_mechanisms(void **state) {
    (void)state;
    static const char *const others[] = {"NULL", "PLAIN", "CURV", "CURVES", "curve", ""};
    static struct wire w;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct zmtp z = {0};
        greet(&w, 3);
        memcpy(w.bytes + 12, others[i], strlen(others[i]));
        assert_true(take_all(&z, &w, 0, w.n));
        assert_false(z.curve);
    }
}

static void test_old_protocols_are_refused(void **state) {
    (void)state;
    static struct wire w;
    for (uint8_t version = 0; version < 5; version++) {
        greet(&w, version);
        assert_int_equal(read_all(&w, 64).fine, version >= 3);
    }
}

static void test_any_bytes(void **state) {
    (void)state;
    static struct wire w;
    struct rng rng;
    rng_init(&rng, 11, 0);
    for (unsigned turn = 0; turn < 2000; turn++) {
        greet(&w, 3);
        for (unsigned i = 0; i < 500; i++)
            w.bytes[w.n++] = (uint8_t)rng_below(&rng, turn % 2 ? 256 : 4);
        struct seen whole = read_all(&w, w.n), pieces = read_all(&w, 1 + rng_below(&rng, 70));
        assert_memory_equal(&whole.frames, &pieces.frames, 3 * sizeof whole.frames);
        assert_int_equal(whole.fine, pieces.fine);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_pieces),
        cmocka_unit_test(test_messages_are_bounded),
        cmocka_unit_test(test_commands_are_no_part_of_messages),
        cmocka_unit_test(test_sealed_messages_are_bounded),
        cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_old_protocols_are_refused),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
