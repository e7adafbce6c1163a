/* test_encode.c - what is encoded comes back, fits what was planned for it, and never overruns. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/encode.h"
#include "tests/lib/wire_random.h"

#include "cmocka.h"

enum { CAP = 8192, ROUNDS = 20000 };

/* Decode, encode again: the bytes must be the same, since fields are written in one order. */
static void round_trips(void **state) {
    static unsigned char first[CAP], second[CAP], room[256 * 1024];
    struct wire_random r = wire_random_start("encode");
    struct msgmem mem;

    (void)state;
    msgmem_init(&mem, room, sizeof room);
    for (int i = 0; i < ROUNDS; i++) {
        Diffused__V1__Ingest *ingest;
        Diffused__V1__Label *label;
        Diffused__V1__Reply *reply;
        Diffused__V1__Request *request;
        size_t n, m = 0;

        msgmem_reset(&mem);
        n = wire_random_ingest(&r, first, CAP);
        assert_int_equal(decode_ingest(first, n, &mem, &ingest, NULL), DIFFUSE_OK);
        assert_int_equal(encode_ingest(ingest, second, n, &m), DIFFUSE_OK);
        assert_int_equal(n, m);
        assert_memory_equal(first, second, n);

        n = wire_random_label(&r, first, CAP);
        assert_int_equal(decode_label(first, n, &mem, &label, NULL), DIFFUSE_OK);
        assert_int_equal(encode_label(label, second, n, &m), DIFFUSE_OK);
        assert_int_equal(n, m);
        assert_memory_equal(first, second, n);

        n = wire_random_reply(&r, first, CAP);
        assert_int_equal(decode_reply(first, n, &mem, &reply, NULL), DIFFUSE_OK);
        assert_int_equal(encode_reply(reply, second, n, &m), DIFFUSE_OK);
        assert_int_equal(n, m);
        assert_memory_equal(first, second, n);

        n = wire_random_request(&r, first, CAP);
        assert_int_equal(decode_request(first, n, &mem, &request, NULL), DIFFUSE_OK);
        assert_int_equal(encode_request(request, second, n, &m), DIFFUSE_OK);
        assert_int_equal(n, m);
        assert_memory_equal(first, second, n);
    }
}

/* The largest label there can be for the given sizes. */
static Diffused__V1__Label largest(Diffused__V1__Times *t, float *scores, size_t n_labels,
                                   uint8_t *name, size_t name_len) {
    Diffused__V1__Label l;

    diffused__v1__label__init(&l);
    diffused__v1__times__init(t);
    t->queue_ns = t->compute_ns = t->total_ns = UINT64_MAX;
    t->batch = UINT32_MAX;
    l.seq = UINT64_MAX;
    l.stamp_ns = -1;
    l.label_id = l.tokens = l.error = UINT32_MAX;
    l.confidence = 0.5f;
    l.truncated = 1;
    l.label_name = (ProtobufCBinaryData){name_len, name};
    l.model_id = (ProtobufCBinaryData){64, name};
    l.error_text = (ProtobufCBinaryData){LIMIT_REASON_BYTES, name};
    l.n_scores = n_labels;
    l.scores = scores;
    l.times = t;
    return l;
}

static void the_plan_for_labels_holds(void **state) {
    static uint8_t name[LIMIT_REASON_BYTES], out[LIMIT_LABELS * 4 + 8192];
    static float scores[LIMIT_LABELS];

    (void)state;
    memset(name, 'x', sizeof name);
    for (size_t n = 1; n <= LIMIT_LABELS; n = n * 2 + 1)
        for (size_t len = 1; len <= LIMIT_LABEL_BYTES; len += 127) {
            Diffused__V1__Times t;
            Diffused__V1__Label l = largest(&t, scores, n, name, len);
            size_t plan = encode_label_max(n, len, 64), used = 0;

            assert_int_equal(encode_label(&l, out, plan, &used), DIFFUSE_OK);
            assert_true(used <= plan && plan < used + 128); /* enough, and not much more */
        }
}

static void the_plan_for_events_holds(void **state) {
    static uint8_t text[LIMIT_REASON_BYTES], out[4096];
    Diffused__V1__Event e;
    size_t used = 0;

    (void)state;
    diffused__v1__event__init(&e);
    memset(text, 'x', sizeof text);
    e.stamp_ns = UINT64_MAX;
    e.kind = e.text = (ProtobufCBinaryData){sizeof text, text};
    assert_int_equal(encode_event(&e, out, encode_event_max(), &used), DIFFUSE_OK);
    assert_true(used > 2 * sizeof text);
}

static void too_small_a_buffer_stays_untouched(void **state) {
    static uint8_t name[LIMIT_REASON_BYTES];
    float scores[3] = {0.5f, 0.25f, 0.25f};
    Diffused__V1__Times t;
    Diffused__V1__Label l = largest(&t, scores, 3, name, 10);
    unsigned char out[2048];
    size_t full = 0, used;

    (void)state;
    assert_int_equal(encode_label(&l, out, sizeof out, &full), DIFFUSE_OK);
    for (size_t cap = 0; cap < full; cap++) {
        memset(out, 0xa5, sizeof out);
        used = 77;
        assert_int_equal(encode_label(&l, out, cap, &used), DIFFUSE_TOOBIG);
        assert_int_equal(used, 77);
        for (size_t i = 0; i < sizeof out; i++)
            assert_int_equal(out[i], 0xa5);
    }
    assert_int_equal(encode_label(&l, out, full, &used), DIFFUSE_OK);
    assert_int_equal(used, full);
}

static void encoding_leaves_the_heap_alone(void **state) {
    static uint8_t name[LIMIT_REASON_BYTES];
    float scores[3] = {0.5f, 0.25f, 0.25f};
    Diffused__V1__Times t;
    Diffused__V1__Label l = largest(&t, scores, 3, name, 10);
    unsigned char out[2048];
    size_t heap = mallinfo2().uordblks, used;

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(encode_label(&l, out, sizeof out, &used), DIFFUSE_OK);
    assert_int_equal(mallinfo2().uordblks, heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(the_plan_for_labels_holds),
        cmocka_unit_test(the_plan_for_events_holds),
        cmocka_unit_test(too_small_a_buffer_stays_untouched),
        cmocka_unit_test(encoding_leaves_the_heap_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
