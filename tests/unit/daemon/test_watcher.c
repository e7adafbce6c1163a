/* The watched path: what is seen of it, and when it is quiet enough to be read. Time is made up. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/swap/watcher.h"

#define SETTLE 1000u

static char folder[64];
static uint64_t clock_ns; /* of looks, one after the other */

static const char *at(const char *name) {
    static char path[4][160];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void put(const char *name, const char *text) {
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void point(const char *name, const char *target) {
    assert_int_equal(symlink(target, at("link.tmp")), 0);
    assert_int_equal(rename(at("link.tmp"), at(name)), 0);
}

static void begin(struct watcher *w, const char *name) {
    struct reason why = {""};
    if (watcher_start(w, at(name), SETTLE, &why))
        fail_msg("%s", why.text);
    clock_ns = 1;
    assert_false(watcher_turn(w, clock_ns));
    assert_int_equal(watcher_wait(w, clock_ns), WATCHER_LOOK_NS);
}

/* At the next look something is noticed, and is due SETTLE later, not before. */
static void assert_noticed(struct watcher *w) {
    uint64_t now = clock_ns += WATCHER_LOOK_NS;
    assert_false(watcher_turn(w, now));
    assert_int_equal(watcher_wait(w, now), SETTLE);
    assert_false(watcher_turn(w, now + SETTLE - 1));
    assert_int_equal(watcher_wait(w, now + SETTLE - 1), 1);
    assert_true(watcher_turn(w, now + SETTLE));
    clock_ns += SETTLE + WATCHER_LOOK_NS;
    assert_false(watcher_turn(w, clock_ns));
}

/* Two looks, and nothing to load. */
static void assert_nothing(struct watcher *w) {
    for (int i = 0; i < 2; i++)
        assert_false(watcher_turn(w, clock_ns += WATCHER_LOOK_NS));
}

static void test_a_file_alone(void **state) {
    (void)state;
    struct watcher w;
    put("model", "one");
    begin(&w, "model");
    put("other", "two"); /* beside it */
    assert_nothing(&w);
    put("model", "two"); /* in place */
    assert_noticed(&w);
    put("new", "three");
    assert_nothing(&w);
    assert_int_equal(rename(at("new"), at("model")), 0);
    assert_noticed(&w);
    assert_int_equal(link(at("other"), at("linked")), 0);
    assert_int_equal(unlink(at("model")), 0);
    assert_nothing(&w);                                   /* there is nothing to read */
    assert_int_equal(link(at("linked"), at("model")), 0); /* whole from the first moment */
    assert_noticed(&w);
    watcher_stop(&w);
    put("model", "four");
    assert_nothing(&w);
    assert_int_equal(watcher_wait(&w, clock_ns), UINT64_MAX);
}

/* A file that is being written is not read while it changes. */
static void test_half_written(void **state) {
    (void)state;
    struct watcher w;
    put("model", "one");
    begin(&w, "model");
    int fd = open(at("model"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "ha", 2), 2);
    assert_false(watcher_turn(&w, clock_ns += WATCHER_LOOK_NS));
    assert_int_equal(write(fd, "lf", 2), 2);
    assert_false(watcher_turn(&w, clock_ns += SETTLE)); /* another size: once more */
    assert_int_equal(write(fd, "whole", 5), 5);
    close(fd);
    assert_false(watcher_turn(&w, clock_ns += SETTLE));
    assert_true(watcher_turn(&w, clock_ns += SETTLE));
    assert_nothing(&w);
    watcher_stop(&w);
}

static void test_links_on_the_way(void **state) {
    (void)state;
    struct watcher w;
    assert_int_equal(mkdir(at("v1"), 0700), 0);
    assert_int_equal(mkdir(at("v2"), 0700), 0);
    put("v1/model", "one");
    put("v2/model", "two");
    point("current", "v1");
    begin(&w, "current/model");
    put("v2/model", "three"); /* not on the way */
    assert_nothing(&w);
    put("v1/model", "two");
    assert_noticed(&w);
    point("current", "v2");
    assert_noticed(&w);
    put("v1/model", "four"); /* no longer on the way */
    assert_nothing(&w);
    put("v2/model", "five");
    assert_noticed(&w);
    point("current", "v3"); /* nowhere */
    assert_nothing(&w);
    assert_int_equal(mkdir(at("v3"), 0700), 0); /* and there it is */
    assert_nothing(&w);
    put("v3/model", "six");
    assert_noticed(&w);
    put("target", "seven");
    point("v3/model", "../target"); /* the file is a link itself */
    assert_noticed(&w);
    put("target", "eight");
    assert_noticed(&w);
    watcher_stop(&w);
}

static void test_a_folder_is_exchanged(void **state) {
    (void)state;
    struct watcher w;
    assert_int_equal(mkdir(at("now"), 0700), 0);
    assert_int_equal(mkdir(at("next"), 0700), 0);
    put("now/model", "one");
    put("next/model", "two");
    begin(&w, "now/model");
    assert_int_equal(rename(at("now"), at("before")), 0);
    assert_int_equal(rename(at("next"), at("now")), 0);
    assert_noticed(&w);
    put("now/model", "three");
    assert_noticed(&w);
    put("before/model", "four");
    assert_nothing(&w);
    watcher_stop(&w);
}

static void test_loops_and_long_ways_end(void **state) {
    (void)state;
    struct watcher w;
    struct reason why = {""};
    char path[5000];
    point("a", "b");
    point("b", "a");
    begin(&w, "a");
    assert_nothing(&w);
    watcher_stop(&w);
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(watcher_start(&w, path, SETTLE, &why), DIFFUSE_TOOBIG);
    assert_nothing(&w);
    begin(&w, "missing/folders/model"); /* may come yet */
    assert_int_equal(mkdir(at("missing"), 0700), 0);
    assert_nothing(&w);
    assert_int_equal(mkdir(at("missing/folders"), 0700), 0);
    put("missing/folders/model", "one");
    assert_noticed(&w);
    watcher_stop(&w);
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_watcher_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void empty(const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        (void)remove(at(names[i]));
}

static int remove_folder(void **state) {
    static const char *const names[] = {"model",
                                        "other",
                                        "linked",
                                        "new",
                                        "target",
                                        "current",
                                        "a",
                                        "b",
                                        "v1/model",
                                        "v2/model",
                                        "v3/model",
                                        "now/model",
                                        "before/model",
                                        "next/model",
                                        "missing/folders/model",
                                        "missing/folders",
                                        "missing",
                                        "v1",
                                        "v2",
                                        "v3",
                                        "now",
                                        "before",
                                        "next"};
    (void)state;
    empty(names, sizeof names / sizeof names[0]);
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_alone),
        TEST(test_half_written),
        TEST(test_links_on_the_way),
        TEST(test_a_folder_is_exchanged),
        TEST(test_loops_and_long_ways_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
