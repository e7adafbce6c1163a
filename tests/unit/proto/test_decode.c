/* test_decode.c - frames in, checked messages out; and what protobuf-c does not guard by itself. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "tests/lib/wire_random.h"

#include "cmocka.h"

enum { CAP = 8192, ROUNDS = 200000 };

static unsigned char room[LIMIT_MESSAGE_BYTES * 4 + 65536];
static unsigned char frame[LIMIT_MESSAGE_BYTES + 1];
static struct msgmem mem;
static struct reason why;

/* Make mem as large as the decoder's own estimate for len bytes, and empty. */
static void fresh(size_t size) {
    assert_true(size <= sizeof room);
    msgmem_init(&mem, room, size);
    why.text[0] = '\0';
}

static diffuse_err ingest(const void *bytes, size_t len, Diffused__V1__Ingest **ret) {
    fresh(decode_room(len));
    return decode_ingest(bytes, len, &mem, ret, &why);
}

static void refuse(const void *bytes, size_t len, diffuse_err expected, const char *says) {
    Diffused__V1__Ingest *m = (Diffused__V1__Ingest *)&mem;

    assert_int_equal(ingest(bytes, len, &m), expected);
    assert_ptr_equal(m, &mem); /* untouched on failure */
    if (!strstr(why.text, says))
        fail_msg("'%s' does not say '%s'", why.text, says);
}

/* Frames of protocol 0.1.0 as another implementation wrote them; they must be read for ever. */
static const unsigned char old_text[] = {
    0x0a, 0x1d, 0x08, 0x07, 0x10, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x1a,
    0x0c, 0x62, 0xc3, 0xa4, 0x74, 0x74, 0x65, 0x72, 0x79, 0x20, 0x6c, 0x6f, 0x77, 0x28, 0x02};
static const unsigned char old_tokens[] = {0x0a, 0x0f, 0x08, 0x08, 0x22, 0x0b, 0x0a, 0x09, 0x00,
                                           0x01, 0xac, 0x02, 0xff, 0xff, 0xff, 0xff, 0x0f};
static const unsigned char old_feedback[] = {0x12, 0x0c, 0x08, 0x09, 0x1a, 0x05, 0x70,
                                             0x6f, 0x77, 0x65, 0x72, 0x22, 0x01, 0x78};
static const unsigned char old_label[] = {
    0x08, 0x07, 0x10, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x18,
    0x01, 0x22, 0x05, 0x70, 0x6f, 0x77, 0x65, 0x72, 0x2d, 0x00, 0x00, 0x40, 0x3f, 0x32,
    0x08, 0x00, 0x00, 0x80, 0x3e, 0x00, 0x00, 0x40, 0x3f, 0x3a, 0x03, 0x61, 0x62, 0x63,
    0x40, 0x03, 0x48, 0x01, 0x62, 0x08, 0x08, 0x01, 0x10, 0x02, 0x18, 0x03, 0x20, 0x04};
static const unsigned char old_error[] = {0x08, 0x07, 0x50, 0x0c, 0x5a, 0x09, 0x6e, 0x6f,
                                          0x74, 0x20, 0x55, 0x54, 0x46, 0x2d, 0x38};
static const unsigned char old_event[] = {0x08, 0x01, 0x12, 0x05, 0x72, 0x65, 0x61,
                                          0x64, 0x79, 0x1a, 0x02, 0x75, 0x70};
static const unsigned char old_sync[] = {0x08, 0x03, 0x1a, 0x0d, 0x0a, 0x0b, 0x24, 0x73, 0x79,
                                         0x73, 0x2f, 0x73, 0x79, 0x6e, 0x63, 0x2f, 0x61};
static const unsigned char old_status[] = {0x08, 0x04, 0x12, 0x00};
static const unsigned char old_reply[] = {
    0x08, 0x04, 0x22, 0x38, 0x0a, 0x05, 0x30, 0x2e, 0x31, 0x2e, 0x30, 0x22, 0x01, 0x61, 0x22,
    0x01, 0x62, 0x30, 0x80, 0x80, 0x80, 0x20, 0x4a, 0x0e, 0x0a, 0x07, 0x77, 0x65, 0x69, 0x67,
    0x68, 0x74, 0x73, 0x10, 0x05, 0x1a, 0x01, 0x64, 0x52, 0x0c, 0x0a, 0x08, 0x61, 0x63, 0x63,
    0x65, 0x70, 0x74, 0x65, 0x64, 0x10, 0x02, 0x5a, 0x04, 0x08, 0x01, 0x20, 0x0a, 0x60, 0x02};

static void equal(ProtobufCBinaryData have, const char *expected) {
    assert_int_equal(have.len, strlen(expected));
    assert_memory_equal(have.data, expected, have.len);
}

static void old_ingests(void **state) {
    Diffused__V1__Ingest *m;

    (void)state;
    assert_int_equal(ingest(old_text, sizeof old_text, &m), DIFFUSE_OK);
    assert_int_equal(m->kind_case, DIFFUSED__V1__INGEST__KIND_SAMPLE);
    assert_int_equal(m->sample->seq, 7);
    assert_int_equal(m->sample->stamp_ns, -5);
    assert_int_equal(m->sample->segment, DIFFUSED__V1__SEGMENT__ENDS);
    equal(m->sample->text, "b\xc3\xa4ttery low");

    assert_int_equal(ingest(old_tokens, sizeof old_tokens, &m), DIFFUSE_OK);
    assert_int_equal(m->sample->content_case, DIFFUSED__V1__SAMPLE__CONTENT_TOKENS);
    assert_int_equal(m->sample->tokens->n_id, 4);
    assert_int_equal(m->sample->tokens->id[2], 300);
    assert_int_equal(m->sample->tokens->id[3], UINT32_MAX);

    assert_int_equal(ingest(old_feedback, sizeof old_feedback, &m), DIFFUSE_OK);
    assert_int_equal(m->kind_case, DIFFUSED__V1__INGEST__KIND_FEEDBACK);
    assert_int_equal(m->feedback->seq, 9);
    equal(m->feedback->label_name, "power");
    equal(m->feedback->text, "x");
}

static void old_answers(void **state) {
    Diffused__V1__Label *l;
    Diffused__V1__Event *event;

    (void)state;
    fresh(sizeof room);
    assert_int_equal(decode_label(old_label, sizeof old_label, &mem, &l, &why), DIFFUSE_OK);
    assert_int_equal(l->seq, 7);
    assert_int_equal(l->stamp_ns, -5);
    assert_int_equal(l->label_id, 1);
    equal(l->label_name, "power");
    equal(l->model_id, "abc");
    assert_true(l->confidence == 0.75f && l->n_scores == 2 && l->scores[0] == 0.25f);
    assert_true(l->tokens == 3 && l->truncated && l->error == 0);
    assert_true(l->times->queue_ns == 1 && l->times->total_ns == 3 && l->times->batch == 4);

    assert_int_equal(decode_label(old_error, sizeof old_error, &mem, &l, &why), DIFFUSE_OK);
    assert_int_equal(l->error, DIFFUSE_BADTEXT);
    equal(l->error_text, "not UTF-8");
    assert_null(l->times);

    assert_int_equal(decode_event(old_event, sizeof old_event, &mem, &event, &why), DIFFUSE_OK);
    equal(event->kind, "ready");
    equal(event->text, "up");
}

static void old_control(void **state) {
    Diffused__V1__Request *request;
    Diffused__V1__Reply *reply;

    (void)state;
    fresh(sizeof room);
    assert_int_equal(decode_request(old_sync, sizeof old_sync, &mem, &request, &why), DIFFUSE_OK);
    assert_int_equal(request->id, 3);
    equal(request->sync->topic, "$sys/sync/a");
    assert_int_equal(decode_request(old_status, sizeof old_status, &mem, &request, &why),
                     DIFFUSE_OK);
    assert_int_equal(request->verb_case, DIFFUSED__V1__REQUEST__VERB_STATUS);

    assert_int_equal(decode_reply(old_reply, sizeof old_reply, &mem, &reply, &why), DIFFUSE_OK);
    assert_int_equal(reply->id, 4);
    equal(reply->status->version, "0.1.0");
    assert_int_equal(reply->status->n_labels, 2);
    equal(reply->status->plan[0]->name, "weights");
    assert_int_equal(reply->status->counters[0]->value, 2);
    assert_int_equal(reply->status->latency->p99_ns, 10);
    assert_int_equal(reply->status->memory_budget, 64 << 20);
}

static void missing_fields(void **state) {
    Diffused__V1__Ingest *m;
    Diffused__V1__Request *request;

    (void)state;
    refuse("", 0, DIFFUSE_BADMSG, "kind");
    refuse("\x0a\x00", 2, DIFFUSE_BADMSG, "content");
    refuse("\x0a\x02\x08\x07", 4, DIFFUSE_BADMSG, "content");
    refuse("\x12\x02\x08\x07", 4, DIFFUSE_BADMSG, "label");
    refuse("\x12\x02\x1a\x00", 4, DIFFUSE_BADMSG, "label_name: empty");
    refuse("\x12\x05\x1a\x03x\0y", 7, DIFFUSE_BADMSG, "label_name: byte 1");
    refuse("\x12\x05\x1a\x03x\xc2\x9b", 7, DIFFUSE_BADMSG, "label_name: byte 1");
    refuse("\x12\x06\x1a\x01x\x2a\x01y", 8, DIFFUSE_BADMSG, "Feedback.topic");
    fresh(1024);
    assert_int_equal(decode_request("\x08\x05", 2, &mem, &request, &why), DIFFUSE_UNSUPPORTED);
    /* content that is set and empty is there: whether it will do is the tokenizer's question */
    assert_int_equal(ingest("\x0a\x02\x1a\x00", 4, &m), DIFFUSE_OK);
    assert_int_equal(m->sample->text.len, 0);
    assert_int_equal(ingest("\x0a\x02\x22\x00", 4, &m), DIFFUSE_OK);
    assert_int_equal(m->sample->tokens->n_id, 0);
}

static void doubled_fields(void **state) {
    Diffused__V1__Ingest *m;

    (void)state;
    /* seq twice: the last counts. text, then tokens: the last content counts. */
    assert_int_equal(ingest("\x0a\x07\x08\x01\x08\x02\x1a\x01x", 9, &m), DIFFUSE_OK);
    assert_int_equal(m->sample->seq, 2);
    assert_int_equal(ingest("\x0a\x08\x1a\x01x\x22\x03\x0a\x01\x05", 10, &m), DIFFUSE_OK);
    assert_int_equal(m->sample->content_case, DIFFUSED__V1__SAMPLE__CONTENT_TOKENS);
    assert_int_equal(m->sample->tokens->n_id, 1);
    /* sample, then feedback: the last kind counts, and is checked */
    refuse("\x0a\x03\x1a\x01x\x12\x00", 7, DIFFUSE_BADMSG, "Feedback.label");
    /* sample twice: protobuf-c does not merge within a oneof, so that the last one counts whole */
    assert_int_equal(ingest("\x0a\x02\x08\x09\x0a\x03\x1a\x01x", 9, &m), DIFFUSE_OK);
    assert_int_equal(m->sample->seq, 0);
    equal(m->sample->text, "x");
}

static void values_out_of_range(void **state) {
    Diffused__V1__Request *request;
    Diffused__V1__Label *l;

    (void)state;
    refuse("\x0a\x05\x1a\x01x\x28\x03", 7, DIFFUSE_BADMSG, "segment: 3");
    refuse("\x0a\x0e\x1a\x01x\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 16, DIFFUSE_BADMSG,
           "segment: -1");
    refuse("\x12\x03\x10\x80\x20", 5, DIFFUSE_BADMSG, "label_id: 4096");
    fresh(4096);
    assert_int_equal(decode_request("\x1a\x0c\x0a\x0a$sys/sync/", 14, &mem, &request, &why),
                     DIFFUSE_BADMSG);
    assert_int_equal(decode_request("\x1a\x0a\x0a\x08$sys/all", 12, &mem, &request, &why),
                     DIFFUSE_BADMSG);
    assert_int_equal(decode_request("\x1a\x0d\x0a\x0b$sys/sync/\x01", 15, &mem, &request, &why),
                     DIFFUSE_BADMSG);
    assert_int_equal(decode_request("\x22\x03\x0a\x01\x00", 5, &mem, &request, &why),
                     DIFFUSE_BADMSG);
    assert_non_null(strstr(why.text, "ReloadRequest.path"));
    assert_int_equal(decode_request("\x32\x02\x08\x09", 4, &mem, &request, &why),
                     DIFFUSE_UNSUPPORTED);
    assert_non_null(strstr(why.text, "action: 9"));
    assert_int_equal(decode_label("\x18\x01\x32\x04\0\0\0\0", 8, &mem, &l, &why), DIFFUSE_BADMSG);
    assert_non_null(strstr(why.text, "label_id: 1 of 1"));
}

/* field (a tag of one byte) with len bytes of filling; returns the frame's length */
static size_t string_field(unsigned char tag, size_t len) {
    size_t n = 0;

    frame[n++] = tag;
    for (size_t l = len;; l >>= 7) {
        frame[n++] = (unsigned char)(l < 0x80 ? l : (l & 0x7f) | 0x80);
        if (l < 0x80)
            break;
    }
    memset(frame + n, 'x', len);
    return n + len;
}

static void huge_fields(void **state) {
    Diffused__V1__Label *l;
    Diffused__V1__Event *event;
    Diffused__V1__Reply *reply;

    (void)state;
    fresh(sizeof room);
    assert_int_equal(decode_label(frame, string_field(0x22, 256), &mem, &l, &why), DIFFUSE_TOOBIG);
    assert_int_equal(decode_label(frame, string_field(0x5a, 513), &mem, &l, &why), DIFFUSE_TOOBIG);
    assert_int_equal(decode_label(frame, string_field(0x32, 4 * 4097), &mem, &l, &why),
                     DIFFUSE_TOOBIG);
    assert_int_equal(decode_label(frame, string_field(0x32, 4 * 4096), &mem, &l, &why), DIFFUSE_OK);
    assert_int_equal(decode_event(frame, string_field(0x1a, 513), &mem, &event, &why),
                     DIFFUSE_TOOBIG);
    assert_int_equal(decode_reply(frame, string_field(0x1a, 513), &mem, &reply, &why),
                     DIFFUSE_TOOBIG);
    refuse(frame, LIMIT_MESSAGE_BYTES + 1, DIFFUSE_TOOBIG, "1048577 bytes");
    refuse("\x0a\xff\xff\xff\xff\x0f", 6, DIFFUSE_BADMSG, "not a protobuf message");
    refuse("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, DIFFUSE_BADMSG, "not a protobuf");
}

/* The most memory for its bytes that a usual encoder can ask for: packed ids of one byte each. */
static void decode_room_is_enough(void **state) {
    const size_t n = LIMIT_MESSAGE_BYTES - 32;
    Diffused__V1__Ingest *m;
    size_t at = sizeof frame - 1 - n, len;
    const size_t wraps[] = {0x0a, 0x22, 0x0a}; /* sample, tokens, packed ids; innermost last */

    (void)state;
    memset(frame + at, 0, n);
    for (size_t i = 3; i-- > 0;) {
        len = sizeof frame - 1 - at;
        at -= 4;
        frame[at] = (unsigned char)wraps[i];
        for (int b = 0; b < 3; b++)
            frame[at + 1 + (size_t)b] = (unsigned char)((len >> 7 * b & 0x7f) | (b < 2 ? 0x80 : 0));
    }
    assert_int_equal(ingest(frame + at, sizeof frame - 1 - at, &m), DIFFUSE_OK);
    assert_int_equal(m->sample->tokens->n_id, n);
    assert_true(mem.high > 4 * n && mem.high <= decode_room(sizeof frame - 1 - at));
}

static void nested_bombs_do_not_nest(void **state) {
    const size_t depth = 25000;
    const unsigned char fields[] = {0x0a, 0x12, 0x7a}; /* sample, feedback, unknown */

    (void)state;
    for (size_t f = 0; f < sizeof fields; f++) {
        size_t at = sizeof frame;
        Diffused__V1__Ingest *m;

        for (size_t i = 0; i < depth; i++) {
            size_t len = sizeof frame - at;

            frame[--at] = (unsigned char)(len >> 14);
            frame[--at] = (unsigned char)((len >> 7 & 0x7f) | 0x80);
            frame[--at] = (unsigned char)((len & 0x7f) | 0x80);
            frame[--at] = fields[f];
        }
        assert_int_not_equal(ingest(frame + at, sizeof frame - at, &m), DIFFUSE_OK);
    }
}

/* The messages themselves must not nest without end: protobuf-c recurses as deep as they do. */
static void check_depth(const ProtobufCMessageDescriptor *d, int left) {
    assert_true(left > 0);
    for (unsigned i = 0; i < d->n_fields; i++)
        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            check_depth(d->fields[i].descriptor, left - 1);
}

static void no_message_is_recursive(void **state) {
    (void)state;
    check_depth(&diffused__v1__ingest__descriptor, 4);
    check_depth(&diffused__v1__request__descriptor, 4);
    check_depth(&diffused__v1__reply__descriptor, 4);
    check_depth(&diffused__v1__label__descriptor, 4);
    check_depth(&diffused__v1__event__descriptor, 4);
}

/* Two bytes of wire for 16 to 64 of memory: the cap holds, and the answer is TOOBIG, not BADMSG. */
static void amplification_meets_the_cap(void **state) {
    const size_t n = 500000;
    Diffused__V1__Reply *reply;
    Diffused__V1__Ingest *m;

    (void)state;
    for (size_t i = 0; i < n; i++) { /* unknown numbers */
        frame[2 * i] = 0x78;
        frame[2 * i + 1] = 0;
    }
    assert_int_equal(ingest(frame, 2 * n, &m), DIFFUSE_TOOBIG);
    for (size_t i = 0; i < n; i++) /* empty sample upon empty sample */
        frame[2 * i] = 0x0a;
    assert_int_equal(ingest(frame, 2 * n, &m), DIFFUSE_TOOBIG);
    memmove(frame + 4, frame, 2 * n);
    for (size_t i = 0; i < n; i++) /* empty strings, inside Reply.status */
        frame[4 + 2 * i] = 0x22;
    frame[0] = 0x22;
    frame[1] = (unsigned char)((2 * n & 0x7f) | 0x80);
    frame[2] = (unsigned char)((2 * n >> 7 & 0x7f) | 0x80);
    frame[3] = (unsigned char)(2 * n >> 14);
    fresh(sizeof room);
    assert_int_equal(decode_reply(frame, 4 + 2 * n, &mem, &reply, &why), DIFFUSE_TOOBIG);
    assert_true(mem.high <= mem.cap);
}

static void nul_bytes_are_kept(void **state) {
    Diffused__V1__Ingest *m;

    (void)state;
    assert_int_equal(ingest("\x0a\x05\x1a\x03"
                            "a\0b",
                            7, &m),
                     DIFFUSE_OK);
    assert_int_equal(m->sample->text.len, 3);
    assert_memory_equal(m->sample->text.data, "a\0b", 3);
}

static void a_few_unknown_fields_are_fine(void **state) {
    static const char later[] = "\x0a\x0c\x1a\x01x\xa2\x06\x03new\xa8\x06\x2a\xb2\x06\x02hi";
    Diffused__V1__Ingest *m;

    (void)state;
    assert_int_equal(ingest(later, sizeof later - 1, &m), DIFFUSE_OK);
    equal(m->sample->text, "x");
}

typedef size_t (*make_fn)(struct wire_random *r, unsigned char *buffer, size_t cap);

static diffuse_err decode_kind(int kind, const void *bytes, size_t len) {
    Diffused__V1__Ingest *i;
    Diffused__V1__Label *l;
    Diffused__V1__Reply *y;
    Diffused__V1__Request *q;
    Diffused__V1__Event *t;

    fresh(kind == 2 ? decode_reply_room(len) : decode_room(len));
    switch (kind) {
    case 0:
        return decode_ingest(bytes, len, &mem, &i, &why);
    case 1:
        return decode_label(bytes, len, &mem, &l, &why);
    case 2:
        return decode_reply(bytes, len, &mem, &y, &why);
    case 3:
        return decode_request(bytes, len, &mem, &q, &why);
    default:
        return decode_event(bytes, len, &mem, &t, &why);
    }
}

/* Damaged frames of every kind, to every decoder: an answer each time, with a reason, within the
 * cap, without the heap. */
static void random_damage(void **state) {
    static const make_fn make[] = {wire_random_ingest, wire_random_label, wire_random_reply,
                                   wire_random_request};
    struct wire_random r = wire_random_start("decode damage");
    size_t heap = mallinfo2().uordblks, good = 0, bad = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        size_t len = make[i % 4](&r, frame, CAP);
        diffuse_err e = decode_kind(i % 4, frame, len);

        if (e)
            fail_msg("round %d: a good frame of %zu bytes: %s", i, len, why.text);
        len = wire_random_damage(&r, frame, len, CAP);
        e = decode_kind(wire_random_below(&r, 4) ? i % 4 : (int)wire_random_below(&r, 5), frame,
                        len);
        assert_true(e == DIFFUSE_OK || e == DIFFUSE_BADMSG || e == DIFFUSE_TOOBIG ||
                    e == DIFFUSE_UNSUPPORTED);
        assert_true((e == DIFFUSE_OK) == (why.text[0] == '\0'));
        assert_true(mem.high <= mem.cap);
        good += !e;
        bad += e != DIFFUSE_OK;
    }
    assert_int_equal(mallinfo2().uordblks, heap);
    assert_true(good > ROUNDS / 100 &&
                bad > ROUNDS / 100); /* the damage is neither all nor nothing */
}

/* Whatever the room, too little of it is said to be too little. */
static void every_small_room(void **state) {
    Diffused__V1__Reply *reply;
    diffuse_err e = DIFFUSE_TOOBIG;
    size_t size;

    (void)state;
    for (size = 0; e; size++) {
        fresh(size);
        e = decode_reply(old_reply, sizeof old_reply, &mem, &reply, &why);
        assert_true(e == DIFFUSE_OK || e == DIFFUSE_TOOBIG);
    }
    assert_true(size > sizeof(Diffused__V1__Reply) && size < decode_reply_room(sizeof old_reply));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_ingests),
        cmocka_unit_test(old_answers),
        cmocka_unit_test(old_control),
        cmocka_unit_test(missing_fields),
        cmocka_unit_test(doubled_fields),
        cmocka_unit_test(values_out_of_range),
        cmocka_unit_test(huge_fields),
        cmocka_unit_test(decode_room_is_enough),
        cmocka_unit_test(nested_bombs_do_not_nest),
        cmocka_unit_test(no_message_is_recursive),
        cmocka_unit_test(amplification_meets_the_cap),
        cmocka_unit_test(nul_bytes_are_kept),
        cmocka_unit_test(a_few_unknown_fields_are_fine),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(every_small_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
