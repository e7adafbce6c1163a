/* test_dataset.c - the kinds of data sets on real files, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "model/data/dataset.h"
#include "proto/limits.h"

#include "cmocka.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/test_dataset.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r -- '%s'", folder);
    return system(command);
}

static char *path_of(const char *name) {
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t len) {
    FILE *f = fopen(path_of(name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text) {
    write_file(name, text, strlen(text));
}

static void write_gzip(const char *name, const char *text) {
    gzFile f = gzopen(path_of(name), "wb");

    assert_non_null(f);
    assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), strlen(text));
    assert_int_equal(gzclose(f), Z_OK);
}

static struct dataset *opened(const char *kind, const char *name, enum dataset_split split) {
    char spec[600];
    struct dataset *d = NULL;
    struct reason why = {""};

    snprintf(spec, sizeof spec, "%s:%s", kind, name[0] ? path_of(name) : folder);
    if (dataset_open(spec, split, &d, &why))
        fail_msg("%s", why.text);
    return d;
}

static void expect_row(struct dataset *d, uint64_t line, const char *label, const char *text) {
    struct dataset_row row;
    struct reason why = {""};
    bool more = false;

    if (dataset_next(d, &row, &more, &why))
        fail_msg("%s", why.text);
    assert_true(more);
    assert_string_equal(row.label, label);
    assert_int_equal(row.len, strlen(text));
    assert_memory_equal(row.text, text, row.len);
    assert_int_equal(row.line, line);
}

static void expect_end(struct dataset *d) {
    struct dataset_row row = {.line = 77};
    struct reason why = {""};
    bool more = true;

    for (unsigned i = 0; i < 2; i++) { /* and it stays the end */
        assert_int_equal(dataset_next(d, &row, &more, &why), DIFFUSE_OK);
        assert_false(more);
        assert_int_equal(row.line, 77);
    }
}

static diffuse_err drain(struct dataset *d, struct reason *why) {
    struct dataset_row row;
    bool more = true;
    diffuse_err e = DIFFUSE_OK;

    while (!e && more)
        e = dataset_next(d, &row, &more, why);
    return e;
}

static void expect_bad(struct dataset *d, uint64_t bad_rows, const char *first) {
    struct dataset_stats stats;

    dataset_stats(d, &stats);
    assert_int_equal(stats.bad_rows, bad_rows);
    if (!strstr(stats.first_bad, first))
        fail_msg("'%s' does not say '%s'", stats.first_bad, first);
}

static void ag_news_reads_quotes(void **state) {
    struct dataset *d;

    (void)state;
    write_text("train.csv", "\"3\",\"Title, one\",\"He said \"\"no\"\".\"\n"
                            "\n"
                            "\"1\",\"\",\"two\nlines, \"\"and\"\"\n\nmore\"\r\n"
                            "  \n"
                            "4,plain,fields are fine\r\n"
                            "\"2\",\"x\",\"a\\b #39;s &lt;b&gt;\"");
    d = opened("ag_news", "", DATASET_TRAIN);
    expect_row(d, 1, "Business", "Title, one He said \"no\".");
    expect_row(d, 3, "World", "two\nlines, \"and\"\n\nmore");
    expect_row(d, 8, "Sci/Tech", "plain fields are fine");
    expect_row(d, 9, "Sports", "x a\\b #39;s &lt;b&gt;");
    expect_end(d);
    expect_bad(d, 0, "");
    dataset_close(d);
}

static void ag_news_names_its_labels(void **state) {
    static const char *const expected[] = {"World", "Sports", "Business", "Sci/Tech"};
    struct dataset *d;
    const char *const *labels;
    uint32_t n;

    (void)state;
    write_text("test.csv", "\"1\",\"a\",\"b\"\n");
    d = opened("ag_news", "", DATASET_TEST);
    labels = dataset_labels(d, &n);
    assert_int_equal(n, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(labels[i], expected[i]);
    dataset_close(d);
    write_text("plain.tsv", "a\tb\n");
    d = opened("tsv", "plain.tsv", DATASET_TRAIN);
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
        write_text("train.csv", text);
        d = opened("ag_news", "", DATASET_TRAIN);
        expect_row(d, 1, "World", "good row");
        if (lines == 1)
            expect_row(d, 3, "Business", "x x");
        else /* the quote of the next row closed the open one: that line is lost, too */
            expect_bad(d, 0, "");
        expect_row(d, lines == 1 ? 4 : 5, "Sports", "y z");
        expect_end(d);
        expect_bad(d, 1, bad[i].why);
        dataset_close(d);
    }
}

static void ag_news_notices_an_open_quote_at_the_end(void **state) {
    struct dataset *d;

    (void)state;
    write_text("train.csv", "\"1\",\"a\",\"b\"\n\"2\",\"c\",\"d\ne\nf\n");
    d = opened("ag_news", "", DATASET_TRAIN);
    expect_row(d, 1, "World", "a b");
    expect_end(d);
    expect_bad(d, 1, ":2: a quoted field that never ends");
    dataset_close(d);
}

static void nul_bytes_are_bad_rows(void **state) {
    static const char csv[] = "\"1\",\"a\",\"b\"\n\"1\",\"a\0\",\"b\"\n\"2\",\"c\",\"d\"\n";
    static const char tsv[] = "a\tb\nc\td\0e\nf\tg\n";
    struct dataset *d;

    (void)state;
    write_file("train.csv", csv, sizeof csv - 1);
    d = opened("ag_news", "", DATASET_TRAIN);
    expect_row(d, 1, "World", "a b");
    expect_row(d, 3, "Sports", "c d");
    expect_end(d);
    expect_bad(d, 1, "train.csv:2: a NUL byte");
    dataset_close(d);
    write_file("nul.tsv", tsv, sizeof tsv - 1);
    d = opened("tsv", "nul.tsv", DATASET_TRAIN);
    expect_row(d, 1, "a", "b");
    expect_row(d, 3, "f", "g");
    expect_end(d);
    expect_bad(d, 1, "nul.tsv:2: a NUL byte");
    dataset_close(d);
}

static void tsv_reads_lines(void **state) {
    struct dataset *d;

    (void)state;
    write_text("a.tsv", "\xef\xbb\xbfup\tone two\r\n\r\n\ndown\ta\tb \xc3\xa9\nnone\nup\tlast");
    d = opened("tsv", "a.tsv", DATASET_TEST);
    expect_row(d, 1, "up", "one two");
    expect_row(d, 4, "down", "a\tb \xc3\xa9");
    expect_row(d, 6, "up", "last");
    expect_end(d);
    expect_bad(d, 1, "a.tsv:5: no TAB; expected label TAB text");
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
    write_text("labels.tsv", text);
    d = opened("tsv", "labels.tsv", DATASET_TRAIN);
    expect_row(d, 5, longest + 1, "fits");
    expect_end(d);
    expect_bad(d, 4, "labels.tsv:1: the label is empty");
    dataset_close(d);
}

static void tsv_finds_the_split_in_a_folder(void **state) {
    struct dataset *d;

    (void)state;
    assert_int_equal(mkdir(path_of("set"), 0700), 0);
    write_text("set/train.tsv", "a\ttrain\n");
    write_text("set/test.tsv", "a\ttest\n");
    write_gzip("set/valid.tsv.gz", "a\tvalid\n");
    d = opened("tsv", "set", DATASET_TRAIN);
    expect_row(d, 1, "a", "train");
    dataset_close(d);
    d = opened("tsv", "set/", DATASET_TEST);
    expect_row(d, 1, "a", "test");
    dataset_close(d);
    d = opened("tsv", "set", DATASET_VALID);
    expect_row(d, 1, "a", "valid");
    dataset_close(d);
    write_text("set/val.tsv", "a\tval\n");
    d = opened("tsv", "set", DATASET_VALID);
    expect_row(d, 1, "a", "val");
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
    write_gzip("big.tsv.gz", text);
    for (unsigned i = 0; i < 2; i++) { /* by its name, and by the name without .gz */
        struct dataset *d = opened("tsv", i ? "big.tsv" : "big.tsv.gz", DATASET_TRAIN);
        assert_int_equal(drain(d, &why), DIFFUSE_OK);
        dataset_stats(d, &stats);
        assert_int_equal(stat(path_of("big.tsv.gz"), &st), 0);
        assert_int_equal(stats.rows, 2000);
        assert_int_equal(stats.bytes_total, st.st_size);
        assert_int_equal(stats.bytes_read, st.st_size);
        dataset_close(d);
    }
    free(text);
}

/* Cut off anywhere, a gzip file is an error, never a short data set. */
static void truncated_gzip_is_an_error(void **state) {
    char *text = big_text(500);
    static unsigned char bytes[65536];
    FILE *f;
    size_t len;

    (void)state;
    write_gzip("whole.gz", text);
    f = fopen(path_of("whole.gz"), "rb");
    assert_non_null(f);
    len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 2; cut < len; cut += cut < 40 || cut > len - 40 ? 1 : 97) {
        struct dataset *d;
        struct reason why = {""};

        write_file("cut.gz", bytes, cut);
        d = opened("tsv", "cut.gz", DATASET_TRAIN);
        if (drain(d, &why) != DIFFUSE_IO || !strstr(why.text, "cut.gz: gzip data ends early"))
            fail_msg("cut at %zu of %zu: '%s'", cut, len, why.text);
        dataset_close(d);
    }
    bytes[len / 2] ^= 0x55;
    write_file("bent.gz", bytes, len);
    {
        struct dataset *d = opened("tsv", "bent.gz", DATASET_TRAIN);
        struct reason why = {""};

        assert_int_equal(drain(d, &why), DIFFUSE_IO);
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
        {"nonsense", "KIND one of ag_news, tsv", DIFFUSE_INVAL},
        {"imdbx:/tmp", "KIND one of ag_news, tsv", DIFFUSE_INVAL},
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
    char spec[600];
    struct dataset *d = NULL;
    struct reason why = {""};

    (void)state;
    assert_int_equal(mkdir(path_of("empty"), 0700), 0);
    snprintf(spec, sizeof spec, "ag_news:%s", path_of("empty"));
    assert_int_equal(dataset_open(spec, DATASET_TEST, &d, &why), DIFFUSE_NOTFOUND);
    assert_non_null(strstr(why.text, "empty/test.csv: no such file"));
    snprintf(spec, sizeof spec, "tsv:%s", path_of("empty"));
    assert_int_equal(dataset_open(spec, DATASET_VALID, &d, &why), DIFFUSE_NOTFOUND);
    assert_null(d);
}

/* rows rows, every step-th of them bad from row first on. */
static void write_rows(unsigned rows, unsigned first, unsigned step) {
    FILE *f = fopen(path_of("rows.tsv"), "w");

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
        d = opened("tsv", "rows.tsv", DATASET_TRAIN);
        if (drain(d, &why))
            fail_msg("%s", why.text);
        expect_bad(d, cases[i].bad, "rows.tsv:");
        dataset_close(d);
    }
}

static void many_bad_rows_end_the_reading(void **state) {
    struct reason why = {""};
    struct dataset *d;

    (void)state;
    write_rows(2000, 49, 50);
    d = opened("tsv", "rows.tsv", DATASET_TRAIN);
    assert_int_equal(drain(d, &why), DIFFUSE_BADDATA);
    assert_non_null(strstr(why.text, "11 of 550 rows are bad"));
    assert_non_null(strstr(why.text, "rows.tsv:50: no TAB"));
    dataset_close(d);
}

static void a_row_has_a_limit(void **state) {
    struct dataset *d;
    struct reason why = {""};
    gzFile f = gzopen(path_of("bomb.tsv.gz"), "wb1");
    static char zeros[1 << 20];

    (void)state;
    assert_non_null(f);
    memset(zeros, 'a', sizeof zeros);
    gzputs(f, "a\tb\n");
    for (unsigned i = 0; i < LIMIT_ROW_BYTES / sizeof zeros + 1; i++)
        assert_int_equal(gzwrite(f, zeros, sizeof zeros), sizeof zeros);
    gzclose(f);
    d = opened("tsv", "bomb.tsv", DATASET_TRAIN);
    assert_int_equal(drain(d, &why), DIFFUSE_TOOBIG);
    assert_non_null(strstr(why.text, "bomb.tsv.gz:2: line over 67108864 bytes"));
    dataset_close(d);
}

static void an_empty_file_has_no_rows(void **state) {
    struct dataset *d;

    (void)state;
    write_text("none.tsv", "");
    d = opened("tsv", "none.tsv", DATASET_TRAIN);
    expect_end(d);
    dataset_close(d);
    write_text("train.csv", "\n\r\n");
    d = opened("ag_news", "", DATASET_TRAIN);
    expect_end(d);
    expect_bad(d, 0, "");
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
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(a_folder_without_the_split_is_named),
        cmocka_unit_test(few_bad_rows_are_borne),
        cmocka_unit_test(many_bad_rows_end_the_reading),
        cmocka_unit_test(a_row_has_a_limit),
        cmocka_unit_test(an_empty_file_has_no_rows),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
