/* test_client.c - what the library promises when there is no daemon; tests/system has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/relay/relay.h"

#include "cmocka.h"

static char nowhere[] = "/tmp/client.XXXXXX"; /* a directory without sockets */

static int make_nowhere(void **state) {
    (void)state;
    return mkdtemp(nowhere) ? 0 : -1;
}

static int remove_nowhere(void **state) {
    (void)state;
    return rmdir(nowhere);
}

static diffuse_client *open_client(void) {
    struct diffuse_options o = {.size = sizeof o, .endpoint = nowhere, .linger_ms = 1};
    diffuse_client *client = NULL;

    assert_int_equal(diffuse_client_new(&o, &client), DIFFUSE_OK);
    assert_string_equal(diffuse_why(client), "");
    return client;
}

static void says(const diffuse_client *client, const char *part) {
    if (!strstr(diffuse_why(client), part))
        fail_msg("'%s' does not say '%s'", diffuse_why(client), part);
}

static void options_are_checked(void **state) {
    char why[100] = "";
    struct diffuse_options o = {.size = sizeof o, .why = why, .why_size = sizeof why};
    static struct { /* static, so that its padding is zero too */
        struct diffuse_options known;
        int later;
    } newer = {.known = {.size = sizeof newer, .endpoint = nowhere}};
    diffuse_client *client = (diffuse_client *)&o;

    (void)state;
    o.endpoint = "udp://x";
    assert_int_equal(diffuse_client_new(&o, &client), DIFFUSE_INVAL);
    assert_ptr_equal(client, &o); /* untouched */
    assert_non_null(strstr(why, "udp://x"));
    o.endpoint = nowhere;
    o.inflight = 65537;
    assert_int_equal(diffuse_client_new(&o, &client), DIFFUSE_INVAL);
    assert_non_null(strstr(why, "65537"));
    o.size = 1;
    assert_int_equal(diffuse_client_new(&o, &client), DIFFUSE_INVAL);
    /* a program built against a newer header: fine as long as it asks for nothing new */
    assert_int_equal(diffuse_client_new(&newer.known, &client), DIFFUSE_OK);
    diffuse_client_free(client);
    newer.later = 1;
    assert_int_equal(diffuse_client_new(&newer.known, &client), DIFFUSE_INVAL);
}

static void an_older_program_has_shorter_options(void **state) {
    struct diffuse_options o = {.endpoint = nowhere, .inflight = 999999};
    diffuse_client *client;

    (void)state;
    o.size = offsetof(struct diffuse_options, inflight); /* what lies behind is not looked at */
    assert_int_equal(diffuse_client_new(&o, &client), DIFFUSE_OK);
    assert_string_equal(diffuse_endpoint(client), nowhere);
    diffuse_client_free(client);
}

static void every_client_has_a_stream_of_its_own(void **state) {
    diffuse_client *a = open_client(), *b = open_client();

    (void)state;
    assert_string_not_equal(diffuse_stream(a), diffuse_stream(b));
    assert_memory_equal(diffuse_stream(a), "client/", 7);
    diffuse_client_free(a);
    diffuse_client_free(b);
}

static void freeing_nothing_is_fine(void **state) {
    (void)state;
    diffuse_client_free(NULL);
    diffuse_watch_free(NULL);
    diffuse_result_free(NULL);
    diffuse_status_free(NULL);
    diffuse_relay_free(NULL);
}

static void nobody_answers(void **state) {
    static const int timeouts[] = {0, 1, 60};
    struct diffuse_sample s = {.size = sizeof s, .text = "x", .text_len = 1};
    struct diffuse_feedback_info f = {.size = sizeof f};

    (void)state;
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int ms = timeouts[i];
        diffuse_client *c = open_client();
        diffuse_result *r = (diffuse_result *)&s;
        diffuse_watch *w = (diffuse_watch *)&s;
        struct diffuse_status *st = (struct diffuse_status *)&s;
        struct diffuse_message m = {
            .way = DIFFUSE_PUSH, .n_frames = 2, .frames = {{"s", 1}, {"x", 1}}};
        diffuse_relay *relay = (diffuse_relay *)&s;
        diffuse_ticket t = 77;

        assert_int_equal(diffuse_classify(c, "x", 1, ms, &r), DIFFUSE_UNREACH);
        says(c, nowhere);
        says(c, "no such socket");
        assert_int_equal(diffuse_submit(c, &s, ms, &t), DIFFUSE_UNREACH);
        assert_int_equal(diffuse_publish(c, &s, ms), DIFFUSE_UNREACH);
        says(c, "/ingest");
        assert_int_equal(diffuse_feedback(c, &f, ms), DIFFUSE_UNREACH);
        says(c, "/push");
        assert_int_equal(diffuse_watch_new(c, "", DIFFUSE_WATCH_LABELS, ms, &w), DIFFUSE_UNREACH);
        assert_int_equal(diffuse_status_get(c, ms, &st), DIFFUSE_UNREACH);
        assert_int_equal(diffuse_message_send(c, &m, ms), DIFFUSE_BUSY);
        m.way = DIFFUSE_INGEST;
        assert_int_equal(diffuse_message_send(c, &m, ms), DIFFUSE_UNREACH);
        assert_int_equal(diffuse_relay_new(c, NULL, ms, &relay), DIFFUSE_UNREACH);
        says(c, "no such socket");
        assert_true(relay == (void *)&s);
        assert_true(r == (void *)&s && w == (void *)&s && st == (void *)&s && t == 77);
        assert_int_equal(diffuse_inflight(c), 0);
        diffuse_client_free(c);
    }
}

static void nothing_is_in_flight(void **state) {
    diffuse_client *c = open_client();
    diffuse_result *r;
    int fd = -1;

    (void)state;
    assert_int_equal(diffuse_next(c, -1, &r), DIFFUSE_NOTFOUND); /* and does not wait */
    assert_int_equal(diffuse_forget(c, 1), DIFFUSE_NOTFOUND);
    says(c, "ticket 1");
    assert_int_equal(diffuse_fd(c, &fd), DIFFUSE_OK);
    assert_true(fd >= 0);
    diffuse_client_free(c);
}

static void refuse(diffuse_client *c, struct diffuse_sample s, diffuse_err expected,
                   const char *part) {
    diffuse_ticket t;

    s.size = s.size ? s.size : sizeof s;
    assert_int_equal(diffuse_submit(c, &s, 0, &t), expected);
    says(c, part);
    assert_int_equal(diffuse_publish(c, &s, 0), expected);
}

static void samples_are_checked_before_they_travel(void **state) {
    diffuse_client *c = open_client();
    char long_name[300];
    uint32_t id = 1;
    diffuse_result *r;

    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[256] = '\0';
    refuse(c, (struct diffuse_sample){.stream = long_name, .text = "x"}, DIFFUSE_BADNAME, "256");
    refuse(c, (struct diffuse_sample){.stream = "", .text = "x"}, DIFFUSE_BADNAME, "empty");
    refuse(c, (struct diffuse_sample){.stream = "$sys/x", .text = "x"}, DIFFUSE_BADNAME, "'$");
    refuse(c, (struct diffuse_sample){.stream = "a\nb", .text = "x"}, DIFFUSE_BADNAME, "byte 1");
    refuse(c, (struct diffuse_sample){.text = NULL}, DIFFUSE_INVAL, "neither");
    refuse(c, (struct diffuse_sample){.text = "x", .tokens = &id}, DIFFUSE_INVAL, "both");
    refuse(c, (struct diffuse_sample){.text = "x", .segment = 3}, DIFFUSE_INVAL, "segment");
    refuse(c, (struct diffuse_sample){.text = "x", .text_len = diffuse_text_max() + 1},
           DIFFUSE_TOOBIG, "text of");
    refuse(c, (struct diffuse_sample){.text = "x", .text_len = SIZE_MAX}, DIFFUSE_TOOBIG, "text");
    refuse(c, (struct diffuse_sample){.tokens = &id, .n_tokens = SIZE_MAX}, DIFFUSE_TOOBIG,
           "tokens");
    refuse(c, (struct diffuse_sample){.size = 3, .text = "x"}, DIFFUSE_INVAL, "size");
    assert_int_equal(diffuse_classify(c, NULL, 3, 0, &r), DIFFUSE_INVAL);
    diffuse_client_free(c);
}

static void watches_and_feedback_are_checked(void **state) {
    diffuse_client *c = open_client();
    struct diffuse_feedback_info f = {.size = sizeof f, .label = ""};
    diffuse_watch *w;

    (void)state;
    assert_int_equal(diffuse_watch_new(c, "", 0, 0, &w), DIFFUSE_INVAL);
    assert_int_equal(diffuse_watch_new(c, "", 4, 0, &w), DIFFUSE_INVAL);
    assert_int_equal(diffuse_watch_new(c, "$sys/", 1, 0, &w), DIFFUSE_BADNAME);
    assert_int_equal(diffuse_watch_new(c, "\xff", 1, 0, &w), DIFFUSE_BADNAME);
    assert_int_equal(diffuse_feedback(c, &f, 0), DIFFUSE_INVAL);
    says(c, "feedback.label");
    f.label = NULL;
    f.text_len = 1;
    assert_int_equal(diffuse_feedback(c, &f, 0), DIFFUSE_INVAL);
    diffuse_client_free(c);
}

static void messages_and_relays_are_checked(void **state) {
    static const unsigned char sample[] = {0x0a, 0x02, 0x08, 0x07};
    struct diffuse_message m = {.way = DIFFUSE_LABELS, .n_frames = 2};
    struct diffuse_relay_options o = {.size = sizeof o, .max_message = 2 * 1024 * 1024};
    diffuse_client *c = open_client();
    diffuse_relay *relay;
    diffuse_result *r;

    (void)state;
    assert_int_equal(diffuse_message_send(c, &m, 0), DIFFUSE_INVAL); /* labels are not sent */
    m.way = DIFFUSE_PUSH;
    m.n_frames = 0;
    assert_int_equal(diffuse_message_send(c, &m, 0), DIFFUSE_INVAL);
    m.n_frames = DIFFUSE_MESSAGE_FRAMES + 1;
    assert_int_equal(diffuse_message_send(c, &m, 0), DIFFUSE_INVAL);
    assert_int_equal(diffuse_message_result(c, &m, &r), DIFFUSE_BADMSG);
    m = (struct diffuse_message){
        .way = DIFFUSE_INGEST, .n_frames = 2, .frames = {{"s", 1}, {sample, sizeof sample}}};
    assert_int_equal(diffuse_message_kind(&m), DIFFUSE_KIND_SAMPLE);
    assert_int_equal(diffuse_message_seq(&m), 7);
    assert_int_equal(diffuse_message_asks(&m), 1);
    m.cut = 1; /* refused, and with a label that says so */
    assert_int_equal(diffuse_message_kind(&m), DIFFUSE_KIND_OTHER);
    assert_int_equal(diffuse_message_asks(&m), 1);
    m.frames[0].data = "$";
    assert_int_equal(diffuse_message_asks(&m), 0); /* nobody to tell */
    assert_int_equal(diffuse_relay_new(c, &o, 0, &relay), DIFFUSE_INVAL);
    says(c, "max_message");
    o.size = 3;
    assert_int_equal(diffuse_relay_new(c, &o, 0, &relay), DIFFUSE_INVAL);
    diffuse_client_free(c);
}

static void errors_have_sentences(void **state) {
    (void)state;
    assert_string_equal(diffuse_errname(DIFFUSE_UNREACH), "UNREACH");
    assert_string_equal(diffuse_strerror((diffuse_err)9999), "unknown error");
    assert_true(strlen(diffuse_version()) >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(an_older_program_has_shorter_options),
        cmocka_unit_test(every_client_has_a_stream_of_its_own),
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(nothing_is_in_flight),
        cmocka_unit_test(samples_are_checked_before_they_travel),
        cmocka_unit_test(watches_and_feedback_are_checked),
        cmocka_unit_test(messages_and_relays_are_checked),
        cmocka_unit_test(errors_have_sentences),
    };
    return cmocka_run_group_tests(tests, make_nowhere, remove_nowhere);
}
