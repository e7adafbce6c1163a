/* Configuration: every key, every kind of mistake, and the line that it is reported with. */
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

#include "daemon/common/nearest.h"
#include "daemon/conf/confread.h"

struct heard {
    char lines[16][LIMIT_REASON_BYTES + CONF_TEXT_BYTES];
    size_t n;
};

static void hear(void *user, const char *line) {
    struct heard *h = user;
    if (h->n < 16)
        snprintf(h->lines[h->n++], sizeof h->lines[0], "%s", line);
}

/* Read text as a file; complaints are in h, with the path replaced by FILE. */
static diffuse_err read_text(struct conf *c, const char *text, struct heard *h) {
    char path[] = "/tmp/test_conf_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    conf_init(c);
    h->n = 0;
    diffuse_err e = confread_file(c, path, hear, h);
    for (size_t i = 0; i < h->n; i++) {
        assert_memory_equal(h->lines[i], path, strlen(path));
        memmove(h->lines[i], h->lines[i] + strlen(path) + 1, strlen(h->lines[i]) - strlen(path));
    }
    unlink(path);
    return e;
}

static void test_defaults_are_in_range(void **state) {
    (void)state;
    struct conf c;
    struct reason why;
    char text[CONF_TEXT_BYTES];
    conf_init(&c);
    for (int key = 0; key < (int)CONF_KEYS; key++) {
        const struct conf_row *row = conf_row((enum conf_key)key);
        conf_show(&c, (enum conf_key)key, text, sizeof text);
        assert_string_equal(text, row->preset);
        assert_true(strlen(row->help) > 10);
        if (row->type != CONFVALUE_TEXT && row->type != CONFVALUE_LIST)
            assert_int_equal(conf_assign(&c, row->key, text, CONF_FROM_OPTION, 0, &why),
                             DIFFUSE_OK);
    }
}

static void test_file_is_read(void **state) {
    (void)state;
    struct conf c;
    struct heard h;
    char text[CONF_TEXT_BYTES];
    assert_int_equal(read_text(&c,
                               "# comment\n"
                               "model = /srv/m.safetensors\n"
                               "\n"
                               "; another\n"
                               "memory_budget = 128M   ; inline\n"
                               "ingest_connect = tcp://a:1 tcp://b:2\n"
                               "ingest_connect = tcp://c:3\n"
                               "label_wait = 250ms\n"
                               "socket_mode=0666\n"
                               "scores = yes\n"
                               "on_too_long = refuse",
                               &h),
                     DIFFUSE_OK);
    assert_int_equal(h.n, 0);
    assert_string_equal(c.model, "/srv/m.safetensors");
    assert_int_equal(c.memory_budget, 128u << 20);
    assert_int_equal(c.ingest_connect.n, 3);
    assert_string_equal(c.ingest_connect.item[2], "tcp://c:3");
    assert_int_equal(c.label_wait, 250000000u);
    assert_int_equal(c.socket_mode, 0666);
    assert_int_equal(c.scores, 1);
    assert_int_equal(c.on_too_long, CONF_REFUSE);
    conf_origin(&c, CONF_KEY_memory_budget, text, sizeof text);
    assert_non_null(strstr(text, "/test_conf_"));
    assert_string_equal(text + strlen(text) - 2, ":5");
    conf_origin(&c, CONF_KEY_queue, text, sizeof text);
    assert_string_equal(text, "default");
}

/* A comment may stand behind a value; an indented line is a line of its own. */
static void test_comments_and_blanks(void **state) {
    (void)state;
    struct conf c;
    struct heard h;
    char text[CONF_TEXT_BYTES];
    assert_int_equal(read_text(&c,
                               "  # comment\n"
                               "\tmodel = /srv/a#b.safetensors # the best\n"
                               "queue = 64\t# few\n"
                               "  scores = yes ; all\n"
                               "push_hwm = 9#\n"
                               "   workers = 2\n",
                               &h),
                     DIFFUSE_INVAL);
    assert_int_equal(h.n, 1);
    assert_non_null(strstr(h.lines[0], "5: push_hwm: '9#' is not understood"));
    assert_string_equal(c.model, "/srv/a#b.safetensors");
    assert_int_equal(c.queue, 64);
    assert_int_equal(c.scores, 1);
    assert_int_equal(c.workers, 2);
    conf_origin(&c, CONF_KEY_workers, text, sizeof text);
    assert_string_equal(text + strlen(text) - 2, ":6");
}

/* Every kernel of this build can be asked for, and those of other machines, too. */
static void test_kernels_are_choices(void **state) {
    (void)state;
    struct conf c;
    struct reason why;
    for (size_t i = 0; kernel_at(i); i++) {
        char shown[CONF_TEXT_BYTES];
        conf_init(&c);
        assert_int_equal(conf_assign(&c, "kernel", kernel_at(i)->name, CONF_FROM_OPTION, 0, &why),
                         DIFFUSE_OK);
        conf_show(&c, CONF_KEY_kernel, shown, sizeof shown);
        assert_string_equal(shown, kernel_at(i)->name);
    }
    assert_int_equal(conf_set(&c, "kernel=neon", &why), DIFFUSE_OK);
    assert_int_equal(conf_set(&c, "kernel=dotprod", &why), DIFFUSE_OK);
    assert_int_equal(conf_set(&c, "kernel=vnni", &why), DIFFUSE_OK);
}

static void test_mistakes_name_line_and_remedy(void **state) {
    (void)state;
    struct conf c;
    struct heard h;
    char text[2048] = "# any\n"
                      "log_level = waring\n"
                      "qqqqqqqqqq = 2\n"
                      "memory_budgit = 1G\n"
                      "queue = many\n"
                      "queue = 1\n"
                      "batch_max = 5\n"
                      "batch_max = 6\n"
                      "log_level = loud\n"
                      "label_wait = 3\n"
                      "nonsense\n"
                      "# ";
    memset(text + strlen(text), 'x', 700);
    strcat(text, "\nwrokers = 2\n[part]\nworkers = 2\nmodel =\n");
    assert_int_equal(read_text(&c, text, &h), DIFFUSE_INVAL);
    static const char *const expected[] = {
        "2: log_level: 'waring' is not understood; expected one of: error warning notice info "
        "debug; did you mean 'warning'?",
        "3: unknown key 'qqqqqqqqqq'; --print-config lists those there are",
        "4: unknown key 'memory_budgit'; did you mean 'memory_budget'?",
        "5: queue: 'many' is not understood; expected a whole number",
        "6: queue: 1 is out of range; expected 2 to 65536",
        "8: batch_max was already set in line 7; remove one",
        "9: log_level: 'loud' is not understood; expected one of: error warning notice info debug",
        "10: label_wait: '3' is not understood; expected a time with its unit, such as 250ms, 5s "
        "or "
        "2min",
        "12: the line is longer than 198 bytes; shorten it",
        "13: unknown key 'wrokers'; did you mean 'workers'?",
        "15: workers stands in section [part]; there are no sections, remove the heading",
        "16: model stands in section [part]; there are no sections, remove the heading",
        "11: expected key = value",
    };
    for (size_t i = 0; i < h.n; i++)
        assert_string_equal(h.lines[i], expected[i]);
    assert_int_equal(h.n, sizeof expected / sizeof expected[0]);
}

/* --- the files together --- */

static void write_file(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A file with drop-ins; the folder's path is replaced by nothing in what is heard. */
struct tree {
    char dir[64], file[128], drop[128];
    struct heard heard;
    struct conf conf;
};

static struct tree *make_tree(void) {
    struct tree *t = calloc(1, sizeof *t);
    snprintf(t->dir, sizeof t->dir, "/tmp/test_conf_XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->file, sizeof t->file, "%s/d.conf", t->dir);
    snprintf(t->drop, sizeof t->drop, "%s/d.conf.d", t->dir);
    assert_int_equal(mkdir(t->drop, 0700), 0);
    return t;
}

static diffuse_err read_tree(struct tree *t, const char *const *set, size_t n_sets) {
    struct confread_source source = {t->file, set, n_sets};
    t->heard.n = 0;
    return confread_all(&t->conf, &source, hear, &t->heard);
}

static void remove_tree(struct tree *t) {
    static const char *const names[] = {"d.conf.d/20-b.conf",    "d.conf.d/9-a.conf",
                                        "d.conf.d/10-a.conf",    "d.conf.d/notes.txt",
                                        "d.conf.d/.hidden.conf", "d.conf"};
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", t->dir, names[i]);
        (void)unlink(path);
    }
    rmdir(t->drop);
    rmdir(t->dir);
    free(t);
}

static void test_later_files_win(void **state) {
    (void)state;
    char text[512], expected[512];
    struct tree *t = make_tree();
    write_file(t->dir, "d.conf",
               "model = m\nruntime_dir = /r\nqueue = 2\nstreams = 2\nbatch_max = 2\n"
               "policy = a:end b:end\ningest_connect = tcp://127.0.0.1:1\n");
    write_file(t->drop, "10-a.conf", "queue = 10\nstreams = 10\npolicy = c:end\npolicy = d:end\n");
    write_file(t->drop, "20-b.conf", "# nothing yet\nqueue = 20\n");
    write_file(t->drop, "notes.txt", "queue = 77\n");
    write_file(t->drop, ".hidden.conf", "queue = 78\n");
    static const char *const set[] = {"batch_max=3"};
    assert_int_equal(read_tree(t, set, 1), DIFFUSE_OK);
    assert_int_equal(t->conf.queue, 20);
    assert_int_equal(t->conf.streams, 10);
    assert_int_equal(t->conf.batch_max, 3);
    assert_int_equal(t->conf.policy.n, 2); /* a list is replaced as a whole */
    assert_string_equal(t->conf.policy.item[0], "c:end");
    assert_int_equal(t->conf.ingest_connect.n, 1);
    conf_origin(&t->conf, CONF_KEY_queue, text, sizeof text);
    snprintf(expected, sizeof expected, "%s/20-b.conf:2", t->drop);
    assert_string_equal(text, expected);
    conf_origin(&t->conf, CONF_KEY_ingest_connect, text, sizeof text);
    snprintf(expected, sizeof expected, "%s:7", t->file);
    assert_string_equal(text, expected);
    conf_origin(&t->conf, CONF_KEY_batch_max, text, sizeof text);
    assert_string_equal(text, "--set");
    write_file(t->drop, "9-a.conf", "queue = 9\n"); /* names are compared as names */
    assert_int_equal(read_tree(t, NULL, 0), DIFFUSE_OK);
    assert_int_equal(t->conf.queue, 9);
    remove_tree(t);
}

/* Of every file, of the command line, and of what does not go together, at once. */
static void test_all_mistakes_at_once(void **state) {
    (void)state;
    struct tree *t = make_tree();
    write_file(t->dir, "d.conf",
               "runtime_dir = /r\nqueu = 5\npush = nowhere\npolicy = x:bogus=1\n");
    write_file(t->drop, "10-a.conf", "workers = lots\nmax_length = 4000\n");
    static const char *const set[] = {"quue=1", "labels=elsewhere", "tune_keep=0"};
    assert_int_equal(read_tree(t, set, 3), DIFFUSE_INVAL);
    static const char *const expected[] = {
        "/d.conf:2: unknown key 'queu'; did you mean 'queue'?",
        "/d.conf.d/10-a.conf:1: workers: 'lots' is not understood",
        "--set: unknown key 'quue'; did you mean 'queue'?",
        "--set: tune_keep: 0 is out of range",
        "model is not set",
        "/d.conf:3: push: 'nowhere' is no endpoint",
        "labels: 'elsewhere' is no endpoint",
        "/d.conf:4: policy 'x:bogus=1'",
        "batch_tokens is 1024, less than max_length 4000",
    };
    for (size_t i = 0; i < t->heard.n && i < sizeof expected / sizeof expected[0]; i++) {
        if (!strstr(t->heard.lines[i], expected[i]))
            fail_msg("%s, expected %s", t->heard.lines[i], expected[i]);
    }
    assert_int_equal(t->heard.n, sizeof expected / sizeof expected[0]);
    remove_tree(t);
}

static void test_missing_file(void **state) {
    (void)state;
    struct conf c;
    struct heard h = {.n = 0};
    conf_init(&c);
    assert_int_equal(confread_file(&c, "/nonexistent/diffused.conf", hear, &h), DIFFUSE_NOTFOUND);
    assert_int_equal(h.n, 1);
}

static void test_set_and_finish(void **state) {
    (void)state;
    struct conf c;
    struct reason why;
    conf_init(&c);
    assert_int_equal(conf_set(&c, "queue", &why), DIFFUSE_INVAL);
    assert_int_equal(conf_set(&c, "=1", &why), DIFFUSE_INVAL);
    assert_int_equal(conf_set(&c, "runtime_dir=/tmp/x", &why), DIFFUSE_OK);
    assert_int_equal(conf_finish(&c, &why), DIFFUSE_INVAL); /* no model */
    assert_non_null(strstr(why.text, "model"));
    assert_int_equal(conf_set(&c, "model=m=1", &why), DIFFUSE_OK);
    assert_string_equal(c.model, "m=1");
    assert_int_equal(conf_set(&c, "workers=0", &why), DIFFUSE_OK);
    assert_int_equal(conf_finish(&c, &why), DIFFUSE_OK);
    assert_string_equal(c.labels, "ipc:///tmp/x/labels");
    assert_true(c.workers >= 1);
    assert_int_equal(conf_set(&c, "max_length=2000", &why), DIFFUSE_OK);
    assert_int_equal(conf_finish(&c, &why), DIFFUSE_INVAL); /* batch_tokens is less */
    assert_int_equal(conf_set(&c, "max_length=64", &why), DIFFUSE_OK);
    assert_int_equal(conf_set(&c, "push=nowhere", &why), DIFFUSE_OK);
    assert_int_equal(conf_finish(&c, &why), DIFFUSE_INVAL);
    char longest[200] = "push=ipc:///";
    memset(longest + strlen(longest), 'p', 107);
    assert_int_equal(conf_set(&c, longest, &why), DIFFUSE_OK);
    assert_int_equal(conf_finish(&c, &why), DIFFUSE_INVAL); /* 108 bytes of path */
    longest[strlen(longest) - 1] = '\0';
    assert_int_equal(conf_set(&c, longest, &why), DIFFUSE_OK);
    assert_int_equal(conf_finish(&c, &why), DIFFUSE_OK);
}

static void test_values_survive_a_round_trip(void **state) {
    (void)state;
    static const uint64_t values[] = {0, 1, 999, 1000, 1024, 65536, 3145728, 60000000000u, 5000000};
    static const enum confvalue_type types[] = {CONFVALUE_UINT, CONFVALUE_SIZE, CONFVALUE_SPAN,
                                                CONFVALUE_MODE};
    for (size_t t = 0; t < 4; t++) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            char text[64];
            uint64_t back = 77;
            confvalue_format(types[t], NULL, values[i], text, sizeof text);
            assert_int_equal(confvalue_parse(types[t], NULL, text, &back, NULL), DIFFUSE_OK);
            assert_int_equal(back, values[i]);
        }
    }
    uint64_t v = 5;
    assert_int_equal(confvalue_parse(CONFVALUE_UINT, NULL, "18446744073709551616", &v, NULL),
                     DIFFUSE_INVAL);
    assert_int_equal(confvalue_parse(CONFVALUE_SIZE, NULL, "17179869184G", &v, NULL),
                     DIFFUSE_INVAL);
    assert_int_equal(confvalue_parse(CONFVALUE_UINT, NULL, "-1", &v, NULL), DIFFUSE_INVAL);
    assert_int_equal(confvalue_parse(CONFVALUE_MODE, NULL, "0689", &v, NULL), DIFFUSE_INVAL);
    assert_int_equal(v, 5);
}

static void test_distance(void **state) {
    (void)state;
    assert_int_equal(nearest_distance("", "abc"), 3);
    assert_int_equal(nearest_distance("workers", "workers"), 0);
    assert_int_equal(nearest_distance("wrokers", "workers"), 1);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
}

/* The commented sample shows every key with its default, in the table's order, and no other. */
static void test_sample_matches_table(void **state) {
    (void)state;
    FILE *f = fopen("daemon/diffused.conf", "re");
    assert_non_null(f); /* tests run in the repository's root */
    char line[512];
    int key = 0;
    bool marked = false;
    while (fgets(line, sizeof line, f)) {
        char expected[512];
        if (!strstr(line, " =") || strncmp(line, "# ", 2) == 0) {
            marked = strstr(line, " [reload]\n") != NULL; /* the comment just above the key */
            continue;
        }
        assert_true(key < (int)CONF_KEYS);
        const struct conf_row *row = conf_row((enum conf_key)key);
        const char *shown =
            key == CONF_KEY_model ? "/var/lib/diffused/model.safetensors" : row->preset;
        snprintf(expected, sizeof expected, "%s%s =%s%s\n", key == CONF_KEY_model ? "" : "#",
                 row->key, *shown ? " " : "", shown);
        assert_string_equal(line, expected);
        assert_int_equal(marked, row->when == CONF_AT_RELOAD);
        key++;
    }
    assert_int_equal(key, CONF_KEYS);
    fclose(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_in_range),
        cmocka_unit_test(test_file_is_read),
        cmocka_unit_test(test_comments_and_blanks),
        cmocka_unit_test(test_kernels_are_choices),
        cmocka_unit_test(test_mistakes_name_line_and_remedy),
        cmocka_unit_test(test_later_files_win),
        cmocka_unit_test(test_all_mistakes_at_once),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_set_and_finish),
        cmocka_unit_test(test_values_survive_a_round_trip),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_sample_matches_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
