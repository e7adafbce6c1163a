/* test_dataset_published.c - imdb, lra_text and lra_listops on small copies of the published
 * layouts, and what is recommended for each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/data/dataset.h"
#include "proto/limits.h"
#include "tests/lib/dataset_files.h"

#include "cmocka.h"

static void make_reviews(const char *name) {
    static const char *const folders[] = {"",           "/train",       "/train/neg",
                                          "/train/pos", "/train/unsup", "/test",
                                          "/test/neg",  "/test/pos"};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[64];

        snprintf(path, sizeof path, "%s%s", name, folders[i]);
        dataset_files_folder(path);
    }
}

static void expect_labels(const struct dataset *d, const char *const *expected, uint32_t count) {
    uint32_t n = 0;
    const char *const *labels = dataset_labels(d, &n);

    assert_int_equal(n, count);
    for (uint32_t i = 0; i < n; i++)
        assert_string_equal(labels[i], expected[i]);
}

static void imdb_reads_reviews_in_order(void **state) {
    static const char *const labels[] = {"neg", "pos"};
    struct dataset *d;

    (void)state;
    make_reviews("order");
    dataset_files_text("order/train/neg/10_1.txt", "neg ten");
    dataset_files_text("order/train/neg/9_4.txt", "neg nine");
    dataset_files_text("order/train/neg/9_2.txt", "neg nine, too");
    dataset_files_text("order/train/neg/mine.txt", "neg without a number");
    dataset_files_gzip("order/train/pos/0_9.txt.gz", "pos packed");
    dataset_files_text("order/train/pos/1_9.txt", "pos one");
    dataset_files_text("order/test/neg/0_2.txt", "a test");
    dataset_files_text("order/train/unsup/0_0.txt", "whatever");
    d = dataset_files_open("imdb", "order", DATASET_TRAIN);
    expect_labels(d, labels, 2);
    dataset_files_row(d, 1, "neg", "neg nine, too");
    dataset_files_row(d, 1, "neg", "neg nine");
    dataset_files_row(d, 1, "neg", "neg ten");
    dataset_files_row(d, 1, "neg", "neg without a number");
    dataset_files_row(d, 1, "pos", "pos packed");
    dataset_files_row(d, 1, "pos", "pos one");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
    d = dataset_files_open("imdb", "order/", DATASET_TEST);
    dataset_files_row(d, 1, "neg", "a test");
    dataset_files_end(d);
    dataset_close(d);
    d = dataset_files_open("lra_text", "order", DATASET_UNLABELLED);
    dataset_files_row(d, 1, "", "whatever");
    dataset_files_end(d);
    dataset_close(d);
}

static void imdb_reads_reviews_only(void **state) {
    struct dataset_stats stats;
    struct reason why = {""};
    struct dataset *d;

    (void)state;
    make_reviews("only");
    dataset_files_text("only/train/neg/0_1.txt", "one");
    dataset_files_gzip("only/train/neg/0_1.txt.gz", "one packed, and so there twice");
    dataset_files_text("only/train/neg/.0_2.txt", "hidden");
    dataset_files_text("only/train/neg/README", "not a review");
    dataset_files_text("only/train/neg/0_3.txt~", "left by an editor");
    dataset_files_folder("only/train/neg/0_4.txt");
    assert_int_equal(mkfifo(dataset_files_path("only/train/neg/0_5.txt"), 0600), 0);
    assert_int_equal(symlink("/no/such", dataset_files_path("only/train/neg/0_6.txt")), 0);
    assert_int_equal(symlink("0_1.txt", dataset_files_path("only/train/neg/0_7.txt")), 0);
    d = dataset_files_open("imdb", "only", DATASET_TRAIN);
    dataset_files_row(d, 1, "neg", "one");
    dataset_files_row(d, 1, "neg", "one");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
    d = dataset_files_open("imdb", "only", DATASET_TEST);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_OK);
    dataset_stats(d, &stats);
    assert_int_equal(stats.rows + stats.bytes_read + stats.bytes_total, 0);
    dataset_close(d);
}

static void imdb_turns_breaks_into_spaces(void **state) {
    static const struct {
        const char *file, *text;
    } cases[] = {{"a<br /><br />b", "a  b"},
                 {"<br />a<br />", " a "},
                 {"a<br/>b<BR />c<br >d<br /", "a<br/>b<BR />c<br >d<br /"},
                 {"<<br />br />", "< br />"},
                 {"\xef\xbb\xbf"
                  "a\r\nb\n",
                  "a\r\nb\n"},
                 {"no break", "no break"}};

    (void)state;
    make_reviews("breaks");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset *d;

        dataset_files_text("breaks/test/pos/0_9.txt", cases[i].file);
        d = dataset_files_open("imdb", "breaks", DATASET_TEST);
        dataset_files_row(d, 1, "pos", cases[i].text);
        dataset_close(d);
        d = dataset_files_open("lra_text", "breaks", DATASET_TEST); /* and there nothing changes */
        dataset_files_row(d, 1, "pos", cases[i].file);
        dataset_close(d);
    }
}

static void imdb_names_the_file_of_a_bad_review(void **state) {
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } cases[] = {{"a\0b", 3, "train/neg/1_1.txt:1: a NUL byte"},
                 {"", 0, "train/neg/1_1.txt:1: the text is empty"},
                 {"<br />", 6, "train/neg/1_1.txt:1: the text is empty"},
                 {"\xff\xfe", 2, "train/neg/1_1.txt:1: the text is not UTF-8"}};

    (void)state;
    make_reviews("bad");
    dataset_files_text("bad/train/neg/0_1.txt", "before");
    dataset_files_text("bad/train/neg/2_1.txt", "behind");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset *d;

        dataset_files_write("bad/train/neg/1_1.txt", cases[i].bytes, cases[i].len);
        d = dataset_files_open("imdb", "bad", DATASET_TRAIN);
        dataset_files_row(d, 1, "neg", "before");
        dataset_files_row(d, 1, "neg", "behind");
        dataset_files_end(d);
        dataset_files_bad(d, 1, cases[i].why);
        dataset_close(d);
    }
}

static void imdb_counts_bytes(void **state) {
    struct dataset_stats stats;
    struct dataset *d;

    (void)state;
    make_reviews("bytes");
    dataset_files_text("bytes/train/neg/0_1.txt", "12345");
    dataset_files_text("bytes/train/neg/1_1.txt", "123");
    dataset_files_text("bytes/train/pos/0_1.txt", "1234567");
    d = dataset_files_open("imdb", "bytes", DATASET_TRAIN);
    dataset_stats(d, &stats);
    assert_int_equal(stats.bytes_read, 0);
    assert_int_equal(stats.bytes_total, 15);
    dataset_files_row(d, 1, "neg", "12345");
    dataset_files_row(d, 1, "neg", "123");
    dataset_stats(d, &stats);
    assert_int_equal(stats.bytes_read, 8);
    dataset_files_row(d, 1, "pos", "1234567");
    dataset_files_end(d);
    dataset_stats(d, &stats);
    assert_int_equal(stats.bytes_read, 15);
    dataset_close(d);
}

static void a_review_that_cannot_be_read_is_an_error(void **state) {
    struct reason why = {""};
    struct dataset *d;

    (void)state;
    make_reviews("gone");
    dataset_files_text("gone/train/neg/0_1.txt", "here");
    dataset_files_text("gone/train/neg/1_1.txt", "gone soon");
    d = dataset_files_open("imdb", "gone", DATASET_TRAIN);
    dataset_files_row(d, 1, "neg", "here");
    assert_int_equal(unlink(dataset_files_path("gone/train/neg/1_1.txt")), 0);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "gone/train/neg/1_1.txt: no such file"));
    dataset_close(d);
    dataset_files_write("gone/train/neg/1_1.txt.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b",
                        11);
    d = dataset_files_open("imdb", "gone", DATASET_TRAIN);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "gone/train/neg/1_1.txt.gz: gzip data ends early"));
    dataset_close(d);
}

static void a_review_has_a_limit(void **state) {
    struct reason why = {""};
    struct dataset *d;

    (void)state;
    make_reviews("large");
    dataset_files_text("large/test/neg/0_1.txt", "x");
    assert_int_equal(truncate(dataset_files_path("large/test/neg/0_1.txt"), LIMIT_ROW_BYTES + 1),
                     0);
    d = dataset_files_open("lra_text", "large", DATASET_TEST);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_TOOBIG);
    assert_non_null(strstr(why.text, "large/test/neg/0_1.txt"));
    dataset_close(d);
}

static void reviews_need_their_folders(void **state) {
    (void)state;
    make_reviews("half");
    assert_int_equal(rmdir(dataset_files_path("half/train/pos")), 0);
    dataset_files_refused("imdb", "half", DATASET_TRAIN, DIFFUSE_NOTFOUND,
                          "half/train/pos: No such");
    dataset_files_text("half/train/pos", "a file");
    dataset_files_refused("imdb", "half", DATASET_TRAIN, DIFFUSE_IO, "half/train/pos: Not a dir");
    dataset_files_refused("imdb", "half/train/pos", DATASET_TRAIN, DIFFUSE_IO, "not a folder");
    dataset_close(dataset_files_open("imdb", "half", DATASET_TEST));
}

static void a_split_that_a_kind_lacks_is_refused(void **state) {
    (void)state;
    dataset_files_refused("imdb", "", DATASET_VALID, DIFFUSE_INVAL,
                          ": imdb has no validation split");
    dataset_files_refused("lra_text", "", DATASET_VALID, DIFFUSE_INVAL,
                          "lra_text has no validation split; kinds that may: ag_news, lra_listops");
    dataset_files_refused("ag_news", "", DATASET_UNLABELLED, DIFFUSE_INVAL,
                          "ag_news has no unlabelled texts; kinds that may: imdb, lra_text, tsv, "
                          "csv, jsonl, fasttext");
    dataset_files_refused("lra_listops", "", DATASET_UNLABELLED, DIFFUSE_INVAL,
                          "lra_listops has no unlabelled texts");
}

static void listops_reads_both_forms(void **state) {
    static const char *const labels[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    struct dataset *d;

    (void)state;
    dataset_files_folder("lra");
    dataset_files_text("lra/basic_train.tsv", "Source\tTarget\r\n"
                                              "( ( ( ( [MAX 2 ) 9 ) 0 ) ] )\t9\r\n"
                                              "( ( ( [SM ( ( ( [MED 1 ) 4 ) ] ) ) 7 ) ] )\t9\r\n"
                                              "5\t5\r\n");
    dataset_files_gzip("lra/basic_val.tsv.gz", "Source\tTarget\n( ( ( [MIN 2 ) 9 ) ] )\t2\n");
    d = dataset_files_open("lra_listops", "lra", DATASET_TRAIN);
    expect_labels(d, labels, 10);
    dataset_files_row(d, 2, "9", "[MAX 2 9 0 X");
    dataset_files_row(d, 3, "9", "[SM [MED 1 4 X 7 X");
    dataset_files_row(d, 4, "5", "5");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
    d = dataset_files_open("lra_listops", "lra", DATASET_VALID);
    dataset_files_row(d, 2, "2", "[MIN 2 9 X");
    dataset_close(d);
    d = dataset_files_open("lra_listops", "lra/basic_train.tsv", DATASET_TEST);
    dataset_files_row(d, 2, "9", "[MAX 2 9 0 X");
    dataset_close(d);
    dataset_files_text("ours.tsv", "9\t[MAX 2 9 0 X\n2\t[MIN 2 9 ]\n\n0\t0\n");
    d = dataset_files_open("lra_listops", "ours.tsv", DATASET_TRAIN);
    dataset_files_row(d, 1, "9", "[MAX 2 9 0 X");
    dataset_files_row(d, 2, "2", "[MIN 2 9 X");
    dataset_files_row(d, 4, "0", "0");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
}

static void listops_names_bad_rows(void **state) {
    static const struct {
        bool published;
        const char *row, *why;
    } cases[] = {
        {true, "( ( [MAX 2 ) ] )", "rows:2: no TAB; expected expression TAB value"},
        {true, "( ( [MAX 2 ) ] )\t10", "rows:2: the value behind the TAB is not one of 0 to 9"},
        {true, "( ( [MAX 2 ) ] )\t", "rows:2: the value behind the TAB"},
        {true, "( ( [MAX 2 ) ] )\t2\t2", "rows:2: the value behind the TAB"},
        {true, "Source\tTarget", "rows:2: the value behind the TAB"},
        {true, "( ( [MAXI 2 ) ] )\t2", "rows:2: symbol '[MAXI'; expected [MIN [MAX [MED [SM, 0 to"},
        {true, "( )\t2", "rows:2: the text is empty"},
        {false, "[MAX 2 X", "rows:1: no TAB; expected value TAB symbols"},
        {false, "12\t[MAX 2 X", "rows:1: the value before the TAB is not one of 0 to 9"},
        {false, "\t[MAX 2 X", "rows:1: the value before the TAB"},
        {false, "x\t[MAX 2 X", "rows:1: the value before the TAB"},
        {false, "2\t[MAX 2 12 X", "rows:1: symbol '12'"},
        {false, "2\t[MAX 2\tX", "rows:1: symbol '2?X'"},
        {false, "2\t[MAX-with-more-than-twenty-bytes", "rows:1: symbol '[MAX-with-more-than-'"},
        {false, "2\t  ", "rows:1: the text is empty"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool published = cases[i].published;
        char bytes[256];
        struct dataset *d;

        snprintf(bytes, sizeof bytes, "%s%s\n%s\n", published ? "Source\tTarget\n" : "",
                 cases[i].row, published ? "( 3 )\t3" : "3\t3");
        dataset_files_text("rows", bytes);
        d = dataset_files_open("lra_listops", "rows", DATASET_TRAIN);
        dataset_files_row(d, published ? 3 : 2, "3", "3");
        dataset_files_end(d);
        dataset_files_bad(d, 1, cases[i].why);
        dataset_close(d);
    }
}

static void each_kind_has_its_defaults(void **state) {
    static const struct {
        const char *spec, *tokenizer;
        uint32_t max_length;
    } cases[] = {{"lra_text:x", "byte", 4000},     {"lra_listops:x", "symbol", 2048},
                 {"imdb:x", "wordpiece", 0},       {"ag_news:x", "wordpiece", 0},
                 {"tsv:x", "wordpiece", 0},        {"fasttext:x", "wordpiece", 0},
                 {"lra_text", "wordpiece", 0},     {"nonsense:x", "wordpiece", 0},
                 {"lra_textual:x", "wordpiece", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset_defaults got = dataset_defaults(cases[i].spec);

        assert_string_equal(got.tokenizer, cases[i].tokenizer);
        assert_int_equal(got.max_length, cases[i].max_length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imdb_reads_reviews_in_order),
        cmocka_unit_test(imdb_reads_reviews_only),
        cmocka_unit_test(imdb_turns_breaks_into_spaces),
        cmocka_unit_test(imdb_names_the_file_of_a_bad_review),
        cmocka_unit_test(imdb_counts_bytes),
        cmocka_unit_test(a_review_that_cannot_be_read_is_an_error),
        cmocka_unit_test(a_review_has_a_limit),
        cmocka_unit_test(reviews_need_their_folders),
        cmocka_unit_test(a_split_that_a_kind_lacks_is_refused),
        cmocka_unit_test(listops_reads_both_forms),
        cmocka_unit_test(listops_names_bad_rows),
        cmocka_unit_test(each_kind_has_its_defaults),
    };
    return cmocka_run_group_tests(tests, dataset_files_make, dataset_files_remove);
}
