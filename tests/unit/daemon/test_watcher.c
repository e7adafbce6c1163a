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
    assert_int_equal(watcher_wait(w, 0), UINT64_MAX);
    assert_false(watcher_turn(w, 1));
}

/* Something was noticed, and is due SETTLE later, not before. */
static void assert_noticed(struct watcher *w, uint64_t now) {
    assert_false(watcher_turn(w, now));
    assert_int_equal(watcher_wait(w, now), SETTLE);
    assert_false(watcher_turn(w, now + SETTLE - 1));
    assert_int_equal(watcher_wait(w, now + SETTLE - 1), 1);
    assert_true(watcher_turn(w, now + SETTLE));
    assert_false(watcher_turn(w, now + 10 * SETTLE));
    assert_int_equal(watcher_wait(w, now), UINT64_MAX);
}

static void assert_nothing(struct watcher *w) {
    assert_false(watcher_turn(w, 1));
    assert_int_equal(watcher_wait(w, 1), UINT64_MAX);
}

static void test_a_file_alone(void **state) {
    (void)state;
    struct watcher w;
    put("model", "one");
    begin(&w, "model");
    put("other", "two"); /* beside it */
    assert_nothing(&w);
    put("model", "two"); /* in place */
    assert_noticed(&w, 5000);
    put("new", "three");
    assert_nothing(&w);
    assert_int_equal(rename(at("new"), at("model")), 0);
    assert_noticed(&w, 5000);
    assert_int_equal(link(at("other"), at("linked")), 0);
    assert_int_equal(unlink(at("model")), 0);
    assert_false(watcher_turn(&w, 5000));
    assert_false(watcher_turn(&w, 9000)); /* there is nothing to read */
    assert_nothing(&w);
    assert_int_equal(link(at("linked"), at("model")), 0); /* whole from the first moment */
    assert_noticed(&w, 5000);
    watcher_stop(&w);
    assert_false(watcher_turn(&w, 1));
}

/* A file that is being written is not read: not when it is made, not while it changes. */
static void test_half_written(void **state) {
    (void)state;
    struct watcher w;
    put("model", "one");
    begin(&w, "model");
    assert_int_equal(unlink(at("model")), 0);
    (void)watcher_turn(&w, 1);
    (void)watcher_turn(&w, 5000);
    int fd = open(at("model"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "ha", 2), 2);
    assert_nothing(&w);
    put("new", "whole");
    assert_int_equal(rename(at("new"), at("model")), 0); /* noticed, and then written to */
    assert_false(watcher_turn(&w, 10000));
    int again = open(at("model"), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(again, "more", 4), 4);
    assert_false(watcher_turn(&w, 10000 + SETTLE)); /* another size: once more */
    assert_true(watcher_turn(&w, 10000 + 2 * SETTLE));
    close(again);
    assert_noticed(&w, 20000);
    close(fd);
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
    assert_noticed(&w, 5000);
    point("current", "v2");
    assert_noticed(&w, 5000);
    put("v1/model", "four"); /* no longer on the way */
    assert_nothing(&w);
    put("v2/model", "five");
    assert_noticed(&w, 5000);
    point("current", "v3"); /* nowhere */
    assert_false(watcher_turn(&w, 5000));
    assert_false(watcher_turn(&w, 5000 + SETTLE));
    assert_int_equal(mkdir(at("v3"), 0700), 0); /* and there it is */
    (void)watcher_turn(&w, 7000);
    (void)watcher_turn(&w, 7000 + SETTLE);
    put("v3/model", "six");
    assert_noticed(&w, 10000);
    put("target", "seven");
    point("v3/model", "../target"); /* the file is a link itself */
    assert_noticed(&w, 10000);
    put("target", "eight");
    assert_noticed(&w, 10000);
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
    assert_noticed(&w, 5000);
    put("now/model", "three");
    assert_noticed(&w, 5000);
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
    assert_int_equal(watcher_fd(&w), -1);
    assert_false(watcher_turn(&w, 1));
    begin(&w, "missing/folders/model"); /* may come yet */
    assert_int_equal(mkdir(at("missing"), 0700), 0);
    (void)watcher_turn(&w, 5000);
    assert_int_equal(mkdir(at("missing/folders"), 0700), 0);
    (void)watcher_turn(&w, 6000);
    put("missing/folders/model", "one");
    assert_noticed(&w, 10000);
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
