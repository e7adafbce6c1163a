/* Every fate of feedback: found, late, unknown, repeated, contradictory, of its own text, ... */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/learn/feedback.h"

enum { WINDOW = 4, LENGTH = 8, QUEUE = 3 };

static struct arena arena;
static const char *labels[] = {"ok", "fault"};
static struct model model = {.config = {.labels = 2}, .labels = labels};

static struct feedback_facts make(void) {
    struct feedback_facts f = {.model = &model, .root = "abcd"};
    assert_int_equal(arena_init(&arena, recent_bytes(WINDOW, LENGTH) + stream_bytes(8) +
                                            tuner_queue_bytes(QUEUE, LENGTH)),
                     DIFFUSE_OK);
    assert_int_equal(recent_new(&arena, WINDOW, LENGTH, &f.retain), DIFFUSE_OK);
    assert_int_equal(stream_new(&arena, 8, &f.streams), DIFFUSE_OK);
    assert_int_equal(tuner_queue_new(&arena, QUEUE, LENGTH, &f.box), DIFFUSE_OK);
    return f;
}

static void end(struct feedback_facts *f) {
    tuner_queue_done(f->box);
    arena_done(&arena);
}

static uint32_t ids[LENGTH] = {10, 11, 12};

static struct stream_name named(const char *name, size_t len) {
    static const struct keyed key = {{7}};
    return stream_name(&key, name, len);
}

static struct inflight_sample sample(const char *stream, uint64_t seq) {
    struct inflight_sample s = {.seq = seq, .ids = ids, .n = 3, .label = 1, .confidence = 0.75f};
    s.stream_len = (uint8_t)snprintf(s.stream, sizeof s.stream, "%s", stream);
    s.stream_hash = named(s.stream, s.stream_len).hash;
    return s;
}

static void answered(struct feedback_facts *f, const char *stream, uint64_t seq) {
    struct inflight_sample s = sample(stream, seq);
    (void)stream_hear(f->streams, named(stream, strlen(stream)), &seq);
    recent_keep(f->retain, &s);
}

static enum feedback_fate say(const struct feedback_facts *f, const char *stream, uint64_t seq,
                              const char *label, bool text) {
    struct path_feedback said = {.has_text = text};
    struct inflight_sample s = sample(stream, seq);
    s.n = text ? 2 : 0;
    snprintf(said.label, sizeof said.label, "%s", label);
    return feedback_take(f, &said, &s);
}

static void finds_its_sample(void **state) {
    struct feedback_facts f = make();
    uint32_t got[LENGTH];
    struct tuner_queue_item item = {.ids = got};
    (void)state;
    answered(&f, "r", 5);
    assert_int_equal(say(&f, "r", 5, "ok", false), FEEDBACK_GIVEN);
    assert_true(tuner_queue_take(f.box, &item));
    assert_string_equal(item.stream, "r");
    assert_string_equal(item.label, "ok");
    assert_string_equal(item.root, "abcd");
    assert_true(item.row.judged);
    assert_int_equal(item.row.predicted, 1);
    assert_int_equal(item.row.n, 3);
    assert_int_equal(got[2], 12);
    assert_int_equal(say(&f, "r", 5, "ok", false), FEEDBACK_REPEATED);
    assert_int_equal(say(&f, "r", 5, "fault", false), FEEDBACK_CONTRADICTORY);
    assert_false(tuner_queue_take(f.box, &item));
    end(&f);
}

static void late_or_unknown(void **state) {
    struct feedback_facts f = make();
    (void)state;
    for (uint64_t seq = 1; seq <= WINDOW + 1; seq++)
        answered(&f, "r", seq);
    assert_int_equal(say(&f, "r", 1, "ok", false), FEEDBACK_LATE);
    assert_int_equal(say(&f, "r", 2, "ok", false), FEEDBACK_GIVEN);
    assert_int_equal(say(&f, "r", WINDOW + 2, "ok", false), FEEDBACK_UNKNOWN);
    assert_int_equal(say(&f, "other", 2, "ok", false), FEEDBACK_UNKNOWN);
    end(&f);
}

/* The last one that was heard is no unknown one, though it was not kept (it was refused). */
static void the_last_that_was_heard(void **state) {
    struct feedback_facts f = make();
    uint64_t last = 9;
    (void)state;
    answered(&f, "r", 8);
    (void)stream_hear(f.streams, named("r", 1), &last);
    assert_int_equal(say(&f, "r", last, "ok", false), FEEDBACK_LATE);
    assert_int_equal(say(&f, "r", last + 1, "ok", false), FEEDBACK_UNKNOWN);
    end(&f);
}

static void a_text_of_its_own_always_works(void **state) {
    struct feedback_facts f = make();
    uint32_t got[LENGTH];
    struct tuner_queue_item item = {.ids = got};
    (void)state;
    assert_int_equal(say(&f, "never heard", 77, "fault", true), FEEDBACK_GIVEN);
    assert_true(tuner_queue_take(f.box, &item));
    assert_false(item.row.judged);
    assert_int_equal(item.row.n, 2);
    struct path_feedback said = {.has_text = true, .label = "ok"};
    struct inflight_sample bad = sample("r", 1);
    bad.error = DIFFUSE_BADTEXT;
    assert_int_equal(feedback_take(&f, &said, &bad), FEEDBACK_BAD_TEXT);
    end(&f);
}

static void labels_by_name_and_id(void **state) {
    struct feedback_facts f = make();
    struct path_feedback said = {.by_id = true, .label_id = 1};
    struct inflight_sample s = sample("r", 1);
    (void)state;
    answered(&f, "r", 1);
    assert_int_equal(say(&f, "r", 1, "new", false), FEEDBACK_BAD_LABEL);
    assert_int_equal(feedback_take(&f, &said, &s), FEEDBACK_GIVEN);
    said.label_id = 2;
    assert_int_equal(feedback_take(&f, &said, &s), FEEDBACK_BAD_LABEL);
    f.growing = true;
    answered(&f, "r", 2);
    assert_int_equal(say(&f, "r", 2, "new", false), FEEDBACK_GIVEN);
    assert_int_equal(say(&f, "r", 2, "new", false), FEEDBACK_REPEATED);
    end(&f);
}

static void off_and_full(void **state) {
    struct feedback_facts f = make();
    struct recent *retain = f.retain;
    (void)state;
    for (uint64_t seq = 1; seq <= WINDOW; seq++)
        answered(&f, "r", seq);
    f.retain = NULL;
    assert_int_equal(say(&f, "r", 1, "ok", false), FEEDBACK_OFF);
    f.retain = retain;
    for (uint64_t seq = 1; seq <= QUEUE; seq++)
        assert_int_equal(say(&f, "r", seq, "ok", false), FEEDBACK_GIVEN);
    assert_int_equal(say(&f, "r", WINDOW, "ok", false), FEEDBACK_DROPPED);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_its_sample),        cmocka_unit_test(late_or_unknown),
        cmocka_unit_test(the_last_that_was_heard), cmocka_unit_test(a_text_of_its_own_always_works),
        cmocka_unit_test(labels_by_name_and_id),   cmocka_unit_test(off_and_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
