/* test_resume.c - what was written comes back bit for bit; anything else is refused with a reason.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/ckpt/resume.h"

struct place {
    char dir[64], path[96];
};

static int setup(void **state) {
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->dir, "/tmp/test_resume.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->path, sizeof p->path, "%s/state", p->dir);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    struct place *p = *state;

    (void)unlink(p->path);
    assert_int_equal(rmdir(p->dir), 0); /* no temporary file was left behind */
    free(p);
    return 0;
}

static const char text[] = "{\"epoch\": 3, \"name\": \"a \\\"b\\\" \u00e9\"}";

static void write_sample(const struct place *p, float *x, float *y) {
    const struct resume_part part[] = {{"weights", x, 1000}, {"m", y, 7}};
    struct reason why = {""};

    for (int i = 0; i < 1000; i++)
        x[i] = (float)i / 3;
    for (int i = 0; i < 7; i++)
        y[i] = -(float)i * 1e-30f;
    assert_int_equal(resume_write(p->path, text, part, 2, &why), DIFFUSE_OK);
}

static void test_round_trip(void **state) {
    const struct place *p = *state;
    float x[1000], y[7], x2[1000], y2[7];
    const struct resume_part part[] = {{"weights", x2, 1000}, {"m", y2, 7}};
    struct reason why = {""};
    char *got;

    write_sample(p, x, y);
    assert_int_equal(resume_peek(p->path, &got, &why), DIFFUSE_OK);
    assert_string_equal(got, text);
    free(got);
    assert_int_equal(resume_read(p->path, part, 2, &why), DIFFUSE_OK);
    assert_memory_equal(x, x2, sizeof x);
    assert_memory_equal(y, y2, sizeof y);
}

static void test_every_flipped_byte_is_refused(void **state) {
    const struct place *p = *state;
    float x[1000], y[7];
    const struct resume_part part[] = {{"weights", x, 1000}, {"m", y, 7}};
    struct stat st;

    write_sample(p, x, y);
    assert_int_equal(stat(p->path, &st), 0);
    for (off_t at = 0; at < st.st_size; at++) {
        int fd = open(p->path, O_RDWR);
        struct reason why = {""};
        unsigned char byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_true(resume_read(p->path, part, 2, &why) != DIFFUSE_OK);
        assert_non_null(strstr(why.text, p->path));
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
}

static void test_refuses_other_shapes_and_cut_files(void **state) {
    const struct place *p = *state;
    float x[1001], y[7];
    const struct resume_part longer[] = {{"weights", x, 1001}, {"m", y, 7}};
    const struct resume_part renamed[] = {{"weights", x, 1000}, {"v", y, 7}};
    const struct resume_part part[] = {{"weights", x, 1000}, {"m", y, 7}};
    struct reason why = {""};
    char *got;

    write_sample(p, x, y);
    assert_int_equal(resume_read(p->path, longer, 2, &why), DIFFUSE_CORRUPT);
    assert_non_null(strstr(why.text, "weights: expected 1001 numbers"));
    assert_int_equal(resume_read(p->path, renamed, 2, &why), DIFFUSE_CORRUPT);
    assert_int_equal(resume_read(p->path, part, 1, &why), DIFFUSE_CORRUPT);
    assert_int_equal(truncate(p->path, 2000), 0);
    assert_int_equal(resume_read(p->path, part, 2, &why), DIFFUSE_CORRUPT);
    assert_int_equal(truncate(p->path, 4), 0);
    assert_int_equal(resume_peek(p->path, &got, &why), DIFFUSE_CORRUPT);
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(resume_peek(p->path, &got, &why), DIFFUSE_NOTFOUND);
}

static void test_full_disk_keeps_the_old_file(void **state) {
    const struct place *p = *state;
    struct rlimit old, small = {.rlim_cur = 512, .rlim_max = RLIM_INFINITY};
    float x[1000], y[7];
    const struct resume_part part[] = {{"weights", x, 1000}, {"m", y, 7}};
    struct reason why = {""};

    write_sample(p, x, y);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(resume_write(p->path, "other", part, 2, &why), DIFFUSE_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(resume_read(p->path, part, 2, &why), DIFFUSE_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_flipped_byte_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_other_shapes_and_cut_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_keeps_the_old_file, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
