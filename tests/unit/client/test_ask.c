/* test_ask.c - a client beside a daemon that is played here: replies, answers kept, and the limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/call/ask.h"
#include "client/link/inbox.h"
#include "proto/encode.h"
#include "proto/peek.h"

#include "cmocka.h"

enum { MS = 60000 };

static char folder[] = "/tmp/ask.XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

static void *bind_control(void *context) {
    char url[sizeof folder + 32];
    void *router = zmq_socket(context, ZMQ_ROUTER);

    (void)snprintf(url, sizeof url, "ipc://%s/control", folder);
    assert_int_equal(zmq_bind(router, url), 0);
    return router;
}

/* The next request: who asks, and its id. */
static uint64_t take_request(void *router, zmq_msg_t *who) {
    zmq_msg_t body;
    uint64_t id;

    zmq_msg_init(who);
    zmq_msg_init(&body);
    assert_true(zmq_msg_recv(who, router, 0) > 0);
    assert_true(zmq_msg_recv(&body, router, 0) > 0);
    id = peek_id(zmq_msg_data(&body), zmq_msg_size(&body));
    zmq_msg_close(&body);
    return id;
}

static void give_reply(void *router, zmq_msg_t *who, uint64_t id, const char *metrics) {
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    unsigned char bytes[128];
    size_t len;

    reply.id = id;
    reply.result_case = DIFFUSED__V1__REPLY__RESULT_METRICS;
    reply.metrics = (ProtobufCBinaryData){strlen(metrics), (uint8_t *)(uintptr_t)metrics};
    assert_int_equal(encode_reply(&reply, bytes, sizeof bytes, &len), DIFFUSE_OK);
    zmq_send(router, zmq_msg_data(who), zmq_msg_size(who), ZMQ_SNDMORE);
    zmq_send(router, bytes, len, 0);
}

/* Replies to requests before and after are no replies to this one. */
static void only_its_own_reply(void **state) {
    struct diffuse_options o = {.size = sizeof o, .endpoint = folder, .linger_ms = 1};
    Diffused__V1__MetricsRequest metrics = DIFFUSED__V1__METRICS_REQUEST__INIT;
    Diffused__V1__Request request = DIFFUSED__V1__REQUEST__INIT;
    void *context = zmq_ctx_new(), *router = bind_control(context);
    struct link_message m;
    diffuse_client *c;
    zmq_msg_t who;
    uint64_t id;

    (void)state;
    request.verb_case = DIFFUSED__V1__REQUEST__VERB_METRICS;
    request.metrics = &metrics;
    assert_int_equal(diffuse_client_new(&o, &c), DIFFUSE_OK);
    assert_int_equal(ask_send(c, &request, link_deadline(MS)), DIFFUSE_OK);
    id = take_request(router, &who);
    assert_int_equal(id, request.id);
    give_reply(router, &who, id - 1, "of the one before");
    give_reply(router, &who, id + 1, "of one to come");
    give_reply(router, &who, 0, "of none");
    give_reply(router, &who, id, "its own");
    assert_int_equal(ask_reply(c, link_deadline(MS), &m), DIFFUSE_OK);
    assert_non_null(memmem(zmq_msg_data(&m.body), zmq_msg_size(&m.body), "its own", 7));
    link_message_done(&m);
    assert_int_equal(ask_reply(c, link_deadline(0), &m), DIFFUSE_TIMEOUT);
    zmq_msg_close(&who);
    diffuse_client_free(c);
    zmq_close(router);
    zmq_ctx_term(context);
}

static diffuse_result *answer(uint64_t seq) {
    Diffused__V1__Label label = DIFFUSED__V1__LABEL__INIT;
    unsigned char bytes[64];
    struct diffuse_frame name = {"s", 1}, body = {bytes, 0};
    struct reason why;
    diffuse_result *r = NULL;

    label.seq = seq;
    assert_int_equal(encode_label(&label, bytes, sizeof bytes, &body.len), DIFFUSE_OK);
    assert_int_equal(result_read(name, body, &r, &why), DIFFUSE_OK);
    return r;
}

/* Filled and emptied again and again: what is kept comes out once, in its order. */
static void answers_are_kept_in_order(void **state) {
    struct inbox inbox = {0};
    struct reason why;
    uint64_t in = 0, out = 0;

    (void)state;
    for (size_t round = 1; round <= 8; round++) {
        for (size_t i = 0; i < round; i++) {
            diffuse_result *r = answer(++in);

            assert_int_equal(inbox_keep(&inbox, &r, &why), DIFFUSE_OK);
            assert_null(r);
        }
        for (size_t i = 0; i < round; i++) { /* to the last one, and so the tail */
            diffuse_result *r = inbox_take(&inbox);

            assert_non_null(r);
            assert_int_equal(diffuse_result_seq(r), ++out);
            diffuse_result_free(r);
        }
        assert_null(inbox_take(&inbox));
        assert_null(inbox.last);
        assert_int_equal(inbox.n, 0);
    }
    inbox_done(&inbox);
}

static void the_daemons_limit_is_kept(void **state) {
    struct diffuse_options o = {.size = sizeof o, .endpoint = folder, .linger_ms = 1};
    char text[200];
    struct diffuse_sample s = {.size = sizeof s, .text = text, .text_len = sizeof text};
    diffuse_client *c;

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(diffuse_client_new(&o, &c), DIFFUSE_OK);
    assert_int_equal(client_check_size(c, SIZE_MAX), DIFFUSE_OK); /* not told yet */
    c->max_message = 100;
    assert_int_equal(client_check_size(c, 100), DIFFUSE_OK);
    assert_int_equal(client_check_size(c, 101), DIFFUSE_TOOBIG);
    assert_non_null(strstr(diffuse_why(c), "101 bytes, of which the daemon takes at most 100"));
    assert_int_equal(diffuse_publish(c, &s, 0), DIFFUSE_TOOBIG);
    diffuse_client_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_reply),
        cmocka_unit_test(answers_are_kept_in_order),
        cmocka_unit_test(the_daemons_limit_is_kept),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
