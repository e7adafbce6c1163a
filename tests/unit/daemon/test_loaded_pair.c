/* Slots and their roles: what is loaded into which, what is given up for it, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/loop/measure.h"
#include "daemon/path/loaded_pair.h"
#include "daemon/swap/reload.h"
#include "tests/lib/ckpt_sample.h"

static char folder[] = "/tmp/test_models_XXXXXX";

struct bed {
    struct conf conf;
    struct reload reload;
    struct loaded_pair models;
    struct loaded_model *lent; /* that the last reload was given; NULL: it asked for none */
};

static void write_model(const char *name, uint32_t width, uint32_t labels, uint32_t max_length,
                        uint64_t seed, char ret_path[64]) {
    struct ckpt_sample s;
    struct net_config c;
    struct reason why = {""};
    ckpt_sample_config(&c);
    c.width = width;
    c.labels = labels;
    ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, seed);
    s.model->max_length = max_length;
    snprintf(ret_path, 64, "%s/%s", folder, name);
    assert_int_equal(ckpt_write(ret_path, s.model, CKPT_F32, &why), DIFFUSE_OK);
    ckpt_sample_done(&s);
}

/* The first model serves, as at the start of the daemon. */
static void begin(struct bed *b, const char *path) {
    struct ckpt *k = NULL;
    struct plan plan;
    struct reason why = {""};
    memset(b, 0, sizeof *b);
    conf_init(&b->conf);
    b->conf.workers = 2;
    b->reload = (struct reload){.conf = &b->conf, .measure = measure_plan, .background = true};
    assert_int_equal(reload_open(&b->reload, path, NULL, &k, &plan, &why), DIFFUSE_OK);
    assert_int_equal(loaded_model_load(&b->models.slot[0], k, &b->conf, &plan, path, &why),
                     DIFFUSE_OK);
    ckpt_close(k);
    loaded_pair_begin(&b->models);
    b->reload.laid = true;
    b->reload.room = plan.room;
}

static struct loaded_model *lend(void *user) {
    struct bed *b = user;
    return b->lent = loaded_pair_lend(&b->models);
}

static diffuse_err reload(struct bed *b, const char *path, struct reload_report *report,
                          struct reason *why) {
    struct loaded_model *slot = NULL;
    b->lent = NULL;
    diffuse_err e =
        reload_run(&b->reload, path, b->models.serving, false, lend, b, &slot, report, why);
    if (!e && slot)
        loaded_pair_swap(&b->models, slot);
    return e;
}

static void reload_well(struct bed *b, const char *path) {
    struct reload_report report;
    struct reason why = {""};
    if (reload(b, path, &report, &why))
        fail_msg("%s", why.text);
}

static void test_roles_turn(void **state) {
    (void)state;
    struct bed b;
    struct reason why = {""};
    char one[64], two[64], three[64];
    write_model("one", 6, 3, 0, 1, one);
    write_model("two", 8, 4, 0, 2, two);
    write_model("three", 10, 2, 0, 3, three);
    begin(&b, one);
    assert_int_equal(loaded_pair_rollback(&b.models, &why), DIFFUSE_NOTFOUND);
    assert_string_equal(b.models.serving->path, one);
    reload_well(&b, two);
    assert_string_equal(b.models.serving->path, two);
    assert_string_equal(b.models.previous->path, one);
    assert_int_equal(b.models.serving->model->config.labels, 4);
    assert_true(b.models.serving->self_tested);
    reload_well(&b, three); /* in the place of one */
    assert_string_equal(b.models.serving->path, three);
    assert_string_equal(b.models.previous->path, two);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(loaded_pair_rollback(&b.models, &why), DIFFUSE_OK);
        assert_string_equal(b.models.serving->path, turn % 2 ? three : two);
        assert_string_equal(b.models.previous->path, turn % 2 ? two : three);
    }
    loaded_pair_done(&b.models);
}

static void test_the_same_again_changes_nothing(void **state) {
    (void)state;
    struct bed b;
    struct reload_report report;
    struct reason why = {""};
    char one[64], two[64], copy[64];
    write_model("one", 6, 3, 0, 1, one);
    write_model("two", 6, 3, 0, 2, two);
    write_model("copy", 6, 3, 0, 2, copy);
    begin(&b, one);
    reload_well(&b, two);
    assert_int_equal(reload(&b, copy, &report, &why), DIFFUSE_OK);
    assert_null(b.lent);
    assert_non_null(strstr(report.note, "serves already"));
    assert_string_equal(b.models.previous->path, one);
    loaded_pair_done(&b.models);
}

/* A slot whose samples are still under way is not lent; the file is looked at before. */
static void test_draining(void **state) {
    (void)state;
    struct bed b;
    struct reload_report report;
    struct reason why = {""};
    char one[64], two[64], three[64];
    write_model("one", 6, 3, 0, 1, one);
    write_model("two", 6, 3, 0, 2, two);
    write_model("three", 6, 3, 0, 3, three);
    begin(&b, one);
    b.models.serving->in_flight = 5;
    reload_well(&b, two); /* the other slot is free */
    assert_null(loaded_pair_lend(&b.models));
    assert_string_equal(b.models.previous->path, one);
    assert_int_equal(reload(&b, three, &report, &why), DIFFUSE_STOPPING);
    b.models.slot[0].in_flight = 0;
    b.models.serving->in_flight = 7; /* which does not matter */
    const uint8_t *memory = b.models.slot[0].arena.base;
    reload_well(&b, three);
    assert_ptr_equal(b.models.serving, &b.models.slot[0]);
    assert_ptr_equal(b.models.serving->arena.base, memory); /* of the same size: used again */
    assert_int_equal(b.models.serving->in_flight, 0);
    loaded_pair_done(&b.models);
}

/* What is wrong with the bytes is found before the previous model is given up. */
static void test_damage_costs_nothing(void **state) {
    (void)state;
    struct bed b;
    struct reload_report report;
    char one[64], two[64], bad[64];
    size_t n;
    write_model("one", 6, 3, 0, 1, one);
    write_model("two", 6, 3, 0, 2, two);
    write_model("bad", 6, 3, 0, 3, bad);
    begin(&b, one);
    reload_well(&b, two);
    uint8_t *bytes = ckpt_sample_slurp(bad, &n);
    for (size_t at = 0; at < n; at += n / 97 + 1) {
        struct reason why = {""};
        FILE *f = fopen(bad, "we");
        assert_non_null(f);
        bytes[at] ^= 4;
        assert_int_equal(fwrite(bytes, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
        bytes[at] ^= 4;
        assert_true(reload(&b, bad, &report, &why) != DIFFUSE_OK);
        assert_null(b.lent);
        assert_non_null(strstr(why.text, bad));
        assert_string_equal(b.models.previous->path, one);
    }
    free(bytes);
    loaded_pair_done(&b.models);
}

static void test_what_does_not_fit(void **state) {
    (void)state;
    struct bed b;
    struct reload_report report;
    struct reason why = {""};
    char one[64], two[64], more[64], longer[64];
    write_model("one", 6, 3, 20, 1, one);
    write_model("two", 200, 3, 20, 2, two);
    write_model("more", 6, 4, 20, 2, more);
    write_model("longer", 6, 3, 40, 2, longer);
    begin(&b, one);
    reload_well(&b, longer);
    assert_int_equal(b.models.serving->plan.max_length, 20);
    assert_int_equal(reload(&b, one, &report, &why), DIFFUSE_OK);
    assert_string_equal(report.note, "");
    assert_int_equal(reload(&b, longer, &report, &why), DIFFUSE_OK);
    assert_non_null(strstr(report.note, "20 tokens"));
    b.conf.memory_budget = b.models.serving->plan.total + 1000;
    assert_int_equal(reload(&b, two, &report, &why), DIFFUSE_BUDGET);
    assert_non_null(strstr(why.text, "row"));
    assert_null(b.lent);
    loaded_pair_done(&b.models);
    begin(&b, one);
    b.conf.scores = 1;
    b.reload.room.scores = 3;
    assert_int_equal(reload(&b, more, &report, &why), DIFFUSE_BUDGET);
    assert_non_null(strstr(why.text, "'samples'"));
    loaded_pair_done(&b.models);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    static const char *const names[] = {"one", "two", "three", "copy", "bad", "more", "longer"};
    char path[64];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_turn),
        cmocka_unit_test(test_the_same_again_changes_nothing),
        cmocka_unit_test(test_draining),
        cmocka_unit_test(test_damage_costs_nothing),
        cmocka_unit_test(test_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
