/* test_lineage.c - which promotion serves after a restart: the newest that is whole and in force.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/tune/journal/lineage.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

#define ROOT    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FOREIGN "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NAME    "tuned-0123456789abcdef-"

static char folder[64];
static struct ckpt_sample sample;

static const char *in_folder(const char *name) {
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int set_up(void **state) {
    struct net_config c;

    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/test_lineage.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* hundreds of fsyncs */
    ckpt_sample_config(&c);
    ckpt_sample_make(&sample, &c, TOKENIZER_WORDPIECE, 1);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
    DIR *d = opendir(folder);
    struct dirent *entry;

    (void)state;
    while (d && (entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)remove(in_folder(entry->d_name));
    if (d)
        (void)closedir(d);
    ckpt_sample_done(&sample);
    return rmdir(folder);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the folder holds, "NUMBER" or "NUMBERw" for what is withdrawn, other names as they are. */
static void assert_files(const char *want) {
    DIR *d = opendir(folder);
    struct dirent *entry;
    char *name[64] = {NULL}, text[2048] = "";
    size_t n = 0, len = 0;

    assert_non_null(d);
    while ((entry = readdir(d)))
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            name[n++] = strdup(entry->d_name);
    (void)closedir(d);
    qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n; i++) {
        unsigned long long number = 0;
        char rest[64] = "";

        if (sscanf(name[i], NAME "%llu.safetensors%63s", &number, rest) >= 1)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%llu%s", i ? " " : "", number,
                                    strcmp(rest, ".withdrawn") == 0 ? "w" : rest);
        else
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "", name[i]);
        free(name[i]);
    }
    assert_string_equal(text, want);
}

static struct lineage open_keep(uint32_t keep, uint32_t damaged) {
    struct lineage_found found;
    struct reason why = {""};
    struct lineage l;

    if (lineage_open(&l, folder, ROOT, keep, &found, &why))
        fail_msg("%s", why.text);
    assert_int_equal(found.damaged, damaged);
    assert_int_equal(found.why[0] != 0, damaged > 0);
    return l;
}

/* The bias says which promotion it is. */
static void promote(struct lineage *l) {
    struct reason why = {""};

    sample.model->weights->head_out_bias[0] = (real)(l->highest + 1);
    if (lineage_promote(l, sample.model, &(struct ckpt_types){CKPT_F32, CKPT_F32, CKPT_F32}, &why))
        fail_msg("%s", why.text);
    assert_true(l->last == l->highest);
}

static void assert_serves(const struct lineage *l, uint64_t number) {
    char path[LINEAGE_PATH_BYTES];
    struct reason why = {""};
    struct arena arena;
    struct model *m;

    assert_true(l->last == number);
    lineage_path(l, l->last, path);
    if (number == 0) {
        assert_string_equal(path, "");
        return;
    }
    if (ckpt_read(path, NULL, CKPT_FULL, &arena, &m, &why))
        fail_msg("%s", why.text);
    assert_true(m->weights->head_out_bias[0] == (real)number);
    arena_done(&arena);
}

static void damage(uint64_t number, off_t cut, long flip) {
    char path[512];
    FILE *f;
    int c;

    (void)snprintf(path, sizeof path, "%s/" NAME "%06llu.safetensors", folder,
                   (unsigned long long)number);
    if (cut >= 0)
        assert_int_equal(truncate(path, cut), 0);
    if (flip < 0)
        return;
    assert_non_null(f = fopen(path, "r+b"));
    assert_int_equal(fseek(f, flip, SEEK_SET), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, flip, SEEK_SET), 0);
    assert_true(fputc(c ^ 0x10, f) != EOF && fclose(f) == 0);
}

static void test_promotions_and_restarts(void **state) {
    struct lineage l = open_keep(3, 0);

    (void)state;
    assert_serves(&l, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        promote(&l);
        assert_serves(&l, i);
        l = open_keep(3, 0);
        assert_serves(&l, i);
    }
    assert_files("3 4 5");
    l = open_keep(1, 0);
    promote(&l);
    assert_files("6");
}

static void test_damaged_newest_is_passed_over(void **state) {
    struct lineage l = open_keep(4, 0);

    (void)state;
    for (int i = 0; i < 4; i++)
        promote(&l);
    damage(4, 100, -1); /* cut */
    l = open_keep(4, 1);
    assert_serves(&l, 3);
    damage(3, -1, 2000); /* a bit of its numbers */
    l = open_keep(4, 2);
    assert_serves(&l, 2);
    damage(2, 0, -1); /* nothing in it */
    l = open_keep(4, 3);
    assert_serves(&l, 1);
    assert_true(l.highest == 4);
    promote(&l); /* what is damaged is not kept in the place of what is whole */
    assert_serves(&l, 5);
    assert_files("1 5");
    damage(5, 7, -1);
    damage(1, 7, -1);
    l = open_keep(4, 2);
    assert_serves(&l, 0);
    promote(&l);
    assert_serves(&l, 6);
}

static void test_withdrawn_is_never_served(void **state) {
    struct lineage l = open_keep(3, 0);

    (void)state;
    for (int i = 0; i < 4; i++)
        promote(&l);
    assert_int_equal(lineage_withdraw(&l, NULL), DIFFUSE_OK);
    assert_serves(&l, 3);
    assert_files("2 3 4w");
    l = open_keep(3, 0);
    assert_serves(&l, 3);
    promote(&l); /* its number is not given again */
    assert_serves(&l, 5);
    for (uint64_t want = 3; want >= 2; want--) {
        assert_int_equal(lineage_withdraw(&l, NULL), DIFFUSE_OK);
        assert_serves(&l, want);
    }
    assert_int_equal(lineage_withdraw(&l, NULL), DIFFUSE_OK);
    assert_serves(&l, 0);
    assert_int_equal(lineage_withdraw(&l, NULL), DIFFUSE_OK);
    assert_serves(&l, 0);
    assert_files("3w 4w 5w");
    l = open_keep(3, 0);
    assert_serves(&l, 0);
    promote(&l);
    assert_serves(&l, 6);
}

static void test_withdraw_passes_over_damage(void **state) {
    struct lineage l = open_keep(5, 0);

    (void)state;
    for (int i = 0; i < 4; i++)
        promote(&l);
    damage(3, 50, -1);
    (void)unlink(in_folder(NAME "000002.safetensors"));
    assert_int_equal(lineage_withdraw(&l, NULL), DIFFUSE_OK);
    assert_serves(&l, 1);
    (void)unlink(in_folder(NAME "000001.safetensors")); /* gone is as good as withdrawn */
    assert_int_equal(lineage_withdraw(&l, NULL), DIFFUSE_OK);
    assert_serves(&l, 0);
}

static void test_withdraw_all(void **state) {
    struct lineage l = open_keep(4, 0);

    (void)state;
    for (int i = 0; i < 3; i++)
        promote(&l);
    assert_int_equal(lineage_withdraw_all(&l, NULL), DIFFUSE_OK);
    assert_serves(&l, 0);
    assert_files("1w 2w 3w");
    l = open_keep(4, 0);
    assert_serves(&l, 0);
    promote(&l);
    assert_serves(&l, 4);
    assert_int_equal(lineage_withdraw_all(&l, NULL), DIFFUSE_OK);
    promote(&l);
    assert_int_equal(lineage_withdraw_all(&l, NULL), DIFFUSE_OK);
    assert_files("2w 3w 4w 5w");
}

static void touch(const char *name) {
    FILE *f = fopen(in_folder(name), "w");

    assert_true(f && fclose(f) == 0);
}

/* Leftovers of writers that were killed go; what is not ours stays, and does not count. */
static void test_other_files(void **state) {
    struct lineage_found found;
    struct reason why = {""};
    struct lineage l, other;

    (void)state;
    touch(".hidden");
    touch(".other.tmp.12");
    touch(".tuned-x.safetensors.tmp.12x");
    touch(".tuned-0123456789abcdef-000001.safetensors.tmp.4711");
    touch(".tuned-ff23456789abcdef-000003.safetensors.tmp.1");
    touch("journal");
    touch("tuned-ff23456789abcdef-000009.safetensors");
    touch("tuned-0123456789abcdef-12.safetensors");     /* not six digits */
    touch("tuned-0123456789abcdef-x00012.safetensors"); /* none at all */
    touch("tuned-0123456789abcdef-9999999.safetensors");
    l = open_keep(1, 1); /* seven digits are fine: it is only empty */
    assert_serves(&l, 0);
    assert_true(l.highest == 9999999);
    assert_int_equal(lineage_open(&other, folder, FOREIGN, 1, &found, &why), DIFFUSE_OK);
    assert_true(other.highest == 9);
    assert_int_equal(access(in_folder(".tuned-0123456789abcdef-000001.safetensors.tmp.4711"), F_OK),
                     -1);
    assert_int_equal(access(in_folder(".tuned-ff23456789abcdef-000003.safetensors.tmp.1"), F_OK),
                     -1);
    assert_int_equal(access(in_folder(".hidden"), F_OK), 0);
    assert_int_equal(access(in_folder(".other.tmp.12"), F_OK), 0);
    assert_int_equal(access(in_folder(".tuned-x.safetensors.tmp.12x"), F_OK), 0);
    promote(&l);
    assert_serves(&l, 10000000);
    assert_int_equal(access(in_folder("tuned-ff23456789abcdef-000009.safetensors"), F_OK), 0);
    assert_int_equal(access(in_folder("journal"), F_OK), 0);
}

/* A disk that is full: the promotion before it serves on, and nothing is left. */
static void test_full_disk(void **state) {
    struct lineage l = open_keep(2, 0);
    struct reason why = {""};
    struct rlimit old, tight;

    (void)state;
    promote(&l);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    tight = (struct rlimit){1000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    assert_int_equal(
        lineage_promote(&l, sample.model, &(struct ckpt_types){CKPT_F16, CKPT_F16, CKPT_F16}, &why),
        DIFFUSE_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(strstr(why.text, strerror(EFBIG)));
    assert_serves(&l, 1);
    assert_files("1");
    promote(&l);
    assert_serves(&l, 2);
}

static void test_folders(void **state) {
    struct lineage_found found;
    struct reason why = {""};
    struct lineage l;
    char deep[400], longer[512], path[LINEAGE_PATH_BYTES];
    struct stat st;

    (void)state;
    assert_int_equal(lineage_open(&l, in_folder("new//"), ROOT, 1, &found, &why), DIFFUSE_OK);
    assert_int_equal(stat(in_folder("new"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    lineage_path(&l, 12, path);
    assert_string_equal(path, in_folder("new/" NAME "000012.safetensors"));
    assert_int_equal(rmdir(in_folder("new")), 0);
    assert_int_equal(lineage_open(&l, in_folder("none/new"), ROOT, 1, &found, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "none/new: cannot make the folder: No such file"));
    touch("file");
    assert_int_equal(lineage_open(&l, in_folder("file"), ROOT, 1, &found, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "not a folder"));
    assert_int_equal(lineage_open(&l, folder, "abc", 1, &found, &why), DIFFUSE_INVAL);
    assert_int_equal(lineage_open(&l, folder, ROOT, 0, &found, &why), DIFFUSE_INVAL);
    assert_int_equal(lineage_open(&l, "", ROOT, 1, &found, &why), DIFFUSE_INVAL);
    memset(deep, 'a', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(lineage_open(&l, deep, ROOT, 1, &found, &why), DIFFUSE_IO); /* of the system */
    assert_int_equal(lineage_open(&l, longer, ROOT, 1, &found, &why), DIFFUSE_INVAL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_promotions_and_restarts),
        TEST(test_damaged_newest_is_passed_over),
        TEST(test_withdrawn_is_never_served),
        TEST(test_withdraw_passes_over_damage),
        TEST(test_withdraw_all),
        TEST(test_other_files),
        TEST(test_full_disk),
        TEST(test_folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
