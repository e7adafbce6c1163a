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

#include "daemon/loop/measure.h"
#include "daemon/path/loaded_pair.h"
#include "daemon/swap/background.h"
#include "tests/lib/ckpt_sample.h"

#define MODELS      3u
#define PATIENCE_MS 60000

static char folder[] = "/tmp/test_aside_XXXXXX";
static char path[MODELS][64];

struct bed {
    struct conf conf;
    struct reload reload;
    struct loaded_pair models;
    struct background background;
    /* What the hooks saw. */
    atomic_uint slices, rebases;
    _Atomic(const struct loaded_model *) serving, previous; /* of the last rebase */
    atomic_bool overlap;                                    /* a slice while a job was under way */
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
        atomic_store(&b->wished, (int)background_request_load(&b->background, path[wish]));
    if (wish == -2)
        atomic_store(&b->wished, (int)background_request_rollback(&b->background, "it hurt"));
    atomic_fetch_add(&b->slices, 1);
    return atomic_load(&b->pause);
}

static void rebase(void *user, const struct loaded_model *serving,
                   const struct loaded_model *previous) {
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
    struct background_hooks hooks = {b, slice, rebase};
    conf_init(&b->conf);
    b->reload = (struct reload){.conf = &b->conf, .measure = measure_plan, .background = true};
    b->wish = -1;
    b->pause = BACKGROUND_SLEEP;
    assert_int_equal(reload_open(&b->reload, path[0], NULL, &k, &plan, &why), DIFFUSE_OK);
    assert_int_equal(loaded_model_load(&b->models.slot[0], k, &b->conf, &plan, path[0], &why),
                     DIFFUSE_OK);
    ckpt_close(k);
    loaded_pair_begin(&b->models);
    b->reload.laid = true;
    b->reload.room = plan.room;
    assert_int_equal(background_start(&b->background, &b->reload, b->models.serving, &hooks, &why),
                     DIFFUSE_OK);
}

static void end(struct bed *b) {
    background_stop(&b->background);
    assert_false(b->overlap);
    loaded_pair_done(&b->models);
}

/* Until what a hook counts has grown beyond n. */
static void wait_beyond(atomic_uint *count, unsigned n) {
    for (int ms = 0; atomic_load(count) <= n; ms++) {
        assert_true(ms < PATIENCE_MS);
        usleep(1000);
    }
}

static enum background_word wait_word(struct bed *b, struct background_result *r) {
    enum background_word word;
    struct pollfd fd = {.fd = background_fd(&b->background), .events = POLLIN};
    while ((word = background_take(&b->background, r)) == BACKGROUND_NOTHING) {
        if (!background_said(&b->background))
            assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    }
    return word;
}

static void grant(struct bed *b) {
    struct loaded_model *slot = loaded_pair_lend(&b->models);
    assert_non_null(slot);
    while (!background_grant(&b->background, slot))
        sched_yield();
}

static void settle(struct bed *b) {
    atomic_store(&b->in_job, false);
    while (!background_settle(&b->background, b->models.serving, b->models.previous))
        sched_yield();
}

/* The job that was begun, to its end; the loop's part of it. */
static enum background_word finish(struct bed *b, struct background_result *r) {
    enum background_word word = wait_word(b, r);
    if (word == BACKGROUND_WANTS_SLOT) {
        atomic_store(&b->in_job, true);
        grant(b);
        word = wait_word(b, r);
    }
    if (word == BACKGROUND_LOADED)
        loaded_pair_swap(&b->models, r->slot);
    settle(b);
    return word;
}

static void load(struct bed *b, unsigned i) {
    struct background_result r;
    struct reason why = {""};
    assert_int_equal(background_load(&b->background, path[i], BACKGROUND_CONTROL, &why),
                     DIFFUSE_OK);
    assert_int_equal(finish(b, &r), BACKGROUND_LOADED);
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
    struct background_result r;
    struct reason why = {""};
    begin(&b);
    assert_int_equal(background_load(&b.background, path[1], BACKGROUND_WATCH, &why), DIFFUSE_OK);
    assert_int_equal(background_load(&b.background, path[2], BACKGROUND_CONTROL, &why),
                     DIFFUSE_BUSY);
    assert_non_null(strstr(why.text, path[1]));
    assert_non_null(strstr(why.text, "the watched file"));
    assert_int_equal(wait_word(&b, &r), BACKGROUND_WANTS_SLOT);
    assert_int_equal(background_take(&b.background, &r), BACKGROUND_NOTHING); /* it is said once */
    assert_int_equal(background_hold(&b.background, &why), DIFFUSE_BUSY);
    grant(&b);
    assert_int_equal(wait_word(&b, &r), BACKGROUND_LOADED);
    assert_int_equal(r.origin, BACKGROUND_WATCH);
    assert_int_equal(background_load(&b.background, path[2], BACKGROUND_CONTROL, &why),
                     DIFFUSE_BUSY);
    loaded_pair_swap(&b.models, r.slot);
    settle(&b);
    assert_int_equal(background_hold(&b.background, &why), DIFFUSE_OK);
    assert_int_equal(background_load(&b.background, path[2], BACKGROUND_CONTROL, &why),
                     DIFFUSE_BUSY);
    settle(&b);
    load(&b, 2);
    end(&b);
}

static void test_refused_and_same(void **state) {
    (void)state;
    struct bed b;
    struct background_result r;
    struct reason why = {""};
    begin(&b);
    wait_beyond(&b.slices, 0);
    assert_int_equal(background_load(&b.background, "/nonexistent", BACKGROUND_SIGNAL, &why),
                     DIFFUSE_OK);
    assert_int_equal(finish(&b, &r), BACKGROUND_REFUSED);
    assert_int_equal(r.error, DIFFUSE_NOTFOUND);
    assert_non_null(strstr(r.why.text, "/nonexistent"));
    assert_int_equal(background_load(&b.background, path[0], BACKGROUND_SIGNAL, &why), DIFFUSE_OK);
    assert_int_equal(finish(&b, &r), BACKGROUND_SAME);
    load(&b, 1);
    wait_beyond(&b.rebases, 1);
    assert_int_equal(b.rebases, 2); /* nothing had changed before */
    end(&b);
}

/* What a slice asks for comes to the loop like any other job; unless the loop was first. */
static void test_wishes_of_a_slice(void **state) {
    (void)state;
    struct bed b;
    struct background_result r;
    struct reason why = {""};
    begin(&b);
    wait_beyond(&b.slices, 0);
    atomic_store(&b.wish, 1);
    background_wake(&b.background);
    assert_int_equal(finish(&b, &r), BACKGROUND_LOADED);
    assert_int_equal(r.origin, BACKGROUND_TUNER);
    assert_string_equal(b.models.serving->path, path[1]);
    wait_beyond(&b.rebases, 1);
    atomic_store(&b.wish, -2);
    background_wake(&b.background);
    assert_int_equal(wait_word(&b, &r), BACKGROUND_WANTS_ROLLBACK);
    assert_string_equal(r.why.text, "it hurt");
    assert_int_equal(loaded_pair_rollback(&b.models, &why), DIFFUSE_OK);
    settle(&b);
    wait_beyond(&b.rebases, 2);
    assert_ptr_equal(b.serving, &b.models.slot[0]);
    assert_int_equal(background_hold(&b.background, &why), DIFFUSE_OK);
    assert_int_equal(background_request_load(&b.background, path[2]), DIFFUSE_BUSY);
    assert_int_equal(background_request_rollback(&b.background, ""), DIFFUSE_BUSY);
    settle(&b);
    end(&b);
}

/* Jobs, rollbacks and wishes crossing each other, while slices run without a pause. */
static void test_everything_at_once(void **state) {
    (void)state;
    struct bed b;
    struct background_result r;
    struct reason why;
    begin(&b);
    atomic_store(&b.pause, 0);
    background_wake(&b.background);
    for (unsigned turn = 0; turn < 60; turn++) {
        atomic_store(&b.wish, turn % 4 == 3 ? -2 : (int)(turn % MODELS));
        if (turn % 3 == 0 && background_hold(&b.background, &why) == DIFFUSE_OK) {
            diffuse_err e = loaded_pair_rollback(&b.models, &why);
            assert_true(e == DIFFUSE_OK || e == DIFFUSE_NOTFOUND);
            settle(&b);
        }
        bool asked = background_load(&b.background, path[turn % MODELS], BACKGROUND_CONTROL,
                                     &why) == DIFFUSE_OK;
        enum background_word word = BACKGROUND_NOTHING;
        while (asked && word != BACKGROUND_LOADED && word != BACKGROUND_SAME) {
            word = finish(&b, &r);
            if (r.origin == BACKGROUND_TUNER)
                word = BACKGROUND_NOTHING; /* of another */
        }
        if (!asked)
            (void)finish(&b, &r);
    }
    end(&b);
}

static void test_stop_in_the_middle(void **state) {
    (void)state;
    struct bed b;
    struct background_result r;
    struct reason why = {""};
    begin(&b);
    assert_int_equal(background_load(&b.background, path[1], BACKGROUND_CONTROL, &why), DIFFUSE_OK);
    assert_int_equal(wait_word(&b, &r), BACKGROUND_WANTS_SLOT);
    end(&b); /* which it never gets */
    begin(&b);
    assert_int_equal(background_load(&b.background, path[1], BACKGROUND_CONTROL, &why), DIFFUSE_OK);
    end(&b);
}

static void test_not_started(void **state) {
    (void)state;
    struct background a;
    struct background_result r;
    struct reason why = {""};
    background_init(&a);
    assert_int_equal(background_fd(&a), -1);
    assert_int_equal(background_load(&a, "/x", BACKGROUND_CONTROL, &why), DIFFUSE_UNSUPPORTED);
    assert_non_null(strstr(why.text, "reload = yes"));
    assert_int_equal(background_take(&a, &r), BACKGROUND_NOTHING);
    background_wake(&a);
    assert_true(background_settle(&a, NULL, NULL));
    background_stop(&a);
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
