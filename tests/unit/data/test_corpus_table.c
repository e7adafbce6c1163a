/* test_corpus_table.c - the tables of the robot corpus: sound, large enough, train and test apart.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus/corpus_grammar.h"
#include "model/data/corpus/corpus_table.h"

#include "cmocka.h"

#define TRAIN_LEAST 25u /* bodies of a label */
#define HELD_LEAST  8u
#define EXPANSIONS  200u /* of each body, where train and test are compared */

static const struct corpus_pin pins[] = {
    {"robot", "robot1"}, {"src", "s"},   {"tag", "T"}, {"dev", "d"},
    {"lvl", "l"},        {"level", "L"}, {"lv", "I"},
};
#define PINS (sizeof pins / sizeof *pins)

static void check_pattern(const char *pattern) {
    const char *fault = corpus_grammar_fault(pattern, pins, PINS);

    if (fault != NULL)
        print_error("in \"%s\" at \"%s\"\n", pattern, fault);
    assert_null(fault);
}

static void patterns_are_sound(void **state) {
    (void)state;
    for (size_t i = 0; i < corpus_table_n_bodies; i++)
        check_pattern(corpus_table_bodies[i].pattern);
    for (size_t i = 0; i < corpus_table_n_wraps; i++) {
        check_pattern(corpus_table_wraps[i].before);
        check_pattern(corpus_table_wraps[i].after);
    }
    for (size_t i = 0; i < corpus_table_n_slots; i++) {
        const struct corpus_slot *s = &corpus_table_slots[i];

        assert_true(i == 0 || strcmp(corpus_table_slots[i - 1].name, s->name) < 0);
        assert_ptr_equal(corpus_table_slot(s->name, strlen(s->name)), s);
        assert_true(s->low <= s->high && s->high - s->low < UINT32_MAX);
        check_pattern(s->shared);
        check_pattern(s->held);
    }
    for (size_t i = 0; i < CORPUS_SEVERITIES; i++) {
        check_pattern(corpus_table_severities[i].level);
        check_pattern(corpus_table_severities[i].lvl);
        check_pattern(corpus_table_severities[i].lv);
    }
    for (size_t i = 0; i < CORPUS_DOMAINS; i++) {
        check_pattern(corpus_table_domains[i].src);
        check_pattern(corpus_table_domains[i].tag);
        check_pattern(corpus_table_domains[i].dev);
    }
}

static void unknown_slots_are_not_found(void **state) {
    (void)state;
    assert_null(corpus_table_slot("", 0));
    assert_null(corpus_table_slot("robo", 4));
    assert_null(corpus_table_slot("sitee", 5));
    assert_null(corpus_table_slot("sit", 3));
    assert_non_null(corpus_table_slot("site_and_more", 4)); /* n bytes only */
}

static void labels_have_enough_bodies(void **state) {
    size_t n[CORPUS_LABELS][2] = {{0}};

    (void)state;
    for (size_t i = 0; i < corpus_table_n_bodies; i++)
        n[corpus_table_bodies[i].label][corpus_table_bodies[i].held]++;
    for (size_t i = 0; i < CORPUS_LABELS; i++) {
        assert_true(n[i][0] >= TRAIN_LEAST);
        assert_true(n[i][1] >= HELD_LEAST);
    }
}

static void every_kind_has_formats(void **state) {
    uint32_t n[CORPUS_KINDS][2] = {{0}};

    (void)state;
    for (size_t i = 0; i < corpus_table_n_wraps; i++)
        n[corpus_table_wraps[i].kind][corpus_table_wraps[i].held] += corpus_table_wraps[i].weight;
    for (size_t i = 0; i < CORPUS_KINDS; i++)
        assert_true(n[i][0] > 0 && n[i][1] > 0);
}

/* A number says what it means only while its bands stay apart: each must end before the next
 * begins. */
static void bands_never_meet(void **state) {
    static const char *const rising[][3] = {
        {"n_pct_crit", "n_pct_low", "n_pct_warn"},
        {"v3_crit", "v3_low", "v3_ok"},
        {"v4_crit", "v4_low", "v4_ok"},
        {"v6_crit", "v6_low", "v6_ok"},
        {"v24_crit", "v24_low", "v24_ok"},
        {"n_pct_crit", "n_pct_low", "n_pct_ok"},
        {"n_mot_ok", "n_mot_lim", "n_mot_hot"},
        {"n_bat_ok", "n_bat_hot", NULL},
        {"n_cpu_ok", "n_cpu_hot", NULL},
        {"n_rssi_bad", "n_rssi_ok", NULL},
        {"n_ms_ok", "n_ms_lim", "n_ms_high"},
        {"n_hz_bad", "n_hz_ok", NULL},
        {"score_bad", "score_ok", NULL},
        {"cov_ok", "cov_bad", NULL},
        {"n_sat_bad", "n_sat_ok", NULL},
        {"n_pct_idle", "n_pct_full", NULL},
        {"n_mb_low", "n_mb_ok", NULL},
        {"n_amp_ok", "n_amp_big", NULL},
        {"n_hours_ok", "n_hours", NULL},
        {"n_kpa_ok", "n_kpa_bad", NULL},
        {"n_mv_small", "n_mv_big", NULL},
        {"n_force_low", "n_force_mid", "n_force_hi"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++)
        for (size_t k = 0; k < 2 && rising[i][k + 1] != NULL; k++) {
            const struct corpus_slot *a = corpus_table_slot(rising[i][k], strlen(rising[i][k]));
            const struct corpus_slot *b =
                corpus_table_slot(rising[i][k + 1], strlen(rising[i][k + 1]));

            assert_non_null(a);
            assert_non_null(b);
            assert_int_equal(a->decimals, b->decimals);
            assert_true(a->high < b->low);
        }
}

struct phrase {
    uint64_t hash;
    uint32_t body;
};

/* FNV-1a over lower-case letters only: another number, case or comma is not another phrasing. */
static uint64_t hash_letters(const char *text, size_t n) {
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        if (isalpha((unsigned char)text[i]))
            h = (h ^ (uint64_t)tolower((unsigned char)text[i])) * 0x100000001b3u;
    return h;
}

static int by_hash(const void *a, const void *b) {
    const struct phrase *x = a, *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Every slot stands for the same sign here, so that only the phrasing is compared. */
static size_t expand_all(struct phrase *phrases) {
    struct corpus_pin *same = calloc(corpus_table_n_slots + 1, sizeof *same);
    struct rng rng;
    struct corpus_scope scope = {&rng, true, same, corpus_table_n_slots + 1};
    size_t n = 0;

    assert_non_null(same);
    same[0] = (struct corpus_pin){"robot", "0"};
    for (size_t i = 0; i < corpus_table_n_slots; i++)
        same[i + 1] = (struct corpus_pin){corpus_table_slots[i].name, "0"};
    rng_init(&rng, 1, 0);
    for (size_t i = 0; i < corpus_table_n_bodies; i++)
        for (unsigned k = 0; k < EXPANSIONS; k++) {
            char bytes[1024];
            struct corpus_text out = {bytes, sizeof bytes, 0};

            corpus_grammar_expand(&scope, corpus_table_bodies[i].pattern, &out);
            phrases[n++] = (struct phrase){hash_letters(bytes, out.len), (uint32_t)i};
        }
    free(same);
    return n;
}

static void held_out_phrasings_never_train(void **state) {
    struct phrase *phrases = malloc(corpus_table_n_bodies * EXPANSIONS * sizeof *phrases);
    unsigned shared = 0;
    size_t n;

    (void)state;
    assert_non_null(phrases);
    n = expand_all(phrases);
    qsort(phrases, n, sizeof *phrases, by_hash);
    for (size_t i = 1; i < n; i++) {
        const struct corpus_body *a = &corpus_table_bodies[phrases[i - 1].body];
        const struct corpus_body *b = &corpus_table_bodies[phrases[i].body];

        if (phrases[i - 1].hash != phrases[i].hash || a->held == b->held)
            continue;
        print_error("in both splits: \"%s\" and \"%s\"\n", a->pattern, b->pattern);
        shared++;
    }
    assert_int_equal(shared, 0);
    free(phrases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_sound),
        cmocka_unit_test(unknown_slots_are_not_found),
        cmocka_unit_test(labels_have_enough_bodies),
        cmocka_unit_test(every_kind_has_formats),
        cmocka_unit_test(bands_never_meet),
        cmocka_unit_test(held_out_phrasings_never_train),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
