/* test_dataset.c - the kinds of data sets on real files, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "model/data/dataset.h"
#include "proto/limits.h"
#include "tests/lib/dataset_files.h"

#include "cmocka.h"

static void ag_news_reads_quotes(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("train.csv", "\"3\",\"Title, one\",\"He said \"\"no\"\".\"\n"
                                    "\n"
                                    "\"1\",\"\",\"two\nlines, \"\"and\"\"\n\nmore\"\r\n"
                                    "  \n"
                                    "4,plain,fields are fine\r\n"
                                    "\"2\",\"x\",\"a\\b #39;s &lt;b&gt;\"");
    d = dataset_files_open("ag_news", "", DATASET_TRAIN);
    dataset_files_row(d, 1, "Business", "Title, one He said \"no\".");
    dataset_files_row(d, 3, "World", "two\nlines, \"and\"\n\nmore");
    dataset_files_row(d, 8, "Sci/Tech", "plain fields are fine");
    dataset_files_row(d, 9, "Sports", "x a\\b #39;s &lt;b&gt;");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
}

static void ag_news_names_its_labels(void **state) {
    static const char *const expected[] = {"World", "Sports", "Business", "Sci/Tech"};
    struct dataset *d;
    const char *const *labels;
    uint32_t n;

    (void)state;
    dataset_files_text("test.csv", "\"1\",\"a\",\"b\"\n");
    d = dataset_files_open("ag_news", "", DATASET_TEST);
    labels = dataset_labels(d, &n);
    assert_int_equal(n, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(labels[i], expected[i]);
    dataset_close(d);
    dataset_files_text("plain.tsv", "a\tb\n");
    d = dataset_files_open("tsv", "plain.tsv", DATASET_TRAIN);
    assert_null(dataset_labels(d, &n));
    assert_int_equal(n, 0);
    dataset_close(d);
}

/* Each bad row is named by its line, and the rows around it are read. */
static void ag_news_passes_over_bad_rows(void **state) {
    static const struct {
        const char *row, *why;
    } bad[] = {
        {"\"5\",\"a\",\"b\"", ":2: class '5'; expected 1 to 4"},
        {"\"12\",\"a\",\"b\"", ":2: class '12'"},
        {"\"\",\"a\",\"b\"", ":2: class ''"},
        {"\"1\",\"a\"", ":2: 2 columns"},
        {"\"1\",\"a\",\"b\",\"c\"", ":2: 4 columns"},
        {"\"1\",\"a \"quoted\" word\",\"b\"", ":2: a quote where none may be"},
        {"\"1\",\"never\nends", ":2: a quote where none may be"},
        {"\"1\",\"\",\" \t\"", ":2: the text is empty"},
        {"\"1\",\"a\",\"\xff\"", ":2: the text is not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        struct dataset *d;
        uint64_t lines = strchr(bad[i].row, '\n') ? 2 : 1;

        snprintf(text, sizeof text,
                 "\"1\",\"good\",\"row\"\n%s\n\"3\",\"x\",\"x\"\n\"2\",\"y\",\"z\"\n", bad[i].row);
        dataset_files_text("train.csv", text);
        d = dataset_files_open("ag_news", "", DATASET_TRAIN);
        dataset_files_row(d, 1, "World", "good row");
        if (lines == 1)
            dataset_files_row(d, 3, "Business", "x x");
        else /* the quote of the next row closed the open one: that line is lost, too */
            dataset_files_bad(d, 0, "");
        dataset_files_row(d, lines == 1 ? 4 : 5, "Sports", "y z");
        dataset_files_end(d);
        dataset_files_bad(d, 1, bad[i].why);
        dataset_close(d);
    }
}

static void ag_news_notices_an_open_quote_at_the_end(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("train.csv", "\"1\",\"a\",\"b\"\n\"2\",\"c\",\"d\ne\nf\n");
    d = dataset_files_open("ag_news", "", DATASET_TRAIN);
    dataset_files_row(d, 1, "World", "a b");
    dataset_files_end(d);
    dataset_files_bad(d, 1, ":2: a quoted field that never ends");
    dataset_close(d);
}

static void nul_bytes_are_bad_rows(void **state) {
    static const char csv[] = "\"1\",\"a\",\"b\"\n\"1\",\"a\0\",\"b\"\n\"2\",\"c\",\"d\"\n";
    static const char tsv[] = "a\tb\nc\td\0e\nf\tg\n";
    struct dataset *d;

    (void)state;
    dataset_files_write("train.csv", csv, sizeof csv - 1);
    d = dataset_files_open("ag_news", "", DATASET_TRAIN);
    dataset_files_row(d, 1, "World", "a b");
    dataset_files_row(d, 3, "Sports", "c d");
    dataset_files_end(d);
    dataset_files_bad(d, 1, "train.csv:2: a NUL byte");
    dataset_close(d);
    dataset_files_write("nul.tsv", tsv, sizeof tsv - 1);
    d = dataset_files_open("tsv", "nul.tsv", DATASET_TRAIN);
    dataset_files_row(d, 1, "a", "b");
    dataset_files_row(d, 3, "f", "g");
    dataset_files_end(d);
    dataset_files_bad(d, 1, "nul.tsv:2: a NUL byte");
    dataset_close(d);
}

static void tsv_reads_lines(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("a.tsv",
                       "\xef\xbb\xbfup\tone two\r\n\r\n\ndown\ta\tb \xc3\xa9\nnone\nup\tlast");
    d = dataset_files_open("tsv", "a.tsv", DATASET_TEST);
    dataset_files_row(d, 1, "up", "one two");
    dataset_files_row(d, 4, "down", "a\tb \xc3\xa9");
    dataset_files_row(d, 6, "up", "last");
    dataset_files_end(d);
    dataset_files_bad(d, 1, "a.tsv:5: no TAB; expected label TAB text");
    dataset_close(d);
}

static void tsv_checks_labels(void **state) {
    char text[1024], longest[LIMIT_LABEL_BYTES + 2];
    struct dataset *d;

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[LIMIT_LABEL_BYTES + 1] = 0;
    snprintf(text, sizeof text, "\tempty\n%s\ttoo long\na\x01\tcontrol\n\xff\tbytes\n%s\tfits\n",
             longest, longest + 1);
    dataset_files_text("labels.tsv", text);
    d = dataset_files_open("tsv", "labels.tsv", DATASET_TRAIN);
    dataset_files_row(d, 5, longest + 1, "fits");
    dataset_files_end(d);
    dataset_files_bad(d, 4, "labels.tsv:1: the label is empty");
    dataset_close(d);
}

static void tsv_finds_the_split_in_a_folder(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_folder("set");
    dataset_files_text("set/train.tsv", "a\ttrain\n");
    dataset_files_text("set/test.tsv", "a\ttest\n");
    dataset_files_gzip("set/valid.tsv.gz", "a\tvalid\n");
    d = dataset_files_open("tsv", "set", DATASET_TRAIN);
    dataset_files_row(d, 1, "a", "train");
    dataset_close(d);
    d = dataset_files_open("tsv", "set/", DATASET_TEST);
    dataset_files_row(d, 1, "a", "test");
    dataset_close(d);
    d = dataset_files_open("tsv", "set", DATASET_VALID);
    dataset_files_row(d, 1, "a", "valid");
    dataset_close(d);
    dataset_files_text("set/val.tsv", "a\tval\n");
    d = dataset_files_open("tsv", "set", DATASET_VALID);
    dataset_files_row(d, 1, "a", "val");
    dataset_close(d);
}

/* Some 40 kB that gzip cannot make much smaller. */
static char *big_text(unsigned rows) {
    char *text = malloc(rows * 40 + 1), *at = text;
    uint64_t x = 1;

    assert_non_null(text);
    for (unsigned i = 0; i < rows; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        at += sprintf(at, "l%u\t%016llx\n", i % 3, (unsigned long long)x);
    }
    return text;
}

static void gzip_is_read_alike(void **state) {
    char *text = big_text(2000);
    struct dataset_stats stats;
    struct stat st;
    struct reason why = {""};

    (void)state;
    dataset_files_gzip("big.tsv.gz", text);
    for (unsigned i = 0; i < 2; i++) { /* by its name, and by the name without .gz */
        struct dataset *d = dataset_files_open("tsv", i ? "big.tsv" : "big.tsv.gz", DATASET_TRAIN);
        assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_OK);
        dataset_stats(d, &stats);
        assert_int_equal(stat(dataset_files_path("big.tsv.gz"), &st), 0);
        assert_int_equal(stats.rows, 2000);
        assert_int_equal(stats.bytes_total, st.st_size);
        assert_int_equal(stats.bytes_read, st.st_size);
        dataset_close(d);
    }
    free(text);
}

/* tail.gz: gzip data, and other bytes behind it. */
static void gzip_with_tail(const char *text, const char *tail, size_t len) {
    FILE *f;

    dataset_files_gzip("tail.gz", text);
    f = fopen(dataset_files_path("tail.gz"), "ab");
    assert_non_null(f);
    assert_int_equal(fwrite(tail, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void bytes_behind_gzip_are_an_error(void **state) {
    static const char zeros[1000];
    struct reason why = {""};
    struct dataset *d;

    (void)state;
    gzip_with_tail("a\tone\n", "b\ttwo\n", 6);
    d = dataset_files_open("tsv", "tail", DATASET_TRAIN);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "tail.gz: bytes behind the end of its gzip data, from byte "));
    dataset_close(d);

    gzip_with_tail("a\tone\n", zeros, sizeof zeros); /* as on a tape */
    d = dataset_files_open("tsv", "tail", DATASET_TRAIN);
    dataset_files_row(d, 1, "a", "one");
    dataset_files_end(d);
    dataset_close(d);
}

static void gzip_members_are_read_in_turn(void **state) {
    char member[256];
    struct dataset *d;
    size_t len;
    FILE *f;

    (void)state;
    dataset_files_gzip("second.gz", "b\ttwo\n");
    f = fopen(dataset_files_path("second.gz"), "rb");
    assert_non_null(f);
    len = fread(member, 1, sizeof member, f);
    assert_int_equal(fclose(f), 0);
    gzip_with_tail("a\tone\n", member, len);
    d = dataset_files_open("tsv", "tail", DATASET_TRAIN);
    dataset_files_row(d, 1, "a", "one");
    dataset_files_row(d, 2, "b", "two");
    dataset_files_end(d);
    dataset_close(d);
}

/* Cut off anywhere, a gzip file is an error, never a short data set. */
static void truncated_gzip_is_an_error(void **state) {
    char *text = big_text(500);
    static unsigned char bytes[65536];
    FILE *f;
    size_t len;

    (void)state;
    dataset_files_gzip("whole.gz", text);
    f = fopen(dataset_files_path("whole.gz"), "rb");
    assert_non_null(f);
    len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 2; cut < len; cut += cut < 40 || cut > len - 40 ? 1 : 97) {
        struct dataset *d;
        struct reason why = {""};

        dataset_files_write("cut.gz", bytes, cut);
        d = dataset_files_open("tsv", "cut.gz", DATASET_TRAIN);
        if (dataset_files_drain(d, &why) != DIFFUSE_IO ||
            !strstr(why.text, "cut.gz: gzip data ends early"))
            fail_msg("cut at %zu of %zu: '%s'", cut, len, why.text);
        dataset_close(d);
    }
    bytes[len / 2] ^= 0x55;
    dataset_files_write("bent.gz", bytes, len);
    {
        struct dataset *d = dataset_files_open("tsv", "bent.gz", DATASET_TRAIN);
        struct reason why = {""};

        assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_IO);
        assert_non_null(strstr(why.text, "bent.gz"));
        dataset_close(d);
    }
    free(text);
}

static void what_is_not_there_is_named(void **state) {
    static const struct {
        const char *spec, *part;
        diffuse_err e;
    } cases[] = {
        {"nonsense", "KIND one of ag_news, imdb", DIFFUSE_INVAL},
        {"imdbx:/tmp", "KIND one of ag_news, imdb", DIFFUSE_INVAL},
        {"ag_news", "expected KIND:PATH", DIFFUSE_INVAL},
        {":x", "expected KIND:PATH", DIFFUSE_INVAL},
        {"tsv:", "path is empty", DIFFUSE_INVAL},
        {"ag_news:/no/such/folder", "/no/such/folder: No such file", DIFFUSE_NOTFOUND},
        {"ag_news:/dev/null", "not a folder", DIFFUSE_IO},
        {"tsv:/no/such.tsv", "/no/such.tsv: no such file, nor with .gz", DIFFUSE_NOTFOUND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset *d = NULL;
        struct reason why = {""};
        diffuse_err e = dataset_open(cases[i].spec, DATASET_TRAIN, &d, &why);

        if (e != cases[i].e || !strstr(why.text, cases[i].part))
            fail_msg("%s: error %d, '%s'", cases[i].spec, (int)e, why.text);
        assert_null(d);
    }
    dataset_close(NULL);
}

static void a_folder_without_the_split_is_named(void **state) {
    (void)state;
    dataset_files_folder("empty");
    dataset_files_refused("ag_news", "empty", DATASET_TEST, DIFFUSE_NOTFOUND,
                          "empty/test.csv: no such file, nor with .gz");
    dataset_files_refused("tsv", "empty", DATASET_VALID, DIFFUSE_NOTFOUND,
                          "empty/val.tsv: no such file, nor with .gz; nor valid.tsv");
    dataset_files_refused("jsonl", "empty", DATASET_UNLABELLED, DIFFUSE_NOTFOUND,
                          "empty/unlabelled.jsonl: no such file");
    dataset_files_refused("lra_listops", "empty", DATASET_VALID, DIFFUSE_NOTFOUND,
                          "empty/basic_val.tsv: no such file, nor with .gz; nor basic_valid.tsv");
    dataset_files_refused("imdb", "empty", DATASET_TRAIN, DIFFUSE_NOTFOUND, "empty/train/neg: No");
}

/* rows rows, every step-th of them bad from row first on. */
static void write_rows(unsigned rows, unsigned first, unsigned step) {
    FILE *f = fopen(dataset_files_path("rows.tsv"), "w");

    assert_non_null(f);
    for (unsigned i = 0; i < rows; i++)
        fputs(i >= first && (i - first) % step == 0 ? "bad\n" : "a\tb\n", f);
    fclose(f);
}

static void few_bad_rows_are_borne(void **state) {
    static const struct {
        unsigned rows, first, step, bad;
    } cases[] = {{10, 0, 1, 10}, {2000, 99, 100, 20}, {12, 2, 1, 10}, {5000, 1099, 100, 40}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reason why = {""};
        struct dataset *d;

        write_rows(cases[i].rows, cases[i].first, cases[i].step);
        d = dataset_files_open("tsv", "rows.tsv", DATASET_TRAIN);
        if (dataset_files_drain(d, &why))
            fail_msg("%s", why.text);
        dataset_files_bad(d, cases[i].bad, "rows.tsv:");
        dataset_close(d);
    }
}

static void many_bad_rows_end_the_reading(void **state) {
    struct reason why = {""};
    struct dataset *d;

    (void)state;
    write_rows(2000, 49, 50);
    d = dataset_files_open("tsv", "rows.tsv", DATASET_TRAIN);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_BADDATA);
    assert_non_null(strstr(why.text, "11 of 550 rows are bad"));
    assert_non_null(strstr(why.text, "rows.tsv:50: no TAB"));
    dataset_close(d);
}

static void a_row_has_a_limit(void **state) {
    struct dataset *d;
    struct reason why = {""};
    gzFile f = gzopen(dataset_files_path("bomb.tsv.gz"), "wb1");
    static char zeros[1 << 20];

    (void)state;
    assert_non_null(f);
    memset(zeros, 'a', sizeof zeros);
    gzputs(f, "a\tb\n");
    for (unsigned i = 0; i < LIMIT_ROW_BYTES / sizeof zeros + 1; i++)
        assert_int_equal(gzwrite(f, zeros, sizeof zeros), sizeof zeros);
    gzclose(f);
    d = dataset_files_open("tsv", "bomb.tsv", DATASET_TRAIN);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_TOOBIG);
    assert_non_null(strstr(why.text, "bomb.tsv.gz:2: row over 67108864 bytes"));
    dataset_close(d);
}

static void an_empty_file_has_no_rows(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("none.tsv", "");
    d = dataset_files_open("tsv", "none.tsv", DATASET_TRAIN);
    dataset_files_end(d);
    dataset_close(d);
    dataset_files_text("train.csv", "\n\r\n");
    d = dataset_files_open("ag_news", "", DATASET_TRAIN);
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ag_news_reads_quotes),
        cmocka_unit_test(ag_news_names_its_labels),
        cmocka_unit_test(ag_news_passes_over_bad_rows),
        cmocka_unit_test(ag_news_notices_an_open_quote_at_the_end),
        cmocka_unit_test(nul_bytes_are_bad_rows),
        cmocka_unit_test(tsv_reads_lines),
        cmocka_unit_test(tsv_checks_labels),
        cmocka_unit_test(tsv_finds_the_split_in_a_folder),
        cmocka_unit_test(gzip_is_read_alike),
        cmocka_unit_test(truncated_gzip_is_an_error),
        cmocka_unit_test(bytes_behind_gzip_are_an_error),
        cmocka_unit_test(gzip_members_are_read_in_turn),
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(a_folder_without_the_split_is_named),
        cmocka_unit_test(few_bad_rows_are_borne),
        cmocka_unit_test(many_bad_rows_end_the_reading),
        cmocka_unit_test(a_row_has_a_limit),
        cmocka_unit_test(an_empty_file_has_no_rows),
    };
    return cmocka_run_group_tests(tests, dataset_files_make, dataset_files_remove);
}
