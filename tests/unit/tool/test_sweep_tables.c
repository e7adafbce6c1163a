/* test_sweep_tables.c - means, the best point, tables and pictures of sweeps of many shapes, whole
 * and with runs that failed. SWEEP_PICTURES=DIR keeps the pictures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/text/utf8.h"
#include "model/tool/sweep/sweep_picture.h"
#include "model/tool/sweep/sweep_tables.h"

#define KEYS_MAX 3u

/* A sweep over so many keys, every run done with numbers that tell it apart. */
static struct sweep_plan plan_of(const char *const spec[KEYS_MAX], const char *seeds) {
    struct sweep_plan p = {.data = "tsv:here/fleet", .out = "out", .judged = SWEEP_VALID};
    struct reason why;

    for (size_t k = 0; k < KEYS_MAX && spec[k]; k++)
        assert_int_equal(sweep_grid_add(&p.grid, spec[k], &why), DIFFUSE_OK);
    assert_int_equal(sweep_grid_add_seeds(&p.grid, seeds, &why), DIFFUSE_OK);
    p.runs = sweep_grid_points(&p.grid) * p.grid.seeds;
    p.run = calloc(p.runs, sizeof *p.run);
    assert_non_null(p.run);
    for (size_t i = 0; i < p.runs; i++) {
        struct sweep_run *r = &p.run[i];

        r->point = i / p.grid.seeds;
        r->seed = i % p.grid.seeds;
        r->state = SWEEP_DONE;
        assert_int_equal(sweep_grid_name(&p.grid, r->point, r->seed, r->name, &why), DIFFUSE_OK);
        sweep_result_clear(&r->result);
        r->result.value[SWEEP_VALID] =
            0.9 - 0.01 * fabs((double)r->point - 2) + 0.004 * (double)r->seed;
        r->result.value[SWEEP_SECONDS] = 100.0 / (double)(r->point + 1) + (double)r->seed;
        r->result.value[SWEEP_PEAK_MB] = 60 + 9 * (double)r->point;
    }
    return p;
}

static struct sweep_plan small(void) {
    return plan_of((const char *const[KEYS_MAX]){"batch=16,32,64", "norm=pre,post"}, "1,2,3");
}

static void assert_number(double value, double expected) {
    assert_true(fabs(value - expected) < 1e-9);
}

static void fail_run(struct sweep_plan *p, size_t i, const char *reason) {
    p->run[i].state = SWEEP_FAILED;
    sweep_result_clear(&p->run[i].result);
    (void)snprintf(p->run[i].why.text, sizeof p->run[i].why.text, "%s", reason);
}

/* --- numbers ------------------------------------------------------------- */

static void test_means(void **state) {
    struct sweep_plan p = small();
    struct sweep_stat s = sweep_plan_stat(&p, 2, SWEEP_VALID);

    (void)state;
    assert_int_equal(s.n, 3);
    assert_number(s.mean, 0.904);
    assert_number(s.low, 0.9);
    assert_number(s.high, 0.908);
    assert_number(s.sd, 0.004); /* of a sample */
    assert_int_equal(sweep_plan_stat(&p, 2, SWEEP_TEST).n, 0);
    fail_run(&p, 8, "x");
    s = sweep_plan_stat(&p, 2, SWEEP_VALID);
    assert_int_equal(s.n, 2);
    assert_number(s.mean, 0.902);
    fail_run(&p, 7, "x");
    assert_number(sweep_plan_stat(&p, 2, SWEEP_VALID).sd, 0);
    sweep_plan_done(&p);
}

static void test_best(void **state) {
    struct sweep_plan p = small();
    size_t best = 99;

    (void)state;
    assert_true(sweep_plan_best(&p, &best));
    assert_int_equal(best, 2);
    for (size_t i = 6; i < 9; i++)
        fail_run(&p, i, "x");
    assert_true(sweep_plan_best(&p, &best));
    assert_int_equal(best, 1); /* the first of equals */
    p.judged = SWEEP_TEST;
    assert_false(sweep_plan_best(&p, &best));
    sweep_plan_done(&p);
}

/* --- tables -------------------------------------------------------------- */

static char *text_of(void (*draw)(FILE *f, const struct sweep_plan *p),
                     const struct sweep_plan *p) {
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    draw(f, p);
    assert_int_equal(fclose(f), 0);
    assert_true(utf8_valid(text, len));
    return text;
}

static void test_csv(void **state) {
    struct sweep_plan p =
        plan_of((const char *const[KEYS_MAX]){"offsets=1;1,2", "lr=0.1,0.2"}, "5");
    char *text;

    (void)state;
    fail_run(&p, 1, "it said \"no\", then fell");
    p.run[0].result.value[SWEEP_VALID] = 0.125;
    p.run[2].state = SWEEP_WAITING;
    p.run[3].result.value[SWEEP_BYTES] = 12345678901;
    text = text_of(sweep_tables_csv, &p);
    assert_string_equal(
        text,
        "name,offsets,lr,seed,state,best_epoch,valid_accuracy,test_accuracy,final_valid_accuracy,"
        "final_test_accuracy,valid_macro_f1,test_macro_f1,train_seconds,tokens_per_second,peak_mb,"
        "parameters,model_bytes,reason\n"
        "offsets-1_lr-0.1_seed-5,1,0.1,5,done,,0.125,,,,,,100,,60,,,\n"
        "offsets-1_lr-0.2_seed-5,1,0.2,5,failed,,,,,,,,,,,,,\"it said \"\"no\"\", then fell\"\n"
        "offsets-1-2_lr-0.1_seed-5,\"1,2\",0.1,5,waiting,,,,,,,,,,,,,\n"
        "offsets-1-2_lr-0.2_seed-5,\"1,2\",0.2,5,done,,0.89,,,,,,25,,87,,12345678901,\n");
    free(text);
    sweep_plan_done(&p);
}

static void test_markdown(void **state) {
    struct sweep_plan p = plan_of((const char *const[KEYS_MAX]){"pool=max,mean_max,a|b"}, "1,2");
    char *text;

    (void)state;
    fail_run(&p, 0, "no <room>");
    fail_run(&p, 1, "no *room*");
    text = text_of(sweep_tables_markdown, &p);
    assert_string_equal(
        text, "# tsv: fleet\n\n"
              "| pool | valid accuracy, % | training, s | peak, MB | runs |\n"
              "|---|---:|---:|---:|---:|\n"
              "| max | \u2013 | \u2013 | \u2013 | 0/2 |\n"
              "| mean\\_max | 89.20 \u00b1 0.28 | 50.50 \u00b1 0.71 | 69 | 2/2 |\n"
              "| **a\\|b** | **90.20 \u00b1 0.28** | 33.83 \u00b1 0.71 | 78 | 2/2 |\n\n"
              "Best: **pool a\\|b**, chosen by accuracy on validation rows. Means of the seeds "
              "\u00b1 their standard deviation.\n\n"
              "2 of 6 runs failed.\n\n"
              "- `pool-max_seed-1`: no \\<room>\n"
              "- `pool-max_seed-2`: no \\*room\\*\n");
    free(text);
    sweep_plan_done(&p);
}

static void test_json(void **state) {
    struct sweep_plan p = small();
    json_t *all, *point;
    const char *by = NULL;

    (void)state;
    fail_run(&p, 4, "why");
    all = sweep_tables_json(&p);
    assert_int_equal(json_unpack(all, "{s:s}", "chosen_by", &by), 0);
    assert_string_equal(by, "valid_accuracy");
    assert_int_equal(json_array_size(json_object_get(all, "points")), 6);
    point = json_array_get(json_object_get(all, "points"), 2);
    assert_true(json_is_true(json_object_get(point, "best")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(point, "settings"), "batch")), 32);
    point = json_array_get(json_object_get(all, "points"), 1);
    assert_false(json_is_true(json_object_get(point, "best")));
    point = json_array_get(json_object_get(point, "runs"), 1);
    assert_string_equal(json_string_value(json_object_get(point, "state")), "failed");
    assert_string_equal(json_string_value(json_object_get(point, "reason")), "why");
    assert_null(json_object_get(point, "valid_accuracy"));
    json_decref(all);
    sweep_plan_done(&p);
}

static void test_missing(void **state) {
    struct sweep_plan p = small();
    char text[64];

    (void)state;
    assert_false(sweep_tables_missing(&p, text, sizeof text));
    p.run[3].state = SWEEP_STOPPED;
    assert_true(sweep_tables_missing(&p, text, sizeof text));
    assert_string_equal(text, "1 of 18 runs are not done");
    fail_run(&p, 0, "x");
    p.run[4].state = SWEEP_WAITING;
    assert_true(sweep_tables_missing(&p, text, sizeof text));
    assert_string_equal(text, "1 of 18 runs failed, 2 are not done");
    sweep_plan_done(&p);
}

/* --- pictures ------------------------------------------------------------ */

/* Closed elements, no number that is none, and every text inside the page. */
static void assert_sound(const char *svg) {
    double width = 0, height = 0;
    int open = 0;

    assert_int_equal(sscanf(strstr(svg, "viewBox"), "viewBox=\"0 0 %lf %lf", &width, &height), 2);
    assert_true(width < 5000 && height < 5000);
    for (const char *p = svg; (p = strchr(p, '<')); p++) {
        const char *end = strchr(p, '>');
        double x, y;

        assert_non_null(end);
        assert_null(memchr(p + 1, '<', (size_t)(end - p - 1)));
        assert_null(memmem(p, (size_t)(end - p), "nan", 3));
        assert_null(memmem(p, (size_t)(end - p), "inf", 3));
        open += p[1] == '/' ? -1 : end[-1] != '/';
        if (sscanf(p, "<text x=\"%lf\" y=\"%lf\"", &x, &y) == 2)
            assert_true(x >= 0 && x <= width && y > 0 && y < height);
    }
    assert_int_equal(open, 0);
}

static void keep(const char *name, const char *svg) {
    const char *dir = getenv("SWEEP_PICTURES");
    char path[256];
    FILE *f;

    if (!dir)
        return;
    (void)snprintf(path, sizeof path, "%s/%s.svg", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs(svg, f);
    assert_int_equal(fclose(f), 0);
}

/* Whole, with failures, with a single run, with none. */
static void draw_all(const char *name, const char *const spec[KEYS_MAX], const char *seeds) {
    struct sweep_plan p = plan_of(spec, seeds);
    char *svg = text_of(sweep_picture_draw, &p);

    assert_sound(svg);
    assert_non_null(strstr(svg, "tsv: fleet"));
    assert_non_null(strstr(svg, "best: "));
    keep(name, svg);
    free(svg);
    for (size_t left = p.runs; left-- > 0;) {
        fail_run(&p, left, "x");
        if (left > 1 && left != p.runs - p.grid.seeds)
            continue;
        svg = text_of(sweep_picture_draw, &p);
        assert_sound(svg);
        assert_int_equal(strstr(svg, "best: ") != NULL, left > 0);
        free(svg);
    }
    sweep_plan_done(&p);
}

static void test_pictures(void **state) {
    (void)state;
    draw_all("one", (const char *const[KEYS_MAX]){"batch=8,16,32,64,128"}, "1,2,3");
    draw_all("one-long",
             (const char *const[KEYS_MAX]){
                 "brackets=a rather long value,another one that is longer still,<&>,x"},
             "1");
    draw_all("one-many", (const char *const[KEYS_MAX]){"batch=30..60000*40"}, "1,2");
    draw_all("one-alone", (const char *const[KEYS_MAX]){"lr=0.5"}, "1");
    draw_all("two", (const char *const[KEYS_MAX]){"batch=16,32,64", "lr=0.001..0.1*4"}, "1,2");
    draw_all("two-alone", (const char *const[KEYS_MAX]){"batch=16", "norm=pre"}, "1");
    draw_all("two-wide",
             (const char *const[KEYS_MAX]){"brackets=a rather long value,b", "lr=0.001..0.1*12"},
             "1");
    draw_all("three",
             (const char *const[KEYS_MAX]){"batch=16,32,64", "norm=pre,post", "lr=0.001..0.1*4"},
             "1,2");
    draw_all("three-many",
             (const char *const[KEYS_MAX]){"batch=16,32,64", "norm=pre,post", "lr=0.001..0.1*40"},
             "1");
}

/* Equal results, none but zeros, and every quantity there is. */
static void test_odd_numbers(void **state) {
    static const double values[] = {0, 1, 0.5};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct sweep_plan p = plan_of((const char *const[KEYS_MAX]){"batch=1,2,3"}, "1,2");
        char *svg;

        for (size_t r = 0; r < p.runs; r++) {
            for (size_t k = 0; k < SWEEP_FIELDS; k++)
                p.run[r].result.value[k] = values[i];
            p.run[r].result.value[SWEEP_SECONDS] = r ? 0 : INFINITY;
        }
        svg = text_of(sweep_picture_draw, &p);
        assert_sound(svg);
        assert_non_null(strstr(svg, "test accuracy"));
        free(svg);
        sweep_plan_done(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means),    cmocka_unit_test(test_best),
        cmocka_unit_test(test_csv),      cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_json),     cmocka_unit_test(test_missing),
        cmocka_unit_test(test_pictures), cmocka_unit_test(test_odd_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
