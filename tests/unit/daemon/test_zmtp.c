/* Frames of a connection: the same ones however the bytes are cut, and messages that are bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/door/zmtp.h"
#include "model/base/rng.h"

#define MORE    1u
#define COMMAND 4u
#define MAX     2000u

static const struct zmtp_rules gathers = {MAX, false}, publishes = {MAX, true};

struct wire {
    uint8_t bytes[16384];
    size_t n;
};

static void greet(struct wire *w, uint8_t version) {
    memset(w->bytes, 0, 64);
    w->bytes[0] = 0xff;
    w->bytes[9] = 0x7f;
    w->bytes[10] = version;
    memcpy(w->bytes + 12, "NULL", 4);
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

static void shake(struct wire *w) {
    greet(w, 3);
    put(w, COMMAND, "\x05READY", 6, 40);
}

struct seen {
    unsigned frames, subscribe, cancel, readings;
    size_t topic_bytes;
    enum zmtp_fault fault;
};

/* As the door does it: in readings of at most `piece` bytes, each begun where the last one ended.
 */
static struct seen read_all(const struct wire *w, size_t piece, const struct zmtp_rules *rules) {
    struct zmtp z = {0};
    struct seen seen = {.fault = ZMTP_FINE};
    size_t at = 0;
    while (at < w->n && seen.fault == ZMTP_FINE) {
        const uint8_t *begin = w->bytes + at, *bytes = begin;
        size_t n = w->n - at < piece ? w->n - at : piece;
        enum zmtp_step step = ZMTP_FRAME;
        while (n > 0 && step == ZMTP_FRAME && seen.fault == ZMTP_FINE) {
            const uint8_t *topic;
            size_t len = 0;
            step = zmtp_take(&z, &bytes, &n, rules, bytes == begin);
            if (step == ZMTP_FRAME)
                seen.fault = zmtp_judge(&z, rules);
            if (step != ZMTP_FRAME || seen.fault != ZMTP_FINE)
                continue;
            enum zmtp_wish wish = zmtp_wish(&z, &topic, &len);
            seen.frames++;
            seen.subscribe += wish == ZMTP_SUBSCRIBE;
            seen.cancel += wish == ZMTP_CANCEL;
            seen.topic_bytes += wish == ZMTP_OTHER ? 0 : len;
        }
        if (step == ZMTP_FORBIDDEN && bytes == begin)
            seen.fault = zmtp_fault(&z, bytes, n, rules);
        else if (seen.fault == ZMTP_FINE)
            assert_true(bytes > begin); /* or ZeroMQ would be called for ever */
        at += (size_t)(bytes - begin);
        seen.readings++;
    }
    return seen;
}

static void test_any_pieces(void **state) {
    (void)state;
    static struct wire w;
    shake(&w);
    put(&w, 0, "\x01", 1, 5);                  /* subscribe to 4 bytes, as before 3.1 */
    put(&w, COMMAND, "\x09SUBSCRIBE", 10, 13); /* to 3 */
    put(&w, COMMAND,
        "\x06"
        "CANCEL",
        7, 9);                                     /* of 2 */
    put(&w, 0, "\x00", 1, 1);                      /* cancel of all */
    put(&w, COMMAND, "\x04PING", 5, 23);           /* with all the context that there may be */
    put(&w, 0, "\x01", 1, LIMIT_STREAM_BYTES + 1); /* as long as a stream's name may be */
    put(&w, COMMAND, "\x09SUBSCRIBE", 10, LIMIT_STREAM_BYTES + 10);
    for (size_t piece = 1; piece < w.n; piece += piece < 80 ? 1 : 37) {
        struct seen seen = read_all(&w, piece, &publishes);
        assert_int_equal(seen.fault, ZMTP_FINE);
        assert_int_equal(seen.frames, 8);
        assert_int_equal(seen.subscribe, 4);
        assert_int_equal(seen.cancel, 2);
        assert_int_equal(seen.topic_bytes, 4 + 3 + 2 + 0 + 2 * LIMIT_STREAM_BYTES);
    }
}

static enum zmtp_fault after_handshake(uint8_t flags, const char *begin, size_t begin_len,
                                       size_t len, const struct zmtp_rules *rules) {
    static struct wire w;
    shake(&w);
    put(&w, flags, begin, begin_len, len);
    enum zmtp_fault whole = read_all(&w, w.n, rules).fault;
    for (size_t piece = 1; piece < 20; piece++)
        assert_int_equal(read_all(&w, piece, rules).fault, whole);
    return whole;
}

/* By the kind of socket; what is on no list is refused. */
static void test_what_is_allowed(void **state) {
    (void)state;
    static const char subscribe[] = "\x09SUBSCRIBE", cancel[] = "\x06"
                                                                "CANCEL";
    const struct zmtp_rules *both[] = {&gathers, &publishes};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(after_handshake(COMMAND, "\x04PING", 5, 7, both[i]), ZMTP_FINE);
        assert_int_equal(after_handshake(COMMAND, "\x04PING", 5, 6, both[i]), ZMTP_COMMAND);
        assert_int_equal(after_handshake(COMMAND, "\x04PING", 5, 5, both[i]), ZMTP_COMMAND);
        assert_int_equal(after_handshake(COMMAND, "\x04PING", 5, 24, both[i]), ZMTP_COMMAND);
        assert_int_equal(after_handshake(COMMAND | MORE, "\x04PING", 5, 7, both[i]), ZMTP_COMMAND);
        assert_int_equal(after_handshake(COMMAND, "\x04PONG", 5, 5, both[i]), ZMTP_FINE);
        assert_int_equal(after_handshake(COMMAND, "\x04PONG", 5, 22, both[i]), ZMTP_COMMAND);
        assert_int_equal(after_handshake(COMMAND,
                                         "\x05"
                                         "ERROR",
                                         6, 10, both[i]),
                         ZMTP_COMMAND);
        assert_int_equal(after_handshake(COMMAND, "\x05READY", 6, 20, both[i]), ZMTP_COMMAND);
        assert_int_equal(after_handshake(COMMAND, "", 0, 0, both[i]), ZMTP_COMMAND);
        assert_int_equal(after_handshake(8, "", 0, 4, both[i]), ZMTP_ALIEN);
    }
    assert_int_equal(after_handshake(COMMAND, subscribe, 10, 12, &gathers), ZMTP_COMMAND);
    assert_int_equal(after_handshake(COMMAND, cancel, 7, 9, &gathers), ZMTP_COMMAND);
    assert_int_equal(after_handshake(0, "\x01", 1, 700, &gathers), ZMTP_FINE);
    assert_int_equal(after_handshake(0, "\x01", 1, LIMIT_STREAM_BYTES + 2, &publishes), ZMTP_TOPIC);
    assert_int_equal(after_handshake(COMMAND, subscribe, 10, LIMIT_STREAM_BYTES + 11, &publishes),
                     ZMTP_COMMAND);
    assert_int_equal(after_handshake(COMMAND, cancel, 7, LIMIT_STREAM_BYTES + 8, &publishes),
                     ZMTP_TOPIC);
    assert_int_equal(after_handshake(MORE, "\x01", 1, 3, &publishes), ZMTP_TOPIC);
    assert_int_equal(after_handshake(0, "\x02", 1, 3, &publishes), ZMTP_TOPIC);
    assert_int_equal(after_handshake(0, "", 0, 0, &publishes), ZMTP_TOPIC);
}

/* ZeroMQ would take a READY for one whatever its flags say, and PING before it for a mistake. */
static void test_handshakes(void **state) {
    (void)state;
    static const struct {
        uint8_t flags;
        const char *begin;
        size_t len;
        enum zmtp_fault fault;
    } first[] = {{COMMAND, "\x05READY", 40, ZMTP_FINE},
                 {0, "\x05READY", 40, ZMTP_COMMAND},
                 {COMMAND | MORE, "\x05READY", 40, ZMTP_COMMAND},
                 {COMMAND, "\x05READY", ZMTP_HANDSHAKE_BYTES, ZMTP_FINE},
                 {COMMAND, "\x05READY", ZMTP_HANDSHAKE_BYTES + 1, ZMTP_COMMAND},
                 {COMMAND, "\x05HELLO", 200, ZMTP_COMMAND},
                 {COMMAND, "\x04PING", 7, ZMTP_COMMAND}};
    static struct wire w;
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        greet(&w, 3);
        put(&w, first[i].flags, first[i].begin, strlen(first[i].begin), first[i].len);
        for (size_t piece = 1; piece < 90; piece += 11)
            assert_int_equal(read_all(&w, piece, &gathers).fault, first[i].fault);
    }
}

/* A command is the first in its reading, or ZeroMQ could meet it after the peer has left. */
static void test_readings_end_before_commands(void **state) {
    (void)state;
    static struct wire w;
    shake(&w);
    put(&w, MORE, "s", 1, 10);
    put(&w, COMMAND, "\x04PING", 5, 7);
    put(&w, 0, "", 0, 100);
    put(&w, COMMAND, "\x04PING", 5, 7);
    put(&w, COMMAND, "\x04PONG", 5, 7);
    put(&w, MORE, "s", 1, 10);
    put(&w, 0, "", 0, 100);
    struct seen seen = read_all(&w, w.n, &gathers);
    assert_int_equal(seen.fault, ZMTP_FINE);
    assert_int_equal(seen.frames, 8);
    assert_int_equal(seen.readings, 4); /* up to s; PING and body; PING; PONG and the rest */
}

static void test_messages_are_bounded(void **state) {
    (void)state;
    static struct wire w;
    shake(&w);
    for (unsigned i = 0; i < 7; i++) { /* whole messages, each at the bound */
        put(&w, MORE, "", 0, 10);
        put(&w, 0, "", 0, MAX - 10 - 2 * ZMTP_FRAME_COST);
    }
    assert_int_equal(read_all(&w, 100, &gathers).fault, ZMTP_FINE);
    put(&w, MORE, "", 0, 11);
    put(&w, 0, "", 0, MAX - 10 - 2 * ZMTP_FRAME_COST);
    struct seen seen = read_all(&w, w.n, &gathers);
    assert_int_equal(seen.fault, ZMTP_LARGE);
    assert_int_equal(seen.frames, 1 + 7 * 2 + 1); /* what was sent before is not lost */

    shake(&w);
    for (unsigned i = 0; i < 100; i++) /* frames without a byte count too */
        put(&w, MORE, "", 0, 0);
    seen = read_all(&w, 7, &gathers);
    assert_int_equal(seen.fault, ZMTP_LARGE);
    assert_int_equal(seen.frames, 1 + MAX / ZMTP_FRAME_COST);

    shake(&w);
    memcpy(w.bytes + w.n, "\x03\xff\xff\xff\xff\xff\xff\xff\xff",
           9); /* that would wrap: ZeroMQ's */
    w.n += 9;
    memset(w.bytes + w.n, 0, 3000);
    w.n += 3000;
    seen = read_all(&w, 64, &gathers);
    assert_int_equal(seen.fault, ZMTP_FINE);
    assert_int_equal(seen.frames, 1);
}

/* What stands between the frames of a message does not begin it anew. */
static void test_commands_are_no_part_of_messages(void **state) {
    (void)state;
    static struct wire w;
    shake(&w);
    for (unsigned i = 0; i < 3; i++) {
        put(&w, MORE, "", 0, MAX / 3);
        put(&w, COMMAND, "\x04PING", 5, 7);
    }
    assert_int_equal(read_all(&w, 100, &gathers).fault, ZMTP_LARGE);

    shake(&w);
    for (unsigned i = 0; i < 100; i++) /* and alone they are nothing */
        put(&w, COMMAND, "\x04PING", 5, 7);
    struct seen seen = read_all(&w, 100, &gathers);
    assert_int_equal(seen.fault, ZMTP_FINE);
    assert_int_equal(seen.frames, 101);
}

static void shake_curve(struct wire *w) {
    greet(w, 3);
    memcpy(w->bytes + 12, "CURVE", 5);
    put(w, COMMAND, "\x05HELLO", 6, 200);
    put(w, COMMAND, "\x08INITIATE", 9, 300);
}

/* As ZeroMQ has it: a byte of flags, then what is in the frame. */
static enum zmtp_fault open_frame(struct zmtp *z, uint8_t flags, const char *begin,
                                  size_t begin_len, size_t len, const struct zmtp_rules *rules,
                                  enum zmtp_wish *ret_wish, size_t *ret_len) {
    struct zmtp inner;
    const uint8_t *topic;
    uint8_t opened[4096] = {flags};
    memset(opened + 1, 'x', len);
    if (begin_len > 0)
        memcpy(opened + 1, begin, begin_len);
    enum zmtp_fault fault = zmtp_open(z, opened, len + 1, rules, &inner);
    if (fault == ZMTP_FINE && ret_wish)
        *ret_wish = zmtp_wish(&inner, &topic, ret_len);
    return fault;
}

static bool take_all(struct zmtp *z, const struct wire *w, size_t from, size_t n) {
    const uint8_t *bytes = w->bytes + from;
    while (n > 0) {
        enum zmtp_step step = zmtp_take(z, &bytes, &n, &gathers, true);
        if (step == ZMTP_FORBIDDEN || (step == ZMTP_FRAME && zmtp_judge(z, &gathers) != ZMTP_FINE))
            return false;
    }
    return true;
}

static void test_sealed_messages_are_bounded(void **state) {
    (void)state;
    static struct wire w;
    shake_curve(&w);
    size_t frame = w.n;
    put(&w, 0, "\x07MESSAGE", 8, MAX / 2 + ZMTP_SEAL_BYTES);
    struct zmtp z = {0};
    assert_true(take_all(&z, &w, 0, frame));
    assert_true(z.curve && zmtp_shook(&z));
    for (unsigned i = 0; i < 1000; i++) { /* whole messages without end */
        assert_true(take_all(&z, &w, frame, w.n - frame));
        assert_int_equal(open_frame(&z, 0, "", 0, MAX / 2, &gathers, NULL, NULL), ZMTP_FINE);
        assert_int_equal(z.sealed, 0);
    }
    /* one message, of more and more frames */
    assert_int_equal(open_frame(&z, 1, "", 0, MAX / 2, &gathers, NULL, NULL), ZMTP_FINE);
    assert_int_equal(open_frame(&z, 2, "\x04PING", 5, 7, &gathers, NULL, NULL), ZMTP_FINE);
    assert_int_equal(open_frame(&z, 1, "", 0, MAX / 2, &gathers, NULL, NULL), ZMTP_LARGE);

    z = (struct zmtp){0}; /* nothing is ever opened: as with another ZeroMQ */
    assert_true(take_all(&z, &w, 0, frame));
    unsigned n = 0;
    while (take_all(&z, &w, frame, w.n - frame))
        n++;
    assert_in_range(n, 10, 60);
}

static void test_what_is_allowed_inside(void **state) {
    (void)state;
    enum zmtp_wish wish;
    size_t len;
    struct zmtp z = {.curve = true};
    assert_int_equal(open_frame(&z, 0, "\x01topic", 6, 6, &publishes, &wish, &len), ZMTP_FINE);
    assert_int_equal(wish, ZMTP_SUBSCRIBE);
    assert_int_equal(len, 5);
    assert_int_equal(open_frame(&z, 2, "\x09SUBSCRIBEab", 12, 12, &publishes, &wish, &len), 0);
    assert_int_equal(wish, ZMTP_SUBSCRIBE);
    assert_int_equal(len, 2);
    assert_int_equal(open_frame(&z, 2,
                                "\x06"
                                "CANCEL",
                                7, 7, &publishes, &wish, &len),
                     ZMTP_FINE);
    assert_int_equal(wish, ZMTP_CANCEL);
    assert_int_equal(open_frame(&z, 0, "\x01", 1, 300, &publishes, NULL, NULL), ZMTP_TOPIC);
    assert_int_equal(open_frame(&z, 2, "\x09SUBSCRIBE", 10, 12, &gathers, NULL, NULL),
                     ZMTP_COMMAND);
    assert_int_equal(open_frame(&z, 2, "\x04PING", 5, 6, &gathers, NULL, NULL), ZMTP_COMMAND);
    assert_int_equal(open_frame(&z, 3, "\x04PING", 5, 7, &gathers, NULL, NULL), ZMTP_COMMAND);
    assert_int_equal(open_frame(&z, 4, "x", 1, 7, &gathers, NULL, NULL), ZMTP_ALIEN);
}

/* What could be a ping inside is the first in its reading, whichever way its length is said. */
static void test_readings_end_before_what_may_be_a_ping(void **state) {
    (void)state;
    static struct wire w;
    shake_curve(&w);
    size_t begin = w.n;
    for (unsigned i = 0; i < 4; i++) {
        put(&w, 0, "\x07MESSAGE", 8, ZMTP_SEAL_BYTES + 200);
        put(&w, 0, "\x07MESSAGE", 8, ZMTP_SEAL_BYTES + (i < 2 ? 7 : 23));
    }
    for (size_t n = 1; n <= w.n - begin; n++) {
        struct zmtp z = {0};
        assert_true(take_all(&z, &w, 0, begin));
        const uint8_t *at = w.bytes + begin;
        size_t left = n;
        enum zmtp_step step = ZMTP_FRAME;
        while (left > 0 && step == ZMTP_FRAME)
            step = zmtp_take(&z, &at, &left, &gathers, at == w.bytes + begin);
        size_t first = 2 + ZMTP_SEAL_BYTES + 200;
        assert_int_equal(at - (w.bytes + begin), n < first ? n : first);
    }
}

/* Only these names, in that place. */
static void test_mechanisms(void **state) {
    (void)state;
    static const char *const names[] = {"NULL",  "CURVE", "PLAIN", "CURV", "CURVES",
                                        "curve", "",      "NULLS", "NUL",  "GSSAPI"};
    static struct wire w;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct zmtp z = {0};
        greet(&w, 3);
        memset(w.bytes + 12, 0, 20);
        memcpy(w.bytes + 12, names[i], strlen(names[i]));
        bool fine = take_all(&z, &w, 0, w.n);
        assert_int_equal(fine, i < 2);
        assert_true(!fine || z.curve == (i == 1));
    }
}

/* Nor what ZeroMQ takes for one of before there were versions. */
static void test_old_protocols_are_refused(void **state) {
    (void)state;
    static struct wire w;
    for (uint8_t version = 0; version < 5; version++) {
        greet(&w, version);
        assert_int_equal(read_all(&w, 64, &gathers).fault, version >= 3 ? ZMTP_FINE : ZMTP_ALIEN);
    }
    greet(&w, 3);
    w.bytes[0] = 1;
    assert_int_equal(read_all(&w, 64, &gathers).fault, ZMTP_ALIEN);
    greet(&w, 3);
    w.bytes[9] = 0x7e;
    assert_int_equal(read_all(&w, 64, &gathers).fault, ZMTP_ALIEN);
}

static void test_any_bytes(void **state) {
    (void)state;
    static struct wire w;
    struct rng rng;
    rng_init(&rng, 11, 0);
    for (unsigned turn = 0; turn < 2000; turn++) {
        shake(&w);
        for (unsigned i = 0; i < 500; i++)
            w.bytes[w.n++] = (uint8_t)rng_below(&rng, turn % 2 ? 256 : 4);
        const struct zmtp_rules *rules = turn % 3 ? &gathers : &publishes;
        struct seen whole = read_all(&w, w.n, rules);
        struct seen pieces = read_all(&w, 1 + rng_below(&rng, 70), rules);
        assert_memory_equal(&whole.frames, &pieces.frames, 3 * sizeof whole.frames);
        assert_int_equal(whole.fault, pieces.fault);
    }
}

/* Topic and label are two frames, whatever pieces they go out in. */
static void test_what_was_sent_is_counted(void **state) {
    (void)state;
    static struct wire w;
    shake(&w);
    for (unsigned i = 0; i < 5; i++) {
        put(&w, MORE, "s", 1, 10);
        put(&w, 0, "", 0, i * 100);
        put(&w, COMMAND, "\x04PONG", 5, 5);
    }
    for (size_t piece = 1; piece < 300; piece += 7) {
        struct zmtp_sent sent = {0};
        for (size_t at = 0; at < w.n; at += piece)
            zmtp_send(&sent, w.bytes + at, w.n - at < piece ? w.n - at : piece);
        assert_int_equal(sent.frames, 10);
    }
}

/* Those that ZeroMQ gives begin with a zero byte. */
static void test_identities(void **state) {
    (void)state;
    static const struct {
        const char *properties;
        size_t n;
        bool fine;
    } cases[] = {
        {"\x08Identity\0\0\0\5robot", 18, true},
        {"\x08Identity\0\0\0\0", 13, true},
        {"\x08Identity\0\0\0\5\0\1\2\3\4", 18, false},
        {"\x08IDENTITY\0\0\0\1\0", 14, false},
        {"\x01X\0\0\0\1y\x08Identity\0\0\0\1\0", 21, false},
        {"\x08Identitx\0\0\0\1\0", 14, true},
        {"\x08Identity\0\0\0\5\0", 14, true}, /* cut off: nobody reads it */
        {"\x08Ident", 6, true},
        {"", 0, true},
    };
    static uint8_t properties[13 + 256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct wire w;
        uint8_t body[64] = "\x05READY";
        struct seen seen;
        assert_int_equal(zmtp_may_be((const uint8_t *)cases[i].properties, cases[i].n),
                         cases[i].fine);
        memcpy(body + 6, cases[i].properties, cases[i].n);
        greet(&w, 3);
        put(&w, COMMAND, (const char *)body, 6 + cases[i].n, 6 + cases[i].n);
        seen = read_all(&w, 7, &gathers);
        assert_int_equal(seen.fault, cases[i].fine ? ZMTP_FINE : ZMTP_IDENTITY);
    }
    memcpy(properties, "\x08Identity\0\0\0\xff", 13);
    memset(properties + 13, 'x', 256);
    assert_true(zmtp_may_be(properties, 13 + 255));
    properties[11] = 1;
    properties[12] = 0;
    assert_false(zmtp_may_be(properties, 13 + 256));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_pieces),
        cmocka_unit_test(test_what_is_allowed),
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_readings_end_before_commands),
        cmocka_unit_test(test_messages_are_bounded),
        cmocka_unit_test(test_commands_are_no_part_of_messages),
        cmocka_unit_test(test_sealed_messages_are_bounded),
        cmocka_unit_test(test_what_is_allowed_inside),
        cmocka_unit_test(test_readings_end_before_what_may_be_a_ping),
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_old_protocols_are_refused),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_what_was_sent_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
