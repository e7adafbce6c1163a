/* A state folder keeps the roots that were changed last, the present one always, and what is not
 * ours. */
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

#include "model/tune/journal/roots.h"

static char state[] = "/tmp/roots-XXXXXX";

static void root_id(char id[DIGEST_HEX_BYTES], unsigned n) {
    memset(id, 'a', DIGEST_HEX_BYTES - 1);
    id[DIGEST_HEX_BYTES - 1] = '\0';
    id[0] = (char)('0' + n);
}

static void touch(const char *dir, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* Root n with its files, changed n seconds after 1970. */
static void make_root(unsigned n) {
    char id[DIGEST_HEX_BYTES], dir[LINEAGE_PATH_BYTES];
    const struct timespec times[2] = {{.tv_sec = n}, {.tv_sec = n}};
    root_id(id, n);
    roots_dir(state, id, dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    touch(dir, "feedback.journal");
    touch(dir, "tuned-aaaaaaaaaaaaaaaa-000001.safetensors");
    touch(dir, "tuned-aaaaaaaaaaaaaaaa-000002.safetensors.withdrawn");
    assert_int_equal(utimensat(AT_FDCWD, dir, times, 0), 0);
}

static bool here(unsigned n) {
    char id[DIGEST_HEX_BYTES], dir[LINEAGE_PATH_BYTES];
    struct stat st;
    root_id(id, n);
    roots_dir(state, id, dir);
    return stat(dir, &st) == 0;
}

static void the_latest_stay(void **unused) {
    char id[DIGEST_HEX_BYTES], dir[LINEAGE_PATH_BYTES];
    (void)unused;
    for (unsigned n = 1; n <= 6; n++)
        make_root(n);
    touch(state, "aaaaaaaaaaaaaaaa"); /* a file of such a name is none */
    touch(state, "lock");
    root_id(id, 1);
    assert_int_equal(roots_prune(state, id, 5), 0);
    assert_int_equal(roots_prune(state, id, 2), 3);
    for (unsigned n = 1; n <= 6; n++)
        assert_int_equal(here(n), n == 1 || n >= 5); /* the present one, though it is the oldest */
    root_id(id, 5);
    roots_dir(state, id, dir);
    touch(dir, "notes.txt"); /* somebody's own: stays, and its folder */
    root_id(id, 1);
    (void)roots_prune(state, id, 0);
    assert_true(here(5));
    assert_true(here(1));
    assert_int_equal(roots_prune("/nonexistent", id, 0), 0);
}

static int set_up(void **unused) {
    (void)unused;
    return mkdtemp(state) ? 0 : -1;
}

static int tear_down(void **unused) {
    char command[64];
    (void)unused;
    snprintf(command, sizeof command, "rm -rf %s", state);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_latest_stay)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
