/* Policies: what is understood, what is refused and why, and whose holds for a stream. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/conf/policy.h"

static void words_are_understood(void **state) {
    (void)state;
    struct policy_rule r;
    struct reason why = {""};
    assert_int_equal(
        policy_parse("a:b/:every=64,change=0.25,min_confidence=.5,window=256", &r, &why), 0);
    assert_string_equal(r.prefix, "a:b/");
    assert_int_equal(r.prefix_len, 4);
    assert_int_equal(r.policy.every, 64);
    assert_true(r.policy.change && r.policy.margin == 0.25f && r.policy.min_confidence == 0.5f);
    assert_int_equal(r.policy.window, 256);
    assert_int_equal(r.policy.step, 0);
    assert_int_equal(policy_parse(":window=9/3,end", &r, &why), 0);
    assert_int_equal(r.prefix_len, 0);
    assert_true(r.policy.end && r.policy.window == 9 && r.policy.step == 3);
    assert_int_equal(policy_parse("x:change", &r, &why), 0);
    assert_true(r.policy.change && r.policy.margin == 0);
    assert_int_equal(policy_parse("x:", &r, &why), 0);
    struct policy none = {0};
    assert_memory_equal(&r.policy, &none, sizeof none);
}

/* The rule that names the label, with the longest prefix; those are no rules for all labels. */
static void a_label_of_its_own(void **state) {
    struct policy_rule rules[3];
    struct reason why = {""};
    float least = -1;
    (void)state;
    assert_int_equal(policy_parse(":min_confidence=0.5", &rules[0], &why), DIFFUSE_OK);
    assert_int_equal(policy_parse(":label=fault,min_confidence=0.75", &rules[1], &why), DIFFUSE_OK);
    assert_int_equal(policy_parse("r7/:min_confidence=0.25,label=fault", &rules[2], &why),
                     DIFFUSE_OK);
    assert_true(policy_least(rules, 3, "a", 1, "fault", &least));
    assert_true(least == 0.75f);
    assert_true(policy_least(rules, 3, "r7/log", 6, "fault", &least));
    assert_true(least == 0.25f);
    assert_false(policy_least(rules, 3, "r7/log", 6, "ok", &least));
    assert_true(policy_find(rules, 3, "r7/log", 6).min_confidence == 0.5f);
    assert_int_equal(policy_parse("r7/:label=fault,min_confidence=0", &rules[0], &why),
                     DIFFUSE_OK); /* it is always sure enough */
    assert_true(policy_least(rules, 1, "r7/log", 6, "fault", &least) && least == 0);
    assert_int_equal(policy_parse("r7/:every=3", &rules[0], &why), DIFFUSE_OK);
    assert_true(rules[0].policy.min_confidence == 0);
    assert_int_equal(policy_parse(":label=fault,every=3", &rules[0], &why), DIFFUSE_INVAL);
    assert_int_equal(policy_parse(":label=fault", &rules[0], &why), DIFFUSE_INVAL);
}

static void others_are_refused_with_the_reason(void **state) {
    static const struct {
        const char *text, *word;
    } rows[] = {
        {"robot", "PREFIX:WORD"},
        {"a:every", "'every'"},
        {"a:every=", "'every='"},
        {"a:every=0", "'every=0'"},
        {"a:every=-1", "'every=-1'"},
        {"a:every=4294967296", "every=4294967296"},
        {"a:every=6x", "'every=6x'"},
        {"a:end=1", "'end=1'"},
        {"a:change=nan", "'change=nan'"},
        {"a:change=1.01", "0 to 1"},
        {"a:min_confidence=2", "0 to 1"},
        {"a:window=4/", "'window=4/'"},
        {"a:window=4/5", "at most the window"},
        {"a:window=4/2,every=3", "remove every"},
        {"a:end,change", "remove one"},
        {"a:,", "''"},
        {"a:sometimes", "'sometimes'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_rule r;
        struct reason why = {""};
        assert_int_equal(policy_parse(rows[i].text, &r, &why), DIFFUSE_INVAL);
        if (!strstr(why.text, rows[i].word))
            fail_msg("%s: '%s' is not in: %s", rows[i].text, rows[i].word, why.text);
    }
}

static void what_came_with_a_sample_is_held_to_the_same(void **state) {
    (void)state;
    Diffused__V1__Policy said = DIFFUSED__V1__POLICY__INIT;
    struct policy p;
    struct reason why = {""};
    said.margin = NAN;
    assert_int_equal(policy_read(&said, &p, &why), DIFFUSE_INVAL);
    said.margin = 0;
    said.min_confidence = -0.5f;
    assert_int_equal(policy_read(&said, &p, &why), DIFFUSE_INVAL);
    said.min_confidence = 1;
    said.step = 1;
    assert_int_equal(policy_read(&said, &p, &why), DIFFUSE_INVAL);
    said.window = 1;
    assert_int_equal(policy_read(&said, &p, &why), DIFFUSE_OK);
    assert_true(p.window == 1 && p.step == 1 && p.min_confidence == 1);
}

static void the_longest_prefix_counts(void **state) {
    static const struct {
        const char *stream;
        uint32_t every;
    } rows[] = {{"robot7/log", 3}, {"robot7", 2}, {"robot", 2}, {"robo", 1}, {"x", 1}};
    struct policy_rule rules[3];
    (void)state;
    assert_int_equal(policy_parse("robot7/:every=3", &rules[0], NULL), 0);
    assert_int_equal(policy_parse(":every=1", &rules[1], NULL), 0);
    assert_int_equal(policy_parse("robot:every=2", &rules[2], NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(policy_find(rules, 3, rows[i].stream, strlen(rows[i].stream)).every,
                         rows[i].every);
    assert_int_equal(policy_find(rules, 1, "other", 5).every, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_understood),
        cmocka_unit_test(a_label_of_its_own),
        cmocka_unit_test(others_are_refused_with_the_reason),
        cmocka_unit_test(what_came_with_a_sample_is_held_to_the_same),
        cmocka_unit_test(the_longest_prefix_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
