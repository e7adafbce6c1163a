/* test_sweep.c - what a sweep is asked to try, what runs leave behind, and what a log said last. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/tool/sweep/sweep_child.h"
#include "model/tool/sweep/sweep_grid.h"
#include "model/tool/sweep/sweep_result.h"

/* --- grid ---------------------------------------------------------------- */

static struct sweep_grid grid_of(const char *first, const char *second, const char *seeds) {
    struct sweep_grid g = {.keys = 0};
    struct reason why;

    assert_int_equal(sweep_grid_add(&g, first, &why), DIFFUSE_OK);
    if (second)
        assert_int_equal(sweep_grid_add(&g, second, &why), DIFFUSE_OK);
    assert_int_equal(sweep_grid_add_seeds(&g, seeds, &why), DIFFUSE_OK);
    return g;
}

static void assert_name(const struct sweep_grid *g, size_t point, size_t seed, const char *name) {
    char text[SWEEP_NAME];
    struct reason why;

    assert_int_equal(sweep_grid_name(g, point, seed, text, &why), DIFFUSE_OK);
    assert_string_equal(text, name);
}

static void test_points_and_names(void **state) {
    struct sweep_grid g = grid_of("batch=16,32,64", "lr=0.001,2e-3", "1,77");
    char title[64];

    (void)state;
    assert_int_equal(sweep_grid_points(&g), 6);
    assert_name(&g, 0, 0, "batch-16_lr-0.001_seed-1");
    assert_name(&g, 1, 0, "batch-16_lr-2e-3_seed-1");
    assert_name(&g, 5, 1, "batch-64_lr-2e-3_seed-77");
    assert_int_equal(sweep_grid_index(&g, 3, 0), 1);
    assert_int_equal(sweep_grid_index(&g, 3, 1), 1);
    assert_string_equal(sweep_grid_value(&g, 4, 0), "64");
    sweep_grid_title(&g, 2, title, sizeof title);
    assert_string_equal(title, "batch 32, lr 0.001");
    sweep_grid_title(&g, 2, title, 9);
    assert_string_equal(title, "batch 32");
    sweep_grid_done(&g);
}

/* Values with commas are apart by semicolons; what no folder should be called is replaced, and two
 * that would then be called the same are kept apart. */
static void test_values_of_names(void **state) {
    struct sweep_grid g = grid_of("offsets=1,2;1-2;dilated", "brackets=;{ [ : } ]", "0");

    (void)state;
    assert_int_equal(sweep_grid_points(&g), 6);
    assert_string_equal(sweep_grid_value(&g, 0, 0), "1,2");
    assert_name(&g, 0, 0, "offsets-1-2_brackets-none_seed-0");
    assert_name(&g, 2, 0, "offsets-1-2~2_brackets-none_seed-0");
    assert_name(&g, 5, 0, "offsets-dilated_brackets----------_seed-0");
    sweep_grid_done(&g);
    g = grid_of("pool=../../x,mean", NULL, "0");
    assert_name(&g, 0, 0, "pool-..-..-x_seed-0");
    sweep_grid_done(&g);
}

static void test_ranges(void **state) {
    struct sweep_grid g = grid_of("lr=0.001..0.1*3", "batch=8..64*4", "1");

    (void)state;
    assert_int_equal(g.key[0].n, 3);
    assert_string_equal(g.key[0].value[0], "0.001");
    assert_string_equal(g.key[0].value[1], "0.01");
    assert_string_equal(g.key[0].value[2], "0.1");
    assert_string_equal(g.key[1].value[1], "16");
    assert_string_equal(g.key[1].value[3], "64");
    sweep_grid_done(&g);
}

static void assert_refused(const char *spec, diffuse_err expected, const char *because) {
    struct sweep_grid g = {.keys = 0};
    struct reason why = {""};

    assert_int_equal(sweep_grid_add(&g, "width=8,16", &why), DIFFUSE_OK);
    assert_int_equal(sweep_grid_add(&g, spec, &why), expected);
    if (!strstr(why.text, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", spec, why.text, because);
    assert_int_equal(g.keys, 1); /* and nothing is half there */
    sweep_grid_done(&g);
}

static void test_refused(void **state) {
    (void)state;
    assert_refused("bacth=1,2", DIFFUSE_INVAL, "bacth");
    assert_refused("batch", DIFFUSE_INVAL, "KEY=VALUE");
    assert_refused("batch=", DIFFUSE_INVAL, "KEY=VALUE");
    assert_refused("=1", DIFFUSE_INVAL, "KEY=VALUE");
    assert_refused("seed=1,2", DIFFUSE_INVAL, "--seeds");
    assert_refused("width=4", DIFFUSE_INVAL, "twice");
    assert_refused("batch=16,,32", DIFFUSE_INVAL, "--batch is \"\"");
    assert_refused("batch=16,", DIFFUSE_INVAL, "--batch is \"\"");
    assert_refused("batch=16,1.5", DIFFUSE_INVAL, "whole number");
    assert_refused("lr=0.1,101", DIFFUSE_INVAL, "from 0 to 100");
    assert_refused("lr=nan", DIFFUSE_INVAL, "lr");
    assert_refused("lr=0.001,1e-3", DIFFUSE_INVAL, "twice");
    assert_refused("pool=max,max", DIFFUSE_INVAL, "twice");
    assert_refused("lr=0..1*3", DIFFUSE_INVAL, "above 0");
    assert_refused("lr=0.1..1", DIFFUSE_INVAL, "how many");
    assert_refused("lr=0.1..1*1", DIFFUSE_INVAL, "how many");
    assert_refused("lr=0.1..1*3x", DIFFUSE_INVAL, "how many");
    assert_refused("batch=2..3*9", DIFFUSE_INVAL, "twice");
    assert_refused("warmup=0.1..1*900", DIFFUSE_TOOBIG, "at most");
}

static void test_seeds_refused(void **state) {
    struct sweep_grid g = {.keys = 0};
    struct reason why;

    (void)state;
    assert_int_equal(sweep_grid_add_seeds(&g, "1,-2", &why), DIFFUSE_INVAL);
    assert_int_equal(sweep_grid_add_seeds(&g, "1,1", &why), DIFFUSE_INVAL);
    assert_int_equal(sweep_grid_add_seeds(&g, "4294967295", &why), DIFFUSE_OK);
    assert_int_equal(g.seed[0], 4294967295u);
    assert_int_equal(sweep_grid_add_seeds(&g, "2", &why), DIFFUSE_INVAL);
    sweep_grid_done(&g);
}

/* --- what runs leave behind ---------------------------------------------- */

static void write_in(const char *dir, const char *name, const char *text) {
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void remove_in(const char *dir, const char *name) {
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(unlink(path), 0);
}

static void assert_number(double value, double expected) {
    assert_true(fabs(value - expected) < 1e-12);
}

static void test_summary(void **state) {
    char dir[] = "/tmp/test_sweep.XXXXXX";
    struct sweep_result r;
    struct reason why;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(sweep_result_read(dir, &r, &why), DIFFUSE_NOTFOUND);
    write_in(dir, "summary.json", "{\"best\": {\"epoch\": 3, \"valid\": {\"accuracy\": ");
    assert_int_equal(sweep_result_read(dir, &r, &why), DIFFUSE_CORRUPT);
    assert_non_null(strstr(why.text, "summary.json"));
    write_in(dir, "summary.json",
             "{\"best\": {\"epoch\": 3, \"valid\": {\"accuracy\": 0.5, \"macro_f1\": \"x\"},"
             " \"test\": null}, \"final\": 7, \"training_seconds\": 2.5, \"peak_mb\": 12,"
             " \"peak_resident_mb\": 13, \"model_bytes\": 1000}");
    assert_int_equal(sweep_result_read(dir, &r, &why), DIFFUSE_OK);
    assert_number(r.value[SWEEP_EPOCH], 3);
    assert_number(r.value[SWEEP_VALID], 0.5);
    assert_number(r.value[SWEEP_SECONDS], 2.5);
    assert_number(r.value[SWEEP_PEAK_MB], 12);
    assert_number(r.value[SWEEP_BYTES], 1000);
    assert_true(isnan(r.value[SWEEP_TEST]));
    assert_true(isnan(r.value[SWEEP_VALID_F1]));
    assert_true(isnan(r.value[SWEEP_FINAL_VALID]));
    assert_true(isnan(r.value[SWEEP_SPEED]));
    remove_in(dir, "summary.json");
    assert_int_equal(rmdir(dir), 0);
}

static void test_another_run(void **state) {
    char dir[] = "/tmp/test_sweep.XXXXXX";
    json_t *o =
        json_pack("{s:f, s:i, s:s, s:n}", "lr", 1.0 / 3, "threads", 2, "data", "tsv:x", "test");
    struct reason why;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(sweep_result_same(dir, o, false, &why), DIFFUSE_NOTFOUND);
    assert_int_equal(sweep_result_ask(dir, o, &why), DIFFUSE_OK);
    assert_int_equal(sweep_result_same(dir, o, true, &why), DIFFUSE_OK);
    json_object_set_new(o, "threads", json_integer(1));
    assert_int_equal(sweep_result_same(dir, o, false, &why), DIFFUSE_OK);
    assert_int_equal(sweep_result_same(dir, o, true, &why), DIFFUSE_INVAL);
    json_object_set_new(o, "test", json_string("tsv:x"));
    assert_int_equal(sweep_result_same(dir, o, false, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "test is null there and \"tsv:x\" here"));
    remove_in(dir, "sweep.json");

    assert_int_equal(sweep_result_epochs(dir), 0);
    write_in(dir, "config.json", "{\"parameters\": {\"epochs\": 12}}");
    assert_int_equal(sweep_result_epochs(dir), 12);
    remove_in(dir, "config.json");
    assert_int_equal(rmdir(dir), 0);
    json_decref(o);
}

static void assert_last(const char *log, const char *line) {
    char text[64];

    sweep_child_last_line(log, strlen(log), text, sizeof text);
    assert_string_equal(text, line);
}

static void test_last_line(void **state) {
    (void)state;
    assert_last("", "");
    assert_last("\n\n", "");
    assert_last("one", "one");
    assert_last("one\ndiffuse: it broke\n\n", "it broke");
    assert_last("epoch 1\rbar 3 %\rbar 4 %  \n", "bar 4 %");
    assert_last("diffuse: \n", "diffuse:");
    assert_last("x\n0123456789012345678901234567890123456789012345678901234567890123456789",
                "012345678901234567890123456789012345678901234567890123456789012");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_and_names), cmocka_unit_test(test_values_of_names),
        cmocka_unit_test(test_ranges),           cmocka_unit_test(test_refused),
        cmocka_unit_test(test_seeds_refused),    cmocka_unit_test(test_summary),
        cmocka_unit_test(test_another_run),      cmocka_unit_test(test_last_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
