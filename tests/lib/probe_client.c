/* probe_client.c - libdiffuse against the daemon at $DIFFUSE_ENDPOINT, with a model of byte tokens.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/diffuse.h"

#include "cmocka.h"

enum { WAIT_MS = 600000 }; /* met by failures only */

static diffuse_client *open_client(uint32_t inflight) {
    struct diffuse_options o = {.size = sizeof o, .inflight = inflight};
    diffuse_client *client = NULL;

    assert_int_equal(diffuse_client_new(&o, &client), DIFFUSE_OK);
    return client;
}

static void ok(const diffuse_client *client, diffuse_err e) {
    if (e)
        fail_msg("%s: %s", diffuse_errname(e), diffuse_why(client));
}

static struct diffuse_sample text(const char *stream, uint64_t seq, const char *words) {
    return (struct diffuse_sample){.size = sizeof(struct diffuse_sample),
                                   .stream = stream,
                                   .seq = seq,
                                   .stamp_ns = (int64_t)seq * 10,
                                   .text = words,
                                   .text_len = strlen(words)};
}

static void classify_waits_for_its_answer(void **state) {
    diffuse_client *c = open_client(0);
    struct diffuse_times t;
    diffuse_result *r;

    (void)state;
    for (unsigned i = 1; i <= 100; i++) {
        ok(c, diffuse_classify(c, "motor hot", 9, WAIT_MS, &r));
        assert_int_equal(diffuse_result_error(r), DIFFUSE_OK);
        assert_int_equal(diffuse_result_seq(r), i);
        assert_string_equal(diffuse_result_stream(r), diffuse_stream(c));
        assert_int_equal(diffuse_result_tokens(r), 9);
        assert_true(diffuse_result_label(r)[0] != '\0' && diffuse_result_model(r)[0] != '\0');
        assert_true(diffuse_result_confidence(r) > 0 && diffuse_result_confidence(r) <= 1);
        diffuse_result_times(r, &t);
        assert_true(t.batch >= 1 && t.total_ns >= t.compute_ns && t.compute_ns > 0);
        diffuse_result_free(r);
    }
    assert_int_equal(diffuse_inflight(c), 0);
    diffuse_client_free(c);
}

static void a_refused_text_is_an_answer(void **state) {
    diffuse_client *c = open_client(0);
    uint32_t ids[] = {1, UINT32_MAX};
    struct diffuse_sample s = {.size = sizeof s, .tokens = ids, .n_tokens = 2};
    diffuse_ticket ticket;
    diffuse_result *r;

    (void)state;
    ok(c, diffuse_classify(c, "", 0, WAIT_MS, &r));
    assert_int_equal(diffuse_result_error(r), DIFFUSE_EMPTY);
    assert_string_equal(diffuse_result_label(r), "");
    assert_true(diffuse_result_error_text(r)[0] != '\0');
    diffuse_result_free(r);
    ok(c, diffuse_submit(c, &s, WAIT_MS, &ticket));
    ok(c, diffuse_next(c, WAIT_MS, &r));
    assert_int_equal(diffuse_result_error(r), DIFFUSE_BADTOKEN);
    assert_true(diffuse_result_ticket(r) == ticket);
    diffuse_result_free(r);
    diffuse_client_free(c);
}

static void many_streams_in_flight(void **state) {
    enum { STREAMS = 7, EACH = 300, IN = 16 };
    diffuse_client *c = open_client(IN);
    diffuse_ticket tickets[STREAMS][EACH + 1] = {{0}};
    uint64_t expected[STREAMS] = {0}, answered = 0;
    char name[STREAMS][40];

    (void)state;
    for (int i = 0; i < STREAMS; i++)
        (void)snprintf(name[i], sizeof name[i], "%s/%d", diffuse_stream(c), i);
    for (uint64_t n = 0; answered < (uint64_t)STREAMS * EACH;) {
        struct diffuse_sample s = text(name[n % STREAMS], n / STREAMS + 1, "battery low");
        diffuse_ticket ticket;
        diffuse_err e =
            n < (uint64_t)STREAMS * EACH ? diffuse_submit(c, &s, WAIT_MS, &ticket) : DIFFUSE_BUSY;
        diffuse_result *r;
        size_t i;

        if (!e) {
            tickets[n % STREAMS][n / STREAMS + 1] = ticket;
            n++;
            continue;
        }
        assert_int_equal(e, DIFFUSE_BUSY); /* as many as may be are in flight */
        ok(c, diffuse_next(c, WAIT_MS, &r));
        i = (size_t)atoi(strrchr(diffuse_result_stream(r), '/') + 1);
        assert_true(i < STREAMS && diffuse_result_seq(r) == ++expected[i]); /* in order */
        assert_true(diffuse_result_ticket(r) == tickets[i][expected[i]]);
        assert_int_equal(diffuse_result_stamp_ns(r), expected[i] * 10);
        diffuse_result_free(r);
        answered++;
    }
    diffuse_client_free(c);
}

static void limits_of_submit(void **state) {
    diffuse_client *c = open_client(2);
    char name[40];
    struct diffuse_sample s;
    diffuse_ticket first, second, none;
    diffuse_result *r;

    (void)state;
    (void)snprintf(name, sizeof name, "%s/x", diffuse_stream(c));
    s = text(name, 1, "a");
    ok(c, diffuse_submit(c, &s, WAIT_MS, &first));
    assert_int_equal(diffuse_submit(c, &s, WAIT_MS, &none), DIFFUSE_INVAL); /* seq again */
    s.seq = 2;
    ok(c, diffuse_submit(c, &s, WAIT_MS, &second));
    s.seq = 3;
    assert_int_equal(diffuse_submit(c, &s, WAIT_MS, &none), DIFFUSE_BUSY);
    assert_int_equal(diffuse_classify(c, "a", 1, WAIT_MS, &r), DIFFUSE_BUSY);
    assert_int_equal(diffuse_inflight(c), 2);
    assert_int_equal(diffuse_forget(c, first), DIFFUSE_OK);
    assert_int_equal(diffuse_forget(c, first), DIFFUSE_NOTFOUND);
    ok(c, diffuse_next(c, WAIT_MS, &r)); /* past the forgotten one */
    assert_true(diffuse_result_ticket(r) == second);
    diffuse_result_free(r);
    assert_int_equal(diffuse_next(c, WAIT_MS, &r), DIFFUSE_NOTFOUND);
    diffuse_client_free(c);
}

static void classify_keeps_the_answers_of_others(void **state) {
    enum { N = 20 };
    diffuse_client *c = open_client(N + 1);
    char name[40];
    diffuse_ticket tickets[N];
    diffuse_result *r;

    (void)state;
    (void)snprintf(name, sizeof name, "%s/x", diffuse_stream(c));
    for (uint64_t i = 0; i < N; i++) {
        struct diffuse_sample s = text(name, i, "motor");

        ok(c, diffuse_submit(c, &s, WAIT_MS, &tickets[i]));
    }
    ok(c, diffuse_classify(c, "hot", 3, WAIT_MS, &r));
    assert_string_equal(diffuse_result_stream(r), diffuse_stream(c));
    diffuse_result_free(r);
    for (int i = 0; i < N; i++) {
        ok(c, diffuse_next(c, WAIT_MS, &r));
        assert_true(diffuse_result_ticket(r) == tickets[i]);
        diffuse_result_free(r);
    }
    diffuse_client_free(c);
}

static void the_descriptor_wakes_poll(void **state) {
    enum { N = 200 };
    diffuse_client *c = open_client(N);
    struct pollfd p = {.events = POLLIN};
    int taken = 0;

    (void)state;
    ok(c, diffuse_fd(c, &p.fd));
    for (int i = 0; i < N; i++) {
        struct diffuse_sample s = text(NULL, 0, "motor");
        diffuse_ticket ticket;

        ok(c, diffuse_submit(c, &s, WAIT_MS, &ticket));
    }
    while (taken < N) {
        diffuse_result *r;
        diffuse_err e;

        while (!(e = diffuse_next(c, 0, &r))) {
            diffuse_result_free(r);
            taken++;
        }
        assert_true(e == DIFFUSE_TIMEOUT || (e == DIFFUSE_NOTFOUND && taken == N));
        if (taken < N)
            assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    }
    diffuse_client_free(c);
}

static void published_samples_reach_the_watcher(void **state) {
    enum { N = 50 };
    diffuse_client *c = open_client(0), *other = open_client(0);
    char name[40];
    diffuse_watch *w, *events;
    diffuse_result *r;

    (void)state;
    (void)snprintf(name, sizeof name, "%s/p", diffuse_stream(c));
    ok(c, diffuse_watch_new(c, name, DIFFUSE_WATCH_LABELS, WAIT_MS, &w));
    ok(c, diffuse_watch_new(c, NULL, DIFFUSE_WATCH_EVENTS, WAIT_MS, &events));
    for (uint64_t i = 1; i <= N; i++) {
        struct diffuse_sample s = text(name, i, "lidar blocked");

        ok(c, diffuse_publish(c, &s, WAIT_MS));
        ok(other, diffuse_classify(other, "noise", 5, WAIT_MS, &r)); /* not watched */
        diffuse_result_free(r);
    }
    for (uint64_t i = 1; i <= N; i++) {
        ok(c, diffuse_watch_next(w, WAIT_MS, &r));
        assert_string_equal(diffuse_result_stream(r), name);
        assert_true(diffuse_result_seq(r) == i && diffuse_result_ticket(r) == 0);
        assert_false(diffuse_result_is_event(r));
        diffuse_result_free(r);
    }
    assert_int_equal(diffuse_watch_next(w, 0, &r), DIFFUSE_TIMEOUT);
    assert_int_equal(diffuse_watch_next(events, 0, &r), DIFFUSE_TIMEOUT); /* no handshakes */
    diffuse_watch_free(w);
    diffuse_watch_free(events);
    diffuse_client_free(c);
    diffuse_client_free(other);
}

static void feedback_travels(void **state) {
    diffuse_client *c = open_client(0);
    struct diffuse_feedback_info f = {.size = sizeof f, .seq = 1, .label = "label1"};
    diffuse_result *r;

    (void)state;
    ok(c, diffuse_classify(c, "motor", 5, WAIT_MS, &r));
    diffuse_result_free(r);
    ok(c, diffuse_feedback(c, &f, WAIT_MS));
    ok(c, diffuse_classify(c, "motor", 5, WAIT_MS, &r)); /* and upsets nothing */
    assert_int_equal(diffuse_result_seq(r), 2);
    diffuse_result_free(r);
    diffuse_client_free(c);
}

static uint64_t counter(const struct diffuse_status *s, const char *name) {
    for (size_t i = 0; i < s->n_counters; i++)
        if (strcmp(s->counters[i].name, name) == 0)
            return s->counters[i].value;
    fail_msg("no counter %s", name);
    return 0;
}

static void status_adds_up(void **state) {
    diffuse_client *c = open_client(0);
    struct diffuse_status *s;
    uint64_t sum = 0;

    (void)state;
    ok(c, diffuse_status_get(c, WAIT_MS, &s));
    assert_string_equal(s->version, diffuse_version());
    assert_true(s->n_labels > 1 && s->labels[0][0] != '\0');
    assert_true(s->n_plan > 0 && s->workers >= 1);
    for (size_t i = 0; i < s->n_plan; i++)
        sum += s->plan[i].bytes;
    assert_true(sum == s->memory_plan && s->memory_plan <= s->memory_budget);
    assert_true(s->latency_count > 0 && s->latency_p50_ns <= s->latency_p99_ns);
    assert_true(s->latency_p99_ns <= s->latency_max_ns);
    assert_true(counter(s, "accepted_push") > 0 && counter(s, "labels_dropped") == 0);
    diffuse_status_free(s);
    diffuse_client_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classify_waits_for_its_answer),
        cmocka_unit_test(a_refused_text_is_an_answer),
        cmocka_unit_test(many_streams_in_flight),
        cmocka_unit_test(limits_of_submit),
        cmocka_unit_test(classify_keeps_the_answers_of_others),
        cmocka_unit_test(the_descriptor_wakes_poll),
        cmocka_unit_test(published_samples_reach_the_watcher),
        cmocka_unit_test(feedback_travels),
        cmocka_unit_test(status_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
