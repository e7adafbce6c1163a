/* The thread beside the path: one job at a time, slices only between jobs, and no word is lost. */
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/aside.h"
#include "daemon/measure.h"
#include "daemon/models.h"
#include "tests/lib/ckpt_sample.h"

#define MODELS      3u
#define PATIENCE_MS 60000

static char folder[] = "/tmp/test_aside_XXXXXX";
static char path[MODELS][64];

struct bed {
    struct conf conf;
    struct reload reload;
    struct models models;
    struct aside aside;
    /* What the hooks saw. */
    atomic_uint slices, rebases;
    _Atomic(const struct slot *) serving, previous; /* of the last rebase */
    atomic_bool overlap;                            /* a slice while a job was under way */
    atomic_bool in_job;
    atomic_int wish; /* what a slice shall ask for: a model to load; -1: nothing, -2: a rollback */
    atomic_int wished; /* what came of it */
    atomic_uint pause; /* that slices answer */
};

static uint32_t slice(void *user) {
    struct bed *b = user;
    if (atomic_load(&b->in_job))
        atomic_store(&b->overlap, true);
    int wish = atomic_exchange(&b->wish, -1);
    if (wish >= 0)
        atomic_store(&b->wished, (int)aside_request_load(&b->aside, path[wish]));
    if (wish == -2)
        atomic_store(&b->wished, (int)aside_request_rollback(&b->aside, "it hurt"));
    atomic_fetch_add(&b->slices, 1);
    return atomic_load(&b->pause);
}

static void rebase(void *user, const struct slot *serving, const struct slot *previous) {
    struct bed *b = user;
    atomic_store(&b->serving, serving);
    atomic_store(&b->previous, previous);
    atomic_fetch_add(&b->rebases, 1);
}

static void begin(struct bed *b) {
    struct ckpt *k = NULL;
    struct plan plan;
    struct reason why = {""};
    memset(b, 0, sizeof *b);
    struct aside_hooks hooks = {b, slice, rebase};
    conf_init(&b->conf);
    b->reload = (struct reload){.conf = &b->conf, .measure = measure_plan, .aside = true};
    b->wish = -1;
    b->pause = ASIDE_SLEEP;
    assert_int_equal(reload_open(&b->reload, path[0], NULL, &k, &plan, &why), DIFFUSE_OK);
    assert_int_equal(slot_load(&b->models.slot[0], k, &b->conf, &plan, path[0], &why), DIFFUSE_OK);
    ckpt_close(k);
    models_begin(&b->models);
    b->reload.laid = true;
    b->reload.room = plan.room;
    assert_int_equal(aside_start(&b->aside, &b->reload, b->models.serving, &hooks, &why),
                     DIFFUSE_OK);
}

static void end(struct bed *b) {
    aside_stop(&b->aside);
    assert_false(b->overlap);
    models_done(&b->models);
}

/* Until what a hook counts has grown beyond n. */
static void wait_beyond(atomic_uint *count, unsigned n) {
    for (int ms = 0; atomic_load(count) <= n; ms++) {
        assert_true(ms < PATIENCE_MS);
        usleep(1000);
    }
}

static enum aside_word wait_word(struct bed *b, struct aside_result *r) {
    enum aside_word word;
    struct pollfd fd = {.fd = aside_fd(&b->aside), .events = POLLIN};
    while ((word = aside_take(&b->aside, r)) == ASIDE_NOTHING) {
        if (!aside_said(&b->aside))
            assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    }
    return word;
}

static void grant(struct bed *b) {
    struct slot *slot = models_lend(&b->models);
    assert_non_null(slot);
    while (!aside_grant(&b->aside, slot))
        sched_yield();
}

static void settle(struct bed *b) {
    atomic_store(&b->in_job, false);
    while (!aside_settle(&b->aside, b->models.serving, b->models.previous))
        sched_yield();
}

/* The job that was begun, to its end; the loop's part of it. */
static enum aside_word finish(struct bed *b, struct aside_result *r) {
    enum aside_word word = wait_word(b, r);
    if (word == ASIDE_WANTS_SLOT) {
        atomic_store(&b->in_job, true);
        grant(b);
        word = wait_word(b, r);
    }
    if (word == ASIDE_LOADED)
        models_swap(&b->models, r->slot);
    settle(b);
    return word;
}

static void load(struct bed *b, unsigned i) {
    struct aside_result r;
    struct reason why = {""};
    assert_int_equal(aside_load(&b->aside, path[i], ASIDE_CONTROL, &why), DIFFUSE_OK);
    assert_int_equal(finish(b, &r), ASIDE_LOADED);
    assert_string_equal(b->models.serving->path, path[i]);
}

static void test_a_job_and_its_rebase(void **state) {
    (void)state;
    struct bed b;
    begin(&b);
    wait_beyond(&b.slices, 0); /* after the first rebase, one slice is due */
    assert_int_equal(b.rebases, 1);
    assert_ptr_equal(b.serving, &b.models.slot[0]);
    assert_null(b.previous);
    for (unsigned i = 1; i < 6; i++) {
        unsigned slices = b.slices;
        load(&b, i % MODELS);
        wait_beyond(&b.rebases, i);
        wait_beyond(&b.slices, slices);
        assert_int_equal(b.rebases, i + 1);
        assert_ptr_equal(b.serving, b.models.serving);
        assert_ptr_equal(b.previous, b.models.previous);
    }
    end(&b);
}

static void test_one_at_a_time(void **state) {
    (void)state;
    struct bed b;
    struct aside_result r;
    struct reason why = {""};
    begin(&b);
    assert_int_equal(aside_load(&b.aside, path[1], ASIDE_WATCH, &why), DIFFUSE_OK);
    assert_int_equal(aside_load(&b.aside, path[2], ASIDE_CONTROL, &why), DIFFUSE_BUSY);
    assert_non_null(strstr(why.text, path[1]));
    assert_non_null(strstr(why.text, "the watched file"));
    assert_int_equal(wait_word(&b, &r), ASIDE_WANTS_SLOT);
    assert_int_equal(aside_take(&b.aside, &r), ASIDE_NOTHING); /* it is said once */
    assert_int_equal(aside_hold(&b.aside, &why), DIFFUSE_BUSY);
    grant(&b);
    assert_int_equal(wait_word(&b, &r), ASIDE_LOADED);
    assert_int_equal(r.origin, ASIDE_WATCH);
    assert_int_equal(aside_load(&b.aside, path[2], ASIDE_CONTROL, &why), DIFFUSE_BUSY);
    models_swap(&b.models, r.slot);
    settle(&b);
    assert_int_equal(aside_hold(&b.aside, &why), DIFFUSE_OK);
    assert_int_equal(aside_load(&b.aside, path[2], ASIDE_CONTROL, &why), DIFFUSE_BUSY);
    settle(&b);
    load(&b, 2);
    end(&b);
}

static void test_refused_and_same(void **state) {
    (void)state;
    struct bed b;
    struct aside_result r;
    struct reason why = {""};
    begin(&b);
    wait_beyond(&b.slices, 0);
    assert_int_equal(aside_load(&b.aside, "/nonexistent", ASIDE_SIGNAL, &why), DIFFUSE_OK);
    assert_int_equal(finish(&b, &r), ASIDE_REFUSED);
    assert_int_equal(r.error, DIFFUSE_NOTFOUND);
    assert_non_null(strstr(r.why.text, "/nonexistent"));
    assert_int_equal(aside_load(&b.aside, path[0], ASIDE_SIGNAL, &why), DIFFUSE_OK);
    assert_int_equal(finish(&b, &r), ASIDE_SAME);
    load(&b, 1);
    wait_beyond(&b.rebases, 1);
    assert_int_equal(b.rebases, 2); /* nothing had changed before */
    end(&b);
}

/* What a slice asks for comes to the loop like any other job; unless the loop was first. */
static void test_wishes_of_a_slice(void **state) {
    (void)state;
    struct bed b;
    struct aside_result r;
    struct reason why = {""};
    begin(&b);
    wait_beyond(&b.slices, 0);
    atomic_store(&b.wish, 1);
    aside_wake(&b.aside);
    assert_int_equal(finish(&b, &r), ASIDE_LOADED);
    assert_int_equal(r.origin, ASIDE_TUNER);
    assert_string_equal(b.models.serving->path, path[1]);
    wait_beyond(&b.rebases, 1);
    atomic_store(&b.wish, -2);
    aside_wake(&b.aside);
    assert_int_equal(wait_word(&b, &r), ASIDE_WANTS_ROLLBACK);
    assert_string_equal(r.why.text, "it hurt");
    assert_int_equal(models_rollback(&b.models, &why), DIFFUSE_OK);
    settle(&b);
    wait_beyond(&b.rebases, 2);
    assert_ptr_equal(b.serving, &b.models.slot[0]);
    assert_int_equal(aside_hold(&b.aside, &why), DIFFUSE_OK);
    assert_int_equal(aside_request_load(&b.aside, path[2]), DIFFUSE_BUSY);
    assert_int_equal(aside_request_rollback(&b.aside, ""), DIFFUSE_BUSY);
    settle(&b);
    end(&b);
}

/* Jobs, rollbacks and wishes crossing each other, while slices run without a pause. */
static void test_everything_at_once(void **state) {
    (void)state;
    struct bed b;
    struct aside_result r;
    struct reason why;
    begin(&b);
    atomic_store(&b.pause, 0);
    aside_wake(&b.aside);
    for (unsigned turn = 0; turn < 60; turn++) {
        atomic_store(&b.wish, turn % 4 == 3 ? -2 : (int)(turn % MODELS));
        if (turn % 3 == 0 && aside_hold(&b.aside, &why) == DIFFUSE_OK) {
            diffuse_err e = models_rollback(&b.models, &why);
            assert_true(e == DIFFUSE_OK || e == DIFFUSE_NOTFOUND);
            settle(&b);
        }
        bool asked = aside_load(&b.aside, path[turn % MODELS], ASIDE_CONTROL, &why) == DIFFUSE_OK;
        enum aside_word word = ASIDE_NOTHING;
        while (asked && word != ASIDE_LOADED && word != ASIDE_SAME) {
            word = finish(&b, &r);
            if (r.origin == ASIDE_TUNER)
                word = ASIDE_NOTHING; /* of another */
        }
        if (!asked)
            (void)finish(&b, &r);
    }
    end(&b);
}

static void test_stop_in_the_middle(void **state) {
    (void)state;
    struct bed b;
    struct aside_result r;
    struct reason why = {""};
    begin(&b);
    assert_int_equal(aside_load(&b.aside, path[1], ASIDE_CONTROL, &why), DIFFUSE_OK);
    assert_int_equal(wait_word(&b, &r), ASIDE_WANTS_SLOT);
    end(&b); /* which it never gets */
    begin(&b);
    assert_int_equal(aside_load(&b.aside, path[1], ASIDE_CONTROL, &why), DIFFUSE_OK);
    end(&b);
}

static void test_not_started(void **state) {
    (void)state;
    struct aside a;
    struct aside_result r;
    struct reason why = {""};
    aside_init(&a);
    assert_int_equal(aside_fd(&a), -1);
    assert_int_equal(aside_load(&a, "/x", ASIDE_CONTROL, &why), DIFFUSE_UNSUPPORTED);
    assert_non_null(strstr(why.text, "reload = yes"));
    assert_int_equal(aside_take(&a, &r), ASIDE_NOTHING);
    aside_wake(&a);
    assert_true(aside_settle(&a, NULL, NULL));
    aside_stop(&a);
}

static int make_models(void **state) {
    struct net_config c;
    struct reason why;
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    ckpt_sample_config(&c);
    for (unsigned i = 0; i < MODELS; i++) {
        struct ckpt_sample s;
        c.width = 6 + i;
        ckpt_sample_make(&s, &c, TOKENIZER_SYMBOL, i + 1);
        snprintf(path[i], sizeof path[i], "%s/%u", folder, i);
        diffuse_err e = ckpt_write(path[i], s.model, CKPT_F32, &why);
        ckpt_sample_done(&s);
        if (e)
            return -1;
    }
    return 0;
}

static int remove_models(void **state) {
    (void)state;
    for (unsigned i = 0; i < MODELS; i++)
        unlink(path[i]);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_and_its_rebase), cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_refused_and_same),     cmocka_unit_test(test_wishes_of_a_slice),
        cmocka_unit_test(test_everything_at_once),   cmocka_unit_test(test_stop_in_the_middle),
        cmocka_unit_test(test_not_started),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
