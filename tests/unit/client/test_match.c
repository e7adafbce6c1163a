/* test_match.c - labels then and now: pairs in any order, differences, what never comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/recording/match.h"
#include "client/relay/relay.h"
#include "model/base/rng.h"
#include "proto/encode.h"

#include "cmocka.h"

struct label {
    const char *stream;
    uint64_t seq;
    const char *name;
    float confidence;
    diffuse_err error;
    int truncated;
    const char *model;
};

typedef diffuse_err take(struct match *m, const diffuse_result *label);

static int open_client(void **state) {
    struct diffuse_options o = {.size = sizeof o, .endpoint = "/nowhere"};

    return diffuse_client_new(&o, (diffuse_client **)state) ? -1 : 0;
}

static int close_client(void **state) {
    diffuse_client_free(*state);
    return 0;
}

static ProtobufCBinaryData bytes(const char *text) {
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static void give(diffuse_client *client, struct match *m, take *to, struct label l) {
    unsigned char buffer[512];
    struct diffuse_message message = {.way = DIFFUSE_LABELS,
                                      .n_frames = 2,
                                      .frames = {{l.stream, strlen(l.stream)}, {buffer, 0}}};
    Diffused__V1__Label label = DIFFUSED__V1__LABEL__INIT;
    diffuse_result *result;

    label.seq = l.seq;
    label.label_name = bytes(l.name ? l.name : "a");
    label.confidence = l.confidence;
    label.error = (uint32_t)l.error;
    label.truncated = l.truncated;
    label.model_id = bytes(l.model ? l.model : "m");
    assert_int_equal(encode_label(&label, buffer, sizeof buffer, &message.frames[1].len), 0);
    assert_int_equal(diffuse_message_result(client, &message, &result), DIFFUSE_OK);
    assert_int_equal(to(m, result), DIFFUSE_OK);
    diffuse_result_free(result);
}

static void sent(struct match *m, const char *stream, uint64_t seq) {
    assert_int_equal(match_sent(m, stream, strlen(stream), seq), DIFFUSE_OK);
}

/* One sample with these two labels: is it the same? */
static bool same(diffuse_client *client, struct label then, struct label now) {
    struct match m = {0};
    bool identical;

    then.stream = now.stream = "s";
    sent(&m, "s", 0);
    give(client, &m, match_then, then);
    assert_int_equal(m.due, 1);
    give(client, &m, match_now, now);
    assert_int_equal(m.identical + m.different, 1);
    assert_int_equal(m.due + m.waiting + m.n_entries, 0);
    identical = m.identical;
    match_done(&m);
    return identical;
}

static void what_is_the_same(void **state) {
    static const struct {
        struct label then, now;
        bool same;
    } cases[] = {
        {{.confidence = 0.5f}, {.confidence = 0.5f}, true},
        {{.confidence = 0.5f}, {.confidence = 0.5000005f}, true},
        {{.confidence = 0.5f}, {.confidence = 0.500002f}, false},
        {{.name = "a"}, {.name = "b"}, false},
        {{.truncated = 1}, {.truncated = 0}, false},
        {{.error = DIFFUSE_EMPTY}, {.error = DIFFUSE_OK}, false},
        {{.error = DIFFUSE_EMPTY}, {.error = DIFFUSE_BADTEXT}, false},
        {{.error = DIFFUSE_EMPTY, .confidence = 1}, {.error = DIFFUSE_EMPTY}, true},
        {{.model = "x"}, {.model = "y"}, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(same(*state, cases[i].then, cases[i].now), cases[i].same);
}

/* Whatever comes first; also what was sent twice under one name, and what others sent. */
static void any_order(void **state) {
    enum { N = 3000 };
    struct match m = {0};
    struct rng rng;
    unsigned then = 0, now = 0, out = 0;

    rng_init(&rng, 1, 1);
    while (now < N) {
        unsigned which = rng_below(&rng, 3);
        struct label l = {.stream = "s"};

        if (which == 0 && out < N)
            sent(&m, "s", out++ / 2);
        if (which == 1 && then < out) {
            l.seq = then / 2;
            l.confidence = (float)(then++ % 2);
            give(*state, &m, match_then, l);
        }
        if (which == 2 && now < out) {
            l.seq = now / 2;
            l.confidence = (float)(now++ % 2);
            give(*state, &m, match_now, l);
        }
        if (rng_below(&rng, 8) == 0)
            give(*state, &m, match_now, (struct label){.stream = "another", .seq = now});
    }
    while (then < N) {
        struct label l = {.stream = "s", .seq = then / 2, .confidence = (float)(then % 2)};

        then++;
        give(*state, &m, match_then, l);
    }
    assert_int_equal(m.identical, N);
    assert_int_equal(m.answered, N);
    assert_int_equal(m.different + m.foreign + m.n_entries + m.waiting + m.due, 0);
    match_done(&m);
}

static void what_is_left(void **state) {
    struct match m = {0};

    for (uint64_t i = 0; i < 40; i++)
        sent(&m, i % 2 ? "a" : "b", i);
    give(*state, &m, match_then, (struct label){.stream = "c", .seq = 1});
    for (uint64_t i = 0; i < 20; i++)
        give(*state, &m, match_then, (struct label){.stream = i % 2 ? "a" : "b", .seq = i});
    for (uint64_t i = 15; i < 30; i++)
        give(*state, &m, match_now,
             (struct label){.stream = i % 2 ? "a" : "b", .seq = i, .name = i == 17 ? "x" : "a"});
    assert_int_equal(m.due, 15);
    assert_int_equal(m.waiting, 25);
    match_finish(&m);
    assert_int_equal(m.missing, 15);
    assert_int_equal(m.unrecorded, 10);
    assert_int_equal(m.foreign, 1);
    assert_int_equal(m.identical, 4);
    assert_int_equal(m.different, 1);
    assert_int_equal(m.n_shown, MATCH_SHOWN);
    assert_int_equal(m.shown[0].seq, 17);
    assert_string_equal(m.shown[0].words, "a 0.0000000 then, x 0.0000000 now");
    assert_non_null(strstr(m.shown[1].words, "no label now"));
    match_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_same),
        cmocka_unit_test(any_order),
        cmocka_unit_test(what_is_left),
    };
    return cmocka_run_group_tests(tests, open_client, close_client);
}
