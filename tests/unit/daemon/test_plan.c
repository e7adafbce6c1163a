/* The plan: its sum, what it reserves, and advice that holds when it is followed. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/common/procmem.h"
#include "daemon/door/sockets.h"
#include "daemon/loop/measure.h"
#include "daemon/report/ctl.h"
#include "model/ckpt/model.h"

static const char *labels[] = {"one", "two", "three"};

static void make(struct conf *c, struct model *m) {
    conf_init(c);
    *m = (struct model){.labels = labels};
    net_config_paper(&m->config);
    c->memory_budget = 64u << 20;
    m->config.vocab = 1000;
    m->config.width = m->config.head_width = 64;
    m->config.mlp_width = 128;
    m->config.labels = 3;
}

/* Beside a second one of the same shape, as at the start; or alone. */
static void make_plan_of(struct plan *p, const struct conf *c, const struct model *m,
                         size_t model_bytes, uint64_t resident, bool second) {
    struct plan_shape shape = {.config = &m->config,
                               .kind = {kernel_at(0), ENGINE_F32},
                               .model_bytes = model_bytes,
                               .label_bytes = 60,
                               .max_length = m->max_length};
    struct plan_facts facts = {
        .serving = &shape, .second = second ? &shape : NULL, .resident = resident};
    measure_plan(p, c, &facts);
}

static void make_plan(struct plan *p, const struct conf *c, const struct model *m,
                      size_t model_bytes, uint64_t resident) {
    make_plan_of(p, c, m, model_bytes, resident, true);
}

static uint64_t bytes_of(const struct plan *p, const char *name) {
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->row[i].name, name) == 0)
            return p->row[i].bytes;
    }
    fail_msg("no row %s", name);
    return 0;
}

static void test_total_is_the_sum(void **state) {
    (void)state;
    struct conf c;
    struct model m;
    struct plan p;
    make(&c, &m);
    make_plan(&p, &c, &m, 5000000, 7000000);
    uint64_t sum = 0;
    for (size_t i = 0; i < p.n; i++) {
        sum += p.row[i].bytes;
        assert_true(strlen(p.row[i].detail) > 0);
    }
    assert_int_equal(sum, p.total);
    assert_int_equal(bytes_of(&p, "model"), 5000000);
    assert_true(bytes_of(&p, "program") >= 7000000);
    assert_true(p.arena_bytes < p.total);
}

static void test_rows_follow_their_keys(void **state) {
    (void)state;
    static const struct {
        const char *row, *set;
    } cases[] = {
        {"scratch", "batch_tokens=2048"},
        {"scratch", "workers=2"},
        {"samples", "queue=2048"},
        {"samples", "max_length=1024"},
        {"samples", "scores=yes"},
        {"streams", "streams=4096"},
        {"messages", "max_message=128K"},
        {"ingest queue", "ingest_hwm=9"},
        {"push queue", "push_hwm=9"},
        {"push queue", "publishers=17"},
        {"labels queue", "label_hwm=513"},
        {"control queue", "subscribers=17"},
        {"subscriptions", "subscribers=17"},
        {"stacks", "workers=3"},
        {"ingest queue", "ingest_connect=tcp://a:1"},
        {"second model", "workers=2"},
        {"second model", "batch_tokens=2048"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf c;
        struct model m;
        struct plan before, after;
        make(&c, &m);
        make_plan(&before, &c, &m, 1000, 1000);
        assert_int_equal(conf_set(&c, cases[i].set, NULL), DIFFUSE_OK);
        make_plan(&after, &c, &m, 1000, 1000);
        assert_true(bytes_of(&after, cases[i].row) > bytes_of(&before, cases[i].row));
    }
}

static void test_model_bounds_the_length(void **state) {
    (void)state;
    struct conf c;
    struct model m;
    struct plan p;
    make(&c, &m);
    m.max_length = 100;
    make_plan(&p, &c, &m, 0, 0);
    assert_int_equal(p.max_length, 100);
    m.max_length = 10000;
    make_plan(&p, &c, &m, 0, 0);
    assert_int_equal(p.max_length, c.max_length);
}

/* Whatever is asked for: follow the advice, and it fits. */
static void test_advice_holds(void **state) {
    (void)state;
    static const char *const sets[] = {"batch_tokens=60000", "queue=60000",     "push_hwm=5000",
                                       "label_hwm=60000",    "streams=1000000", "workers=60"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct conf c;
        struct model m;
        struct plan p;
        struct reason why = {""};
        char key[64], value[64], set[160];
        make(&c, &m);
        assert_int_equal(conf_set(&c, sets[i], NULL), DIFFUSE_OK);
        make_plan(&p, &c, &m, 4000000, 8000000);
        assert_int_equal(plan_check(&p, &why), DIFFUSE_BUDGET);
        const char *lower = strstr(why.text, "lower ");
        assert_non_null(lower);
        assert_int_equal(sscanf(lower, "lower %63s to %63s", key, value), 2);
        assert_memory_equal(sets[i], key, strlen(key));
        snprintf(set, sizeof set, "%s=%s", key, value);
        assert_int_equal(conf_set(&c, set, NULL), DIFFUSE_OK);
        make_plan(&p, &c, &m, 4000000, 8000000);
        if (plan_check(&p, &why))
            print_error("%s: %s\n", set, why.text);
        assert_true(p.total <= p.budget);
    }
}

static void test_budget_is_the_last_resort(void **state) {
    (void)state;
    struct conf c;
    struct model m;
    struct plan p;
    struct reason why = {""};
    unsigned long long enough;
    make(&c, &m);
    make_plan(&p, &c, &m, 900u << 20, 8000000);
    assert_int_equal(plan_check(&p, &why), DIFFUSE_BUDGET);
    const char *set = strstr(why.text, "set memory_budget to ");
    assert_non_null(set);
    assert_int_equal(sscanf(set, "set memory_budget to %lluM", &enough), 1);
    c.memory_budget = enough << 20;
    make_plan(&p, &c, &m, 900u << 20, 8000000);
    assert_int_equal(plan_check(&p, &why), DIFFUSE_OK);
}

/* A model that fits alone, and not beside a second one. */
static void test_second_model_is_the_last_to_go(void **state) {
    (void)state;
    struct conf c;
    struct model m;
    struct plan p;
    struct reason why = {""};
    make(&c, &m);
    make_plan_of(&p, &c, &m, 30u << 20, 8000000, false);
    assert_int_equal(plan_check(&p, &why), DIFFUSE_OK);
    make_plan(&p, &c, &m, 30u << 20, 8000000);
    assert_int_equal(plan_check(&p, &why), DIFFUSE_BUDGET);
    assert_non_null(strstr(why.text, "set reload to no (its row 'second model' takes"));
}

/* Another model beside the one that serves, with tables as they were laid. */
static void test_tables_stay(void **state) {
    (void)state;
    struct conf c;
    struct model m, longer;
    struct plan p, q;
    make(&c, &m);
    m.max_length = 100;
    make_plan(&p, &c, &m, 1000, 1000);
    assert_int_equal(p.room.max_length, 100);
    longer = m;
    longer.max_length = 400;
    longer.config.width = 512;
    struct plan_shape serving = {.config = &longer.config,
                                 .kind = {kernel_at(0), ENGINE_F32},
                                 .model_bytes = 5000,
                                 .label_bytes = 60,
                                 .max_length = 400};
    struct plan_shape second = {.config = &m.config,
                                .kind = {kernel_at(0), ENGINE_F32},
                                .model_bytes = 1000,
                                .label_bytes = 60,
                                .max_length = 100};
    struct plan_facts facts = {
        .serving = &serving, .second = &second, .room = &p.room, .resident = 1000};
    measure_plan(&q, &c, &facts);
    assert_int_equal(q.max_length, 100);
    assert_int_equal(bytes_of(&q, "samples"), bytes_of(&p, "samples"));
    assert_int_equal(bytes_of(&q, "second model"), bytes_of(&p, "second model"));
    assert_int_equal(bytes_of(&q, "model"), 5000);
    assert_true(bytes_of(&q, "scratch") > bytes_of(&p, "scratch"));
    uint64_t without = q.total;
    assert_int_equal(plan_bytes(&q, "matrix library"), 0);
    facts.tuning = 12345; /* is a row of its own, when it is on; and then there is OpenBLAS, once */
    measure_plan(&q, &c, &facts);
    assert_int_equal(bytes_of(&q, "tuning"), 12345);
    uint64_t blas = bytes_of(&q, "matrix library");
    assert_int_equal(q.total, without + 12345 + blas);
    longer.config.n_open = longer.config.n_close = 1; /* brackets: once in every thread */
    measure_plan(&q, &c, &facts);
    assert_int_equal(bytes_of(&q, "matrix library"), (c.workers + 1) * blas);
    longer.config.n_open = longer.config.n_close = 0;
    serving.max_length = 50;
    measure_plan(&q, &c, &facts);
    assert_int_equal(q.max_length, 50);
    assert_int_equal(q.room.max_length, 100);
}

static uint64_t taken(void) {
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* What the table of connections takes of the heap, the plan has; one more subscriber costs what the
 * row says. */
static void test_connections_are_planned(void **state) {
    (void)state;
    struct conf c;
    struct model m;
    struct plan p, more;
    struct doors *doors;
    struct reason why;
    make(&c, &m);
    make_plan(&p, &c, &m, 1u << 20, 1u << 20);
    const struct sockets_limits limits = {plan_frame_max(&c), CTL_REQUEST_BYTES, CTL_HWM};
    struct door_limits each[DOORS];
    sockets_doors(&c, &limits, each);
    uint64_t before = taken();
    assert_int_equal(doors_new(each, 0, &doors, &why), DIFFUSE_OK);
    uint64_t used = taken() - before; /* 0 where another allocator counts */
    doors_done(doors);
    assert_in_range(used, 0, bytes_of(&p, "connections") + 256);
    c.subscribers++;
    make_plan(&more, &c, &m, 1u << 20, 1u << 20);
    for (size_t i = 0; i < p.n; i++) {
        if (strcmp(p.row[i].name, "connections") == 0)
            assert_int_equal(more.row[i].bytes - p.row[i].bytes, p.row[i].unit);
    }
}

static void test_human(void **state) {
    (void)state;
    char text[32];
    plan_human(1023, text, sizeof text);
    assert_string_equal(text, "1023 B");
    plan_human(1536, text, sizeof text);
    assert_string_equal(text, "1.5 KiB");
    plan_human(64u << 20, text, sizeof text);
    assert_string_equal(text, "64.0 MiB");
    assert_true(procmem_resident() > 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_total_is_the_sum),
        cmocka_unit_test(test_rows_follow_their_keys),
        cmocka_unit_test(test_model_bounds_the_length),
        cmocka_unit_test(test_advice_holds),
        cmocka_unit_test(test_budget_is_the_last_resort),
        cmocka_unit_test(test_second_model_is_the_last_to_go),
        cmocka_unit_test(test_tables_stay),
        cmocka_unit_test(test_connections_are_planned),
        cmocka_unit_test(test_human),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
