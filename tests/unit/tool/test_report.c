/* test_report.c - report.svg and the tables, for few and many labels, no and many epochs, numbers
 * that are none and names that mean harm: well-formed, and no text over another. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/rng.h"
#include "model/text/utf8.h"
#include "model/tool/common/svg.h"
#include "model/tool/report/report.h"
#include "model/tool/report/train_tables.h"
#include "proto/limits.h"

#define EPOCHS_MAX 300u
#define TEXTS_MAX  3000u

struct bench {
    char names[LIMIT_LABELS][32];
    const char *labels[LIMIT_LABELS];
    struct quality_class class[LIMIT_LABELS];
    struct fit_epoch epoch[EPOCHS_MAX];
    struct quality metrics;
    struct report report;
    char *svg;
    size_t len;
};

static const struct train_fact facts[] = {
    {"accuracy, test", "0.9043"},
    {"parameters", "2,123,456"},
    {"a name that is far too long for its place", "and a value that is as long as that"},
    {"", ""},
};

static void make_metrics(struct bench *b, uint32_t labels) {
    static real logits[LIMIT_LABELS];
    struct rng rng;

    rng_init(&rng, labels, 0);
    assert_int_equal(quality_init(&b->metrics, labels, labels % 2 ? 1 : 1.4), DIFFUSE_OK);
    for (int i = 0; i < 900; i++) {
        uint32_t truth = rng_below(&rng, labels), given = rng_below(&rng, 3) ? truth : 0;

        logits[given] = (real)(8 * rng_unit(&rng));
        assert_int_equal(quality_add(&b->metrics, logits, truth), DIFFUSE_OK);
        logits[given] = 0;
    }
    quality_classes(&b->metrics, b->class);
}

static void make_epochs(struct bench *b, uint32_t epochs) {
    for (uint32_t i = 0; i < epochs; i++) {
        double x = (i + 1.0) / epochs;

        b->epoch[i] = (struct fit_epoch){.epoch = i + 1,
                                         .train_loss = 2 - x,
                                         .train_accuracy = x,
                                         .grad_norm = 3,
                                         .rate = 1 - x,
                                         .valid = {100, 50, 1.7 - x / 2 + x * x},
                                         .test = {100, 60, i % 3 == 1 ? NAN : 1.5}};
    }
}

static struct bench *make(uint32_t labels, uint32_t epochs) {
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    for (uint32_t k = 0; k < labels; k++) {
        (void)snprintf(b->names[k], sizeof b->names[k],
                       k % 5 ? "label_%u" : "a longer label, no. %u", k);
        b->labels[k] = b->names[k];
    }
    make_metrics(b, labels);
    make_epochs(b, epochs);
    b->report = (struct report){.title = "a title",
                                .subtitle = "a subtitle",
                                .epoch = b->epoch,
                                .epochs = epochs,
                                .best = (epochs + 1) / 2,
                                .fact = facts,
                                .facts = sizeof facts / sizeof *facts,
                                .labels = b->labels,
                                .n_labels = labels,
                                .metrics = &b->metrics,
                                .class = b->class,
                                .judged = "test"};
    return b;
}

static void done(struct bench *b) {
    quality_done(&b->metrics);
    free(b->svg);
    free(b);
}

/* Every element is closed, in order; no bare < or & in a text; no number that is none. */
static void assert_well_formed(const char *svg, size_t len) {
    char open[16][16];
    size_t depth = 0;

    assert_true(utf8_valid(svg, len));
    for (const char *p = svg; *p; p++) {
        char name[16] = "";
        const char *end;

        if (*p == '&')
            assert_true(p[1] == '#');
        assert_true((unsigned char)*p >= 0x20 || *p == '\n');
        if (*p != '<')
            continue;
        end = strchr(p, '>');
        assert_non_null(end);
        assert_null(memchr(p + 1, '<', (size_t)(end - p - 1)));
        (void)sscanf(p[1] == '/' ? p + 2 : p + 1, "%15[a-z]", name);
        assert_true(name[0]);
        if (p[1] == '/') {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (end[-1] != '/') {
            assert_true(depth < 16);
            memcpy(open[depth++], name, sizeof name);
        }
        assert_null(memmem(p, (size_t)(end - p), "nan", 3));
        assert_null(memmem(p, (size_t)(end - p), "inf", 3));
        p = end;
    }
    assert_int_equal(depth, 0);
}

static void draw(struct bench *b) {
    FILE *f;

    free(b->svg);
    f = open_memstream(&b->svg, &b->len);
    assert_non_null(f);
    report_draw(f, &b->report);
    assert_int_equal(fclose(f), 0);
    assert_well_formed(b->svg, b->len);
}

struct box {
    double left, right, top, bottom;
    const char *text; /* into the picture */
};

/* Boxes of the texts that are not turned, a little smaller than they may be: fonts differ. */
static size_t text_boxes(const char *svg, struct box *box) {
    size_t n = 0;

    for (const char *p = svg; (p = strstr(p, "<text ")); p++) {
        double x = 0, y = 0, size = 0, width;
        char anchor[8] = "", text[600];
        const char *begin = strchr(p, '>') + 1, *end = strchr(begin, '<');

        if (memmem(p, (size_t)(begin - p), "rotate", 6))
            continue;
        assert_int_equal(sscanf(p,
                                "<text x=\"%lf\" y=\"%lf\" font-size=\"%lf\" fill=\"%*[^\"]\" "
                                "text-anchor=\"%7[a-z]",
                                &x, &y, &size, anchor),
                         4);
        (void)snprintf(text, sizeof text, "%.*s", (int)(end - begin), begin);
        width = 0.85 * svg_text_width(text, size);
        assert_true(n < TEXTS_MAX);
        box[n] = (struct box){x, x + width, y - 0.7 * size, y, begin};
        if (strcmp(anchor, "start") != 0) {
            double shift = strcmp(anchor, "end") == 0 ? width : width / 2;

            box[n].left -= shift;
            box[n].right -= shift;
        }
        n++;
    }
    return n;
}

static void assert_nothing_overlaps(const char *svg) {
    static struct box box[TEXTS_MAX];
    size_t n = text_boxes(svg, box);
    double width = 0, height = 0;

    assert_int_equal(sscanf(strstr(svg, "viewBox"), "viewBox=\"0 0 %lf %lf", &width, &height), 2);
    for (size_t i = 0; i < n; i++) {
        const struct box *a = &box[i];

        if (a->left < 0 || a->right > width || a->top < 0 || a->bottom > height)
            fail_msg("outside: %.40s", a->text);
        for (size_t k = 0; k < i; k++)
            if (a->left < box[k].right && box[k].left < a->right && a->top < box[k].bottom &&
                box[k].top < a->bottom)
                fail_msg("over each other: %.40s and %.40s", a->text, box[k].text);
    }
}

static void test_many_shapes(void **state) {
    static const uint32_t labels[] = {1, 2, 3, 4, 7, 18, 40, 41, 64, 150};
    static const uint32_t epochs[] = {0, 1, 2, 12, 13, 40, EPOCHS_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        for (size_t k = 0; k < sizeof epochs / sizeof *epochs; k++) {
            struct bench *b = make(labels[i], epochs[k]);

            draw(b);
            assert_nothing_overlaps(b->svg);
            assert_non_null(strstr(b->svg, "a title"));
            assert_int_equal(strstr(b->svg, "Loss") != NULL, epochs[k] > 0);
            assert_int_equal(strstr(b->svg, "kept") != NULL, epochs[k] > 1);
            assert_int_equal(strstr(b->svg, "The 20 labels") != NULL, labels[i] > 40);
            done(b);
        }
}

static void test_most_labels(void **state) {
    struct bench *b = make(LIMIT_LABELS, 3);

    (void)state;
    draw(b);
    assert_true(b->len < 100000);
    done(b);
}

static void test_nothing_but_a_title(void **state) {
    struct bench *b = make(3, 0);

    (void)state;
    b->report = (struct report){.title = "alone"};
    draw(b);
    assert_non_null(strstr(b->svg, "alone"));
    done(b);
}

/* What is measured may be anything. */
static void test_numbers_that_are_none(void **state) {
    struct bench *b = make(4, 5);

    (void)state;
    for (int i = 0; i < 5; i++) {
        b->epoch[i].train_loss = INFINITY;
        b->epoch[i].valid.loss = NAN;
        b->epoch[i].test.loss = -INFINITY;
        b->epoch[i].grad_norm = NAN;
        b->epoch[i].rate = 0;
    }
    draw(b);
    b->epoch[2].train_loss = 1e300;
    b->epoch[3].train_loss = 1e-300;
    draw(b);
    for (int i = 0; i < 5; i++)
        b->epoch[i].train_loss = 0.25; /* flat */
    draw(b);
    done(b);
}

/* However large or small, with its digits and no exponent. */
static void test_numbers_of_an_axis(void **state) {
    static const struct {
        double norm;
        const char *shown;
    } cases[] = {{0.00002, ">0.000020<"},
                 {0.5, ">0.50<"},
                 {3, ">3.0<"},
                 {120, ">120<"},
                 {1234567, ">1234567<"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench *b = make(3, 4);

        for (uint32_t k = 0; k < 4; k++)
            b->epoch[k].grad_norm = cases[i].norm;
        draw(b);
        if (!strstr(b->svg, cases[i].shown))
            fail_msg("%g is not shown as %s", cases[i].norm, cases[i].shown);
        done(b);
    }
}

static void test_names_that_mean_harm(void **state) {
    static const char *const names[] = {
        "</text><script>alert(1)</script>", "\" onload=\"x", "&lt;", "\xff\xfe\x80", "\x1b[2J\r\n",
        "\xe6\x97\xa5\xe6\x9c\xac"};
    struct bench *b = make(6, 2);

    (void)state;
    for (int i = 0; i < 6; i++)
        b->labels[i] = names[i];
    b->report.title = names[0];
    b->report.subtitle = names[4];
    draw(b);
    assert_null(strstr(b->svg, "<script"));
    done(b);
}

static void test_long_text_is_cut(void **state) {
    const struct svg_font font = {10, SVG_INK, SVG_START, false, 0};
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    (void)state;
    svg_text_fit(f, 0, 0, &font, 40, "abcdefghijklmnopq");
    svg_text_fit(f, 0, 0, &font, 400, "abcdefghijklmnopq");
    assert_int_equal(fclose(f), 0);
    assert_non_null(strstr(text, ">abcd\xe2\x80\xa6<"));
    assert_non_null(strstr(text, ">abcdefghijklmnopq<"));
    free(text);
}

static void test_tables(void **state) {
    static const char *const names[] = {"plain", "a, \"b\"", "x\ny"};
    struct quality m;
    struct quality_class class[3];
    const real to_1[] = {0, 3, 0};
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    (void)state;
    assert_int_equal(quality_init(&m, 3, 1), DIFFUSE_OK);
    assert_int_equal(quality_add(&m, to_1, 0), DIFFUSE_OK);
    assert_int_equal(quality_add(&m, to_1, 1), DIFFUSE_OK);
    quality_classes(&m, class);
    train_tables_classes(f, names, class, 3);
    train_tables_confusion(f, names, &m);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, "label,support,given,hits,precision,recall,f1,mistaken_for,mistakes\n"
                              "plain,1,0,0,0.000000,0.000000,0.000000,\"a, \"\"b\"\"\",1\n"
                              "\"a, \"\"b\"\"\",1,2,1,0.500000,1.000000,0.666667,,0\n"
                              "\"x\ny\",0,0,0,0.000000,0.000000,0.000000,,0\n"
                              "true,plain,\"a, \"\"b\"\"\",\"x\ny\"\n"
                              "plain,0,1,0\n\"a, \"\"b\"\"\",0,1,0\n\"x\ny\",0,0,0\n");
    free(text);
    quality_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_shapes),         cmocka_unit_test(test_most_labels),
        cmocka_unit_test(test_nothing_but_a_title), cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_numbers_of_an_axis),  cmocka_unit_test(test_names_that_mean_harm),
        cmocka_unit_test(test_long_text_is_cut),    cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
