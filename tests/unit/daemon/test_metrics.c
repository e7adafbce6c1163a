/* Metrics as text: the forms of both formats, the bound on their size, and the document that lists
 * them. What a real parser makes of it is in tests/system/114-metrics.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/budget/plan.h"
#include "daemon/common/clock.h"
#include "daemon/conf/webaddress.h"
#include "daemon/report/metrics.h"
#include "model/base/arena.h"
#include "tests/lib/document.h"

static const char *const types[] = {"counter", "gauge", "histogram", "info"};

struct world {
    struct conf conf;
    struct stats stats;
    struct loaded_pair models;
    struct model model;
    struct tuner_queue_report tuning;
    uint64_t planned;
    bool stopping;
    struct arena arena;
    struct metrics x;
    char text[METRICS_BYTES + 1];
};

static struct world *make_world(void) {
    struct world *w = calloc(1, sizeof *w);
    struct inflight_size size = {4, 8, 0};
    assert_non_null(w);
    conf_init(&w->conf);
    assert_int_equal(arena_init(&w->arena, inflight_bytes(&size)), DIFFUSE_OK);
    assert_int_equal(inflight_new(&w->arena, &size, &w->x.inflight), DIFFUSE_OK);
    w->models.serving = &w->models.slot[0];
    w->models.serving->model = &w->model;
    assert_int_equal(engine_kind_make("auto", ENGINE_F32, &w->models.serving->shape.kind, NULL),
                     DIFFUSE_OK);
    snprintf(w->model.id, sizeof w->model.id, "%064d", 1);
    w->x.conf = &w->conf;
    w->x.stats = &w->stats;
    w->x.models = &w->models;
    w->x.tuning = &w->tuning;
    w->x.tuning_planned = &w->planned;
    w->x.stopping = &w->stopping;
    return w;
}

static void free_world(struct world *w) {
    inflight_done(w->x.inflight);
    arena_done(&w->arena);
    free(w);
}

static void has(const struct world *w, const char *line) {
    char text[256];
    snprintf(text, sizeof text, "\n%s\n", line);
    if (!strstr(w->text, text) && strncmp(w->text, text + 1, strlen(text) - 1) != 0)
        fail_msg("no line '%s' in:\n%s", line, w->text);
}

static void test_openmetrics(void **state) {
    (void)state;
    struct world *w = make_world();
    w->stats.counter[STATS_labelled] = 12;
    stats_refused(&w->stats, DIFFUSE_EMPTY);
    stats_time(&w->stats, STATS_SPAN_latency, 50000);     /* on an edge: within */
    stats_time(&w->stats, STATS_SPAN_latency, 50001);     /* behind it */
    stats_time(&w->stats, STATS_SPAN_latency, 900000000); /* 0.9 s */
    stats_time(&w->stats, STATS_SPAN_latency, 99000000000);
    size_t len = metrics_write(&w->x, METRICS_OPENMETRICS, w->text);
    assert_int_equal(len, strlen(w->text));
    assert_string_equal(w->text + len - 7, "\n# EOF\n");
    has(w, "# TYPE diffused_labelled counter");
    has(w, "diffused_labelled_total 12");
    has(w, "# TYPE diffused_build info");
    has(w, "diffused_build_info{version=\"" DIFFUSE_VERSION "\"} 1");
    has(w, "diffused_errors_total{error=\"EMPTY\"} 1");
    has(w, "diffused_errors_total{error=\"BADMSG\"} 0");
    has(w, "# UNIT diffused_latency_seconds seconds");
    has(w, "diffused_latency_seconds_bucket{le=\"5e-05\"} 1");
    has(w, "diffused_latency_seconds_bucket{le=\"0.0001\"} 2");
    has(w, "diffused_latency_seconds_bucket{le=\"0.5\"} 2");
    has(w, "diffused_latency_seconds_bucket{le=\"1.0\"} 3");
    has(w, "diffused_latency_seconds_bucket{le=\"10.0\"} 3");
    has(w, "diffused_latency_seconds_bucket{le=\"+Inf\"} 4");
    has(w, "diffused_latency_seconds_count 4");
    has(w, "diffused_latency_seconds_sum 99.900100001");
    free_world(w);
}

static void test_older_format(void **state) {
    (void)state;
    struct world *w = make_world();
    metrics_write(&w->x, METRICS_PROMETHEUS, w->text);
    has(w, "# TYPE diffused_labelled_total counter");
    has(w, "# TYPE diffused_build_info gauge");
    assert_null(strstr(w->text, "# UNIT"));
    assert_null(strstr(w->text, "# EOF"));
    free_world(w);
}

/* All numbers at their largest and every row of the plan: it still fits. */
static void test_bound(void **state) {
    (void)state;
    struct world *w = make_world();
    for (size_t i = 0; i < STATS_N; i++)
        w->stats.counter[i] = UINT64_MAX;
    for (size_t i = 0; i < STATS_ERRORS; i++)
        w->stats.error[i] = UINT64_MAX;
    for (size_t s = 0; s < STATS_SPAN_N; s++) {
        w->stats.span[s].bucket[0] = w->stats.span[s].sum_ns = UINT64_MAX;
    }
    memset(&w->tuning.tune, 0xff, sizeof w->tuning.tune);
    w->tuning.tune.recent = 1;
    w->tuning.promotions = w->tuning.journal_bytes = UINT64_MAX;
    memset(w->model.id, 'f', sizeof w->model.id - 1);
    memset(w->model.parent, 'f', sizeof w->model.parent - 1);
    w->models.serving->plan.n = PLAN_ROWS_MAX;
    for (size_t i = 0; i < PLAN_ROWS_MAX; i++)
        w->models.serving->plan.row[i] =
            (struct plan_row){.name = "a long name of a row", .bytes = UINT64_MAX};
    w->planned = UINT64_MAX;
    for (int f = 0; f < METRICS_FORMATS; f++) {
        size_t len = metrics_write(&w->x, (enum metrics_format)f, w->text);
        print_message("format %d: %zu of %u bytes\n", f, len, METRICS_BYTES);
        assert_in_range(len, 1000, METRICS_BYTES - 1024); /* some to spare for what comes */
    }
    free_world(w);
}

/* It serves while answers move on. */
static void test_ready(void **state) {
    (void)state;
    struct world *w = make_world();
    uint64_t now = clock_now();
    struct inflight_sample *slot;
    assert_null(metrics_ready(&w->x, now));
    assert_non_null(slot = inflight_open(w->x.inflight));
    inflight_commit(w->x.inflight);
    assert_null(metrics_ready(&w->x, now));
    w->x.moved_ns -= 2 * (uint64_t)METRICS_STUCK_NS; /* long ago */
    assert_non_null(metrics_ready(&w->x, now));
    metrics_write(&w->x, METRICS_OPENMETRICS, w->text);
    has(w, "diffused_ready 0");
    w->stats.counter[STATS_refused]++; /* one was answered after all */
    assert_null(metrics_ready(&w->x, now));
    metrics_write(&w->x, METRICS_OPENMETRICS, w->text);
    has(w, "diffused_ready 1");
    w->stopping = true;
    assert_string_equal(metrics_ready(&w->x, now), "stopping");
    free_world(w);
}

/* --- names, and the document --- */

static const char *tail(const struct metrics_row *row) {
    return row->type == METRICS_COUNTER ? "_total" : row->type == METRICS_INFO ? "_info" : "";
}

static void test_names(void **state) {
    (void)state;
    const struct metrics_row *row, *other;
    struct world *w = make_world();
    metrics_write(&w->x, METRICS_OPENMETRICS, w->text);
    for (size_t i = 0; (row = metrics_row(i)); i++) {
        char text[128];
        size_t len = strlen(row->name), unit = strlen(row->unit);
        assert_true(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_") == len);
        assert_true(unit == 0 || (len > unit && row->name[len - unit - 1] == '_' &&
                                  strcmp(row->name + len - unit, row->unit) == 0));
        assert_true(strlen(row->help) > 5);
        for (size_t k = 0; k < i && (other = metrics_row(k)); k++)
            assert_string_not_equal(row->name, other->name);
        snprintf(text, sizeof text, "# TYPE diffused_%s %s", row->name, types[row->type]);
        has(w, text);
    }
    free_world(w);
}

static void write_document(FILE *f) {
    const struct metrics_row *row;
    fputs(
        "# Metrics\n\n"
        "What `diffusectl metrics` prints, and `/metrics` serves where the key `metrics` says so. "
        "Made from\n"
        "daemon/report/metrics.def and daemon/common/stats.h.\n\n"
        "| metric | type | labels | what it says |\n|---|---|---|---|\n",
        f);
    for (size_t i = 0; (row = metrics_row(i)); i++)
        fprintf(f, "| `diffused_%s%s` | %s | %s | %s |\n", row->name, tail(row), types[row->type],
                row->labels, row->help);
}

/* With METRICS=FILE the document is written instead. */
static void test_document(void **state) {
    (void)state;
    document_expect("METRICS", "docs/METRICS.md", write_document);
}

static void test_addresses(void **state) {
    (void)state;
    union webaddress a;
    char text[WEBADDRESS_BYTES];
    static const char *const good[] = {"127.0.0.1:9464", "127.9.9.9:0", "[::1]:65535"};
    static const char *const far[] = {"0.0.0.0:9464", "192.168.1.2:1", "[::]:1", "[fe80::1]:1"};
    static const char *const bad[] = {"",
                                      ":1",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "1.2.3:1",
                                      "::1:1",
                                      "[::1]",
                                      "[127.0.0.1]:1",
                                      "here:9464",
                                      "9464",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:1x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(webaddress_parse(good[i], false, &a, NULL), DIFFUSE_OK);
        unsigned port = ntohs(a.any.sa_family == AF_INET ? a.four.sin_port : a.six.sin6_port);
        webaddress_show(&a, port, text, sizeof text);
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        assert_int_equal(webaddress_parse(far[i], false, &a, NULL), DIFFUSE_INVAL);
        assert_int_equal(webaddress_parse(far[i], true, &a, NULL), DIFFUSE_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(webaddress_parse(bad[i], true, &a, NULL), DIFFUSE_INVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openmetrics), cmocka_unit_test(test_older_format),
        cmocka_unit_test(test_bound),       cmocka_unit_test(test_ready),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_document),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
