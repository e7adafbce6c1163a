/* test_dataset_own.c - the kinds for one's own data: csv, jsonl, fasttext, tsv; labelled or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "model/base/rng.h"
#include "model/data/dataset.h"
#include "proto/limits.h"
#include "tests/lib/dataset_files.h"

#include "cmocka.h"

static void csv_finds_its_columns(void **state) {
    static const char *const headers[] = {"text,label", "TEXT,Label", "\"text\",\"label\"",
                                          "\xef\xbb\xbftext,label", "\n \n text , label "};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char bytes[128];
        struct dataset *d;
        unsigned line = i == 4 ? 4 : 2;

        snprintf(bytes, sizeof bytes, "%s\r\nall is well,good\r\n", headers[i]);
        dataset_files_text("a.csv", bytes);
        d = dataset_files_open("csv", "a.csv", DATASET_TRAIN);
        dataset_files_row(d, line, "good", "all is well");
        dataset_files_end(d);
        dataset_files_bad(d, 0, "");
        dataset_close(d);
    }
}

static void csv_reads_quotes_and_passes_over_other_columns(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("a.csv", "id,Label,note,Text\n"
                                "1,up,,\"a, \"\"b\"\"\"\n"
                                "\n"
                                "2,\"two words\",x,\"line one\r\nline two\"\r\n"
                                "3,up,\"\",last");
    d = dataset_files_open("csv", "a.csv", DATASET_TEST);
    dataset_files_row(d, 2, "up", "a, \"b\"");
    dataset_files_row(d, 4, "two words", "line one\nline two");
    dataset_files_row(d, 6, "up", "last");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
}

static void csv_refuses_to_guess_columns(void **state) {
    static const struct {
        const char *bytes, *why;
    } cases[] = {
        {"", "a.csv: empty; expected a first row"},
        {"\n\r\n", "a.csv: empty"},
        {"good,all is well\n", "a.csv:1: no column 'text'; the first row must name the columns "
                               "text and label; found: good, all is well"},
        {"\ntext,class,body\n", "a.csv:2: no column 'label'; the first row must name the columns "
                                "text and label; found: text, class, body"},
        {"texts,label\na,b\n", "found: texts, label"},
        {"text,label,Text\n", "a.csv:1: two columns 'text'"},
        {"text,label,LABEL\n", "a.csv:1: two columns 'label'"},
        {"te\"xt,label\n", "a.csv:1: a quote where none may be in the row of column names"},
        {"\"text,label\n", "a.csv:1: a quoted field that never ends in the row of column names"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dataset_files_text("a.csv", cases[i].bytes);
        dataset_files_refused("csv", "a.csv", DATASET_TRAIN, DIFFUSE_BADDATA, cases[i].why);
    }
    dataset_files_text("a.csv", "text,class\na,b\n"); /* without labels to read, none is missed */
    dataset_close(dataset_files_open("csv", "a.csv", DATASET_UNLABELLED));
}

static void csv_bears_many_columns(void **state) {
    static char bytes[600000];
    size_t used = 0;
    struct dataset *d;

    (void)state;
    for (unsigned i = 0; i < 300; i++)
        used += (size_t)sprintf(bytes + used, "column%u,", i);
    used += (size_t)sprintf(bytes + used, "text,label\n");
    for (unsigned i = 0; i < 300; i++)
        bytes[used++] = ',';
    sprintf(bytes + used, "all is well,good\n");
    dataset_files_text("a.csv", bytes);
    d = dataset_files_open("csv", "a.csv", DATASET_TRAIN);
    dataset_files_row(d, 2, "good", "all is well");
    dataset_files_end(d);
    dataset_close(d);

    memset(bytes, ',', 70000);
    sprintf(bytes + 70000, "text,label\n");
    dataset_files_text("a.csv", bytes);
    dataset_files_refused("csv", "a.csv", DATASET_TRAIN, DIFFUSE_BADDATA,
                          "more columns than 65536");
}

static void csv_finds_its_separator(void **state) {
    static const char separators[] = ",;\t|";

    (void)state;
    for (const char *s = separators; *s; s++) {
        char bytes[] = "text!label!\"id,;,;,;\t\t\t|||\"\nall is well!good!1\n\"a!b\"!bad!2\n";
        char quoted[] = {'a', *s, 'b', 0};
        struct dataset *d;

        for (char *at = bytes; *at; at++)
            *at = *at == '!' ? *s : *at;
        dataset_files_text("a.csv", bytes);
        d = dataset_files_open("csv", "a.csv", DATASET_TRAIN);
        dataset_files_row(d, 2, "good", "all is well");
        dataset_files_row(d, 3, "bad", quoted);
        dataset_files_end(d);
        dataset_files_bad(d, 0, "");
        dataset_close(d);
    }
}

/* What a quote that is not closed takes is counted in lines. */
static void csv_counts_what_a_quote_swallows(void **state) {
    struct dataset_stats stats;
    struct reason why = {""};
    struct dataset *d;
    char bytes[1024] = "text,label\na b,x\n\"c d,y\n";

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        sprintf(bytes + strlen(bytes), "g h %u,y\n", i);
    dataset_files_text("a.csv", bytes);
    d = dataset_files_open("csv", "a.csv", DATASET_TRAIN);
    dataset_files_row(d, 2, "x", "a b");
    dataset_files_end(d);
    dataset_files_bad(d, 1, "a.csv:3: a quoted field that never ends");
    dataset_stats(d, &stats);
    assert_int_equal(stats.bad_lines, 10);
    dataset_close(d);

    strcat(bytes, "one more,y\n");
    dataset_files_text("a.csv", bytes);
    d = dataset_files_open("csv", "a.csv", DATASET_TRAIN);
    assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_BADDATA);
    assert_non_null(strstr(why.text, "1 of 2 rows are bad, which took 11 lines; the first: "));
    dataset_close(d);
}

static struct dataset *open_columns(const char *kind, const char *name, const char *text,
                                    const char *label) {
    const struct dataset_columns columns = {text, label};
    struct dataset *d = NULL;
    struct reason why = {""};
    char spec[256];

    snprintf(spec, sizeof spec, "%s:%s", kind, dataset_files_path(name));
    if (dataset_open_columns(spec, DATASET_TRAIN, &columns, &d, &why))
        fail_msg("%s", why.text);
    return d;
}

static void columns_are_chosen(void **state) {
    static const struct {
        const char *kind, *bytes, *text, *label;
        unsigned line;
    } cases[] = {
        {"csv", "id,class,body\n1,good,row\n2,good,row\n", "BODY", "class", 2},
        {"csv", "id,class,body\n1,good,row\n2,good,row\n", "3", "class", 2},
        {"csv", "id,label,body\n1,good,row\n2,good,row\n", "body", NULL, 2},
        {"csv", "1,good,row\n2,good,row\n", "3", "2", 1},
        {"csv", "1;good;row\n2;good;row\n", "3", "2", 1},
        {"tsv", "id\tclass\tbody\n1\tgood\trow\n2\tgood\trow\n", "body", "class", 2},
        {"tsv", "row\tgood\nrow\tgood\n", "1", "2", 1},
        {"tsv", "text\tclass\nrow\tgood\nrow\tgood\n", NULL, "class", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset *d;

        dataset_files_text("a.table", cases[i].bytes);
        d = open_columns(cases[i].kind, "a.table", cases[i].text, cases[i].label);
        dataset_files_row(d, cases[i].line, "good", "row");
        dataset_files_row(d, cases[i].line + 1, "good", "row");
        dataset_files_end(d);
        dataset_files_bad(d, 0, "");
        dataset_close(d);
    }
}

static void columns_that_are_not_there_are_named(void **state) {
    static const struct {
        const char *kind, *text, *label, *why;
        diffuse_err e;
    } cases[] = {
        {"csv", "body", NULL, "a.table:1: no column 'body'", DIFFUSE_BADDATA},
        {"csv", "9", "1", "a.table:1: no column 9; the first row has 2", DIFFUSE_BADDATA},
        {"tsv", "text", "9", "a.table:1: no column 'text'", DIFFUSE_BADDATA},
        {"jsonl", "text", NULL, "--text-column and --label-column are for csv and tsv",
         DIFFUSE_INVAL},
    };

    (void)state;
    dataset_files_text("a.table", "text,label\nrow,good\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct dataset_columns columns = {cases[i].text, cases[i].label};
        struct dataset *d = NULL;
        struct reason why = {""};
        char spec[256];

        snprintf(spec, sizeof spec, "%s:%s", cases[i].kind, dataset_files_path("a.table"));
        assert_int_equal(dataset_open_columns(spec, DATASET_TRAIN, &columns, &d, &why), cases[i].e);
        if (!strstr(why.text, cases[i].why))
            fail_msg("'%s'; expected '%s'", why.text, cases[i].why);
    }
}

/* A first row that names columns, and is none of their names by what the kind knows. */
static void a_row_of_names_is_suspected(void **state) {
    static const struct {
        const char *bytes;
        bool suspected;
    } cases[] = {
        {"label\ttext\ngood\trow\n", true},   {"id\tlabel\tsentence\n1\tgood\trow\n", true},
        {"Text\tLabel\nrow\tgood\n", true},   {"label\tread the text\ngood\trow\n", false},
        {"title\thello\ngood\trow\n", false}, {"good\trow\nlabel\ttext\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset_stats stats;
        struct reason why = {""};
        struct dataset *d;

        dataset_files_text("a.tsv", cases[i].bytes);
        d = dataset_files_open("tsv", "a.tsv", DATASET_TRAIN);
        assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_OK);
        dataset_stats(d, &stats);
        assert_int_equal(strstr(stats.suspicion, "a.tsv:1: names columns") != NULL,
                         cases[i].suspected);
        dataset_close(d);
    }
}

/* bad[i] between two good rows: it alone is lost, and named by its line. */
struct bad_row {
    const char *row, *why;
};

static void expect_each_bad(const char *kind, const char *before, const char *good,
                            const struct bad_row *bad, size_t n) {
    unsigned first = before[0] ? 2 : 1;

    for (size_t i = 0; i < n; i++) {
        char bytes[512], where[64];
        struct dataset *d;

        snprintf(bytes, sizeof bytes, "%s%s\n%s\n%s\n", before, good, bad[i].row, good);
        dataset_files_text("bad", bytes);
        d = dataset_files_open(kind, "bad", DATASET_TRAIN);
        dataset_files_row(d, first, "good", "row");
        dataset_files_row(d, first + 2, "good", "row");
        dataset_files_end(d);
        snprintf(where, sizeof where, "/bad:%u: ", first + 1);
        dataset_files_bad(d, 1, where);
        dataset_files_bad(d, 1, bad[i].why);
        dataset_close(d);
    }
}

static void csv_names_bad_rows(void **state) {
    static const struct bad_row bad[] = {
        {"row", ": 1 columns; expected 2: those of the first row"},
        {"row,good,more", ": 3 columns; expected 2: those of the first row"},
        {"r\"o\"w,good", ": a quote where none may be"},
        {"row,", ": the label is empty"},
        {",good", ": the text is empty"},
        {"\xff,good", ": the text is not UTF-8"},
    };

    (void)state;
    expect_each_bad("csv", "text,label\n", "row,good", bad, sizeof bad / sizeof bad[0]);
}

static void jsonl_reads_objects(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("a.jsonl",
                       "\xef\xbb\xbf{\"text\": \"one\", \"label\": \"up\"}\r\n"
                       "\n"
                       "{\"label\":-3,\"more\":[1,{\"text\":\"not this\"}],\"text\":\"two\"}\n"
                       "  {\"text\":\"a\\tb\\n\\u00e9 \\ud83d\\ude00\",\"label\":\"\\u00fc 1\"}\n"
                       "{\"text\":\"last\",\"label\":9223372036854775807}");
    d = dataset_files_open("jsonl", "a.jsonl", DATASET_TRAIN);
    dataset_files_row(d, 1, "up", "one");
    dataset_files_row(d, 3, "-3", "two");
    dataset_files_row(d, 4, "\xc3\xbc 1", "a\tb\n\xc3\xa9 \xf0\x9f\x98\x80");
    dataset_files_row(d, 5, "9223372036854775807", "last");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
}

static void jsonl_names_bad_rows(void **state) {
    static const struct bad_row bad[] = {
        {"{\"text\":\"a\"}", ": no \"label\"; expected a string or a whole number"},
        {"{\"text\":\"a\",\"label\":1.5}", ": \"label\" is of another type"},
        {"{\"text\":\"a\",\"label\":null}", ": \"label\" is of another type"},
        {"{\"text\":\"a\",\"label\":[\"b\"]}", ": \"label\" is of another type"},
        {"{\"label\":\"a\"}", ": no \"text\"; expected a string"},
        {"{\"text\":7,\"label\":\"a\"}", ": \"text\" is of another type"},
        {"[\"a\",\"b\"]", ": no JSON object; expected {"},
        {"{\"text\":\"a\",\"label\":\"b\"} x", ": not JSON at column 26: "},
        {"{\"text\":\"a\",\"label\":\"b\"", ": not JSON at column "},
        {"good\trow", ": not JSON at column 4: "},
        {"{\"text\":\"a\",\"text\":\"b\",\"label\":\"c\"}", ": not JSON at column "},
        {"{\"text\":\"a\\u0000b\",\"label\":\"c\"}", ": not JSON at column "},
        {"{\"text\":\"\xff\",\"label\":\"c\"}", ": not JSON at column "},
        {"{\"text\":\"\\ud800\",\"label\":\"c\"}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":99999999999999999999}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"\"}", ": the label is empty"},
        {"{\"text\":\"a\",\"label\":\"b\\n\"}", ": the label is not UTF-8, or has control"},
        {"{\"text\":\" \\n\",\"label\":\"b\"}", ": the text is empty"},
    };

    (void)state;
    expect_each_bad("jsonl", "", "{\"text\":\"row\",\"label\":\"good\"}", bad,
                    sizeof bad / sizeof bad[0]);
}

/* What is not asked for may be any JSON, also such as no parser keeps. */
static void jsonl_passes_over_other_keys(void **state) {
    static const char *const values[] = {"9223372036854775808",
                                         "-1e400",
                                         "\"\\ud800\"",
                                         "\"\\u0000\"",
                                         "\"\xff\"",
                                         "[{\"text\":1,\"text\":[]},{},[[]], 1.5e-3 ,null]",
                                         "{\"a\":{\"b\":[true,false]},\"a\":\"\\\"}\"}",
                                         "0,\"id\":1,\"id\":2",
                                         "0,\"\\ud800\":1"};
    static char deep[5000];
    char bytes[10240];
    struct dataset *d;

    (void)state;
    memset(deep, '[', 2000);
    memset(deep + 2000, ']', 2000);
    for (size_t i = 0; i <= sizeof values / sizeof values[0]; i++) {
        const char *value = i < sizeof values / sizeof values[0] ? values[i] : deep;

        snprintf(bytes, sizeof bytes,
                 "{\"n\":%s , \"t\\u0065xt\" : \"a \\u00fc\",\"label\":\"x\",\"m\" : %s}\n", value,
                 value);
        dataset_files_text("a.jsonl", bytes);
        d = dataset_files_open("jsonl", "a.jsonl", DATASET_TRAIN);
        dataset_files_row(d, 1, "x", "a \xc3\xbc");
        dataset_files_end(d);
        dataset_close(d);
    }
    dataset_files_text("a.jsonl", "{\"text\":\"a\",\"label\":99999999999999999999}\n");
    d = dataset_files_open("jsonl", "a.jsonl", DATASET_UNLABELLED);
    dataset_files_row(d, 1, "", "a");
    dataset_close(d);
}

static void jsonl_refuses_what_is_no_json_in_other_keys(void **state) {
    static const struct bad_row bad[] = {
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":01}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":[1,]}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":{\"a\" 1}}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":[1}}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":\"\\x\"}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":\"\t\"}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":nul}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":1,}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":-}", ": not JSON at column "},
        {"{\"text\":\"a\",\"label\":\"c\",\"n\":}", ": not JSON at column "},
    };

    (void)state;
    expect_each_bad("jsonl", "", "{\"text\":\"row\",\"label\":\"good\"}", bad,
                    sizeof bad / sizeof bad[0]);
}

/* However deep a line nests, it is one bad row. */
static void jsonl_bears_deep_nesting(void **state) {
    static char bytes[200001];
    struct dataset *d;

    (void)state;
    memset(bytes, '[', sizeof bytes - 1);
    bytes[sizeof bytes - 1] = '\n';
    dataset_files_write("deep.jsonl", bytes, sizeof bytes);
    d = dataset_files_open("jsonl", "deep.jsonl", DATASET_TRAIN);
    dataset_files_end(d);
    dataset_files_bad(d, 1, "deep.jsonl:1: not JSON");
    dataset_close(d);
}

static void fasttext_reads_lines(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("a.txt", "\xef\xbb\xbf__label__up one  two\r\n"
                                "\n"
                                "__label__a/b,c\t three , x__label__y __label_ z \n"
                                "__label__\xc3\xbc  last");
    d = dataset_files_open("fasttext", "a.txt", DATASET_TRAIN);
    dataset_files_row(d, 1, "up", "one  two");
    dataset_files_row(d, 3, "a/b,c", " three , x__label__y __label_ z ");
    dataset_files_row(d, 4, "\xc3\xbc", " last");
    dataset_files_end(d);
    dataset_files_bad(d, 0, "");
    dataset_close(d);
}

static void fasttext_names_bad_rows(void **state) {
    static const struct bad_row bad[] = {
        {"no label", ": no label in front; expected __label__NAME text"},
        {"text first __label__a", ": no label in front"},
        {" __label__a text", ": no label in front"},
        {"__label__a __label__b text", ": a second label '__label__b'; expected one a row"},
        {"__label__a text\t__label__bc", ": a second label '__label__bc'"},
        {"__label__a text __label__", ": a second label '__label__'"},
        {"__label__ text", ": the label is empty"},
        {"__label__", ": the label is empty"},
        {"__label__a", ": the text is empty"},
        {"__label__a  ", ": the text is empty"},
        {"__label__\xff text", ": the label is not UTF-8"},
    };

    (void)state;
    expect_each_bad("fasttext", "", "__label__good row", bad, sizeof bad / sizeof bad[0]);
}

static void a_nul_byte_spoils_its_row(void **state) {
    static const char csv[] = "text,label\na,b\nc\0,d\ne,f\n";
    static const char jsonl[] =
        "\n{\"text\":\"a\",\"label\":\"b\"}\n{\"text\":\"c\0\",\"label\":\"d\"}"
        "\n{\"text\":\"e\",\"label\":\"f\"}\n";
    static const char fasttext[] = "\n__label__b a\n__label__d c\0\n__label__f e\n";
    static const struct {
        const char *kind, *bytes;
        size_t len;
    } cases[] = {{"csv", csv, sizeof csv - 1},
                 {"jsonl", jsonl, sizeof jsonl - 1},
                 {"fasttext", fasttext, sizeof fasttext - 1}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct dataset *d;

        dataset_files_write("nul", cases[i].bytes, cases[i].len);
        d = dataset_files_open(cases[i].kind, "nul", DATASET_TRAIN);
        dataset_files_row(d, 2, "b", "a");
        dataset_files_row(d, 4, "f", "e");
        dataset_files_end(d);
        dataset_files_bad(d, 1, "/nul:3: a NUL byte");
        dataset_close(d);
    }
}

enum { KINDS = 4 };
static const char *const kinds[KINDS] = {"tsv", "csv", "jsonl", "fasttext"};
static const char *const extensions[KINDS] = {".tsv", ".csv", ".jsonl", ".txt"};

static void put_csv(FILE *f, const char *field) {
    putc('"', f);
    for (; *field; field++)
        fputs(*field == '"' ? "\"\"" : (char[]){*field, 0}, f);
    putc('"', f);
}

static void put_json(FILE *f, const char *string) {
    putc('"', f);
    for (; *string; string++)
        if (*string == '"' || *string == '\\')
            fprintf(f, "\\%c", *string);
        else if ((unsigned char)*string < 0x20)
            fprintf(f, "\\u%04x", (unsigned)*string);
        else
            putc(*string, f);
    putc('"', f);
}

/* One row as a kind writes it, without the line's end; label NULL: without. */
static void put_row(FILE *f, unsigned kind, const char *label, const char *text) {
    switch (kind) {
    case 0:
        fprintf(f, "%s%s%s", label ? label : "", label ? "\t" : "", text);
        return;
    case 1:
        put_csv(f, text);
        if (label) {
            putc(',', f);
            put_csv(f, label);
        }
        return;
    case 2:
        fputs("{\"text\":", f);
        put_json(f, text);
        if (label) {
            fputs(",\"label\":", f);
            put_json(f, label);
        }
        putc('}', f);
        return;
    default:
        fprintf(f, "%s%s%s%s", label ? "__label__" : "", label ? label : "", label ? " " : "",
                text);
    }
}

static void put_header(FILE *f, unsigned kind, bool labelled, const char *line_end) {
    if (kind == 1)
        fprintf(f, "text%s%s", labelled ? ",label" : "", line_end);
}

static void write_row(const char *name, unsigned kind, const char *label, const char *text) {
    FILE *f = fopen(dataset_files_path(name), "w");

    assert_non_null(f);
    put_header(f, kind, label != NULL, "\n");
    put_row(f, kind, label, text);
    assert_int_equal(fclose(f), 0);
}

/* In a folder, plain or packed; val goes before the valid that is there already. */
static void every_kind_finds_its_splits(void **state) {
    static const struct {
        const char *name;
        enum dataset_split split;
    } files[] = {{"train", DATASET_TRAIN},
                 {"test", DATASET_TEST},
                 {"valid", DATASET_VALID},
                 {"val", DATASET_VALID},
                 {"unlabelled", DATASET_UNLABELLED}};

    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        dataset_files_folder(kinds[kind]);
        for (unsigned i = 0; i < 5; i++) {
            bool bare = files[i].split == DATASET_UNLABELLED;
            char name[64];
            struct dataset *d;

            snprintf(name, sizeof name, "%s/%s%s", kinds[kind], files[i].name, extensions[kind]);
            write_row(name, kind, bare ? NULL : "a", files[i].name);
            d = dataset_files_open(kinds[kind], kinds[kind], files[i].split);
            dataset_files_row(d, kind == 1 ? 2 : 1, bare ? "" : "a", files[i].name);
            dataset_files_end(d);
            dataset_files_bad(d, 0, "");
            dataset_close(d);
        }
    }
}

/* A label that is there all the same is no part of an unlabelled text. */
static void labels_are_left_out_of_unlabelled_texts(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct dataset *d;

        write_row("both", kind, "secret", "a text");
        d = dataset_files_open(kinds[kind], "both", DATASET_UNLABELLED);
        dataset_files_row(d, kind == 1 ? 2 : 1, "", "a text");
        dataset_files_end(d);
        dataset_close(d);
        write_row("bare", kind, NULL, kind == 0 ? "a text" : "a\ttext");
        d = dataset_files_open(kinds[kind], "bare", DATASET_UNLABELLED);
        dataset_files_row(d, kind == 1 ? 2 : 1, "", kind == 0 ? "a text" : "a\ttext");
        dataset_files_end(d);
        dataset_files_bad(d, 0, "");
        dataset_close(d);
    }
}

/* Without labels, the texts are still checked. */
static void unlabelled_texts_can_be_bad(void **state) {
    struct dataset *d;

    (void)state;
    dataset_files_text("bare.tsv", "one\n \xff\n  \nup\t\ntwo\n");
    d = dataset_files_open("tsv", "bare.tsv", DATASET_UNLABELLED);
    dataset_files_row(d, 1, "", "one");
    dataset_files_row(d, 5, "", "two");
    dataset_files_end(d);
    dataset_files_bad(d, 3, "bare.tsv:2: the text is not UTF-8");
    dataset_close(d);
}

static void random_string(struct rng *r, const char *const *pieces, uint32_t n, uint32_t longest,
                          char *ret) {
    *ret = 0;
    for (uint32_t k = 1 + rng_below(r, longest); k > 0; k--)
        strcat(ret, pieces[rng_below(r, n)]);
}

/* Row i of a seed: what all four kinds can say. */
static void random_row(uint64_t seed, uint64_t i, char label[256], char text[1024]) {
    static const char *const names[] = {"a", "B", "7", "\"", ",", "\\", "#", "/", "\xc3\xa9", "{"};
    static const char *const words[] = {
        "word", " ",    "  ",         "\t",     "\"", "\"\"",     ",",
        "\\",   "\\n",  "#39;",       "{\"",    "}",  "\xc3\xa9", "\xe4\xb8\xad",
        "\x01", "\x7f", "x__label__", "__labe", ":",  "null",     "\xef\xbb\xbf",
        "'"};
    struct rng r;

    rng_init(&r, seed, i);
    random_string(&r, names, sizeof names / sizeof names[0], 8, label);
    random_string(&r, words, sizeof words / sizeof words[0], 30, text);
    strcat(text, "."); /* never blank */
}

static void write_random(unsigned kind, uint64_t seed, unsigned rows, const char *line_end) {
    FILE *f = fopen(dataset_files_path("random"), "wb");
    char label[256], text[1024];

    assert_non_null(f);
    put_header(f, kind, true, line_end);
    for (unsigned i = 0; i < rows; i++) {
        random_row(seed, i, label, text);
        put_row(f, kind, label, text);
        fputs(line_end, f);
    }
    assert_int_equal(fclose(f), 0);
}

/* The same rows, written in every kind, are read back as the same rows. */
static void all_kinds_read_the_same_rows(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        for (unsigned kind = 0; kind < KINDS; kind++) {
            struct dataset *d;
            char label[256], text[1024];

            write_random(kind, seed, 1000, seed % 2 ? "\n" : "\r\n");
            d = dataset_files_open(kinds[kind], "random", DATASET_TRAIN);
            for (unsigned i = 0; i < 1000; i++) {
                random_row(seed, i, label, text);
                dataset_files_row(d, kind == 1 ? i + 2 : i + 1, label, text);
            }
            dataset_files_end(d);
            dataset_files_bad(d, 0, "");
            dataset_close(d);
        }
}

/* before, then more bytes of filler than a row may have, then after; packed to some 64 kB. */
static void write_bomb(const char *before, const char *after) {
    gzFile f = gzopen(dataset_files_path("bomb.gz"), "wb1");
    static char filler[1 << 20];

    assert_non_null(f);
    memset(filler, 'a', sizeof filler);
    gzputs(f, before);
    for (unsigned i = 0; i < LIMIT_ROW_BYTES / sizeof filler + 1; i++)
        assert_int_equal(gzwrite(f, filler, sizeof filler), sizeof filler);
    gzputs(f, after);
    assert_int_equal(gzclose(f), Z_OK);
}

static void a_row_has_a_limit(void **state) {
    static const struct {
        const char *kind, *before, *after, *why;
    } cases[] = {
        {"csv", "text,label\nb,a\n\"", "\",a\n", "bomb.gz:3: row over 67108864 bytes"},
        {"jsonl", "{\"text\":\"b\",\"label\":\"a\"}\n{\"text\":\"", "\",\"label\":\"a\"}\n",
         "bomb.gz:2: row over 67108864 bytes"},
        {"fasttext", "__label__a b\n__label__a ", "\n", "bomb.gz:2: row over 67108864 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reason why = {""};
        struct dataset *d;

        write_bomb(cases[i].before, cases[i].after);
        d = dataset_files_open(cases[i].kind, "bomb", DATASET_TRAIN);
        assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_TOOBIG);
        if (!strstr(why.text, cases[i].why))
            fail_msg("'%s' does not say '%s'", why.text, cases[i].why);
        dataset_close(d);
    }
}

static void many_bad_rows_end_the_reading(void **state) {
    (void)state;
    for (unsigned kind = 1; kind < KINDS; kind++) {
        FILE *f = fopen(dataset_files_path("rows"), "w");
        struct reason why = {""};
        struct dataset *d;

        assert_non_null(f);
        put_header(f, kind, true, "\n");
        for (unsigned i = 0; i < 2000; i++) {
            if (i % 50 == 49)
                fputs("bad", f);
            else
                put_row(f, kind, "a", "b");
            putc('\n', f);
        }
        assert_int_equal(fclose(f), 0);
        d = dataset_files_open(kinds[kind], "rows", DATASET_TRAIN);
        assert_int_equal(dataset_files_drain(d, &why), DIFFUSE_BADDATA);
        if (!strstr(why.text, "11 of 550 rows are bad") ||
            !strstr(why.text, kind == 1 ? "rows:51: " : "rows:50: "))
            fail_msg("%s", why.text);
        dataset_close(d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_finds_its_columns),
        cmocka_unit_test(csv_reads_quotes_and_passes_over_other_columns),
        cmocka_unit_test(csv_refuses_to_guess_columns),
        cmocka_unit_test(csv_bears_many_columns),
        cmocka_unit_test(csv_finds_its_separator),
        cmocka_unit_test(csv_counts_what_a_quote_swallows),
        cmocka_unit_test(columns_are_chosen),
        cmocka_unit_test(columns_that_are_not_there_are_named),
        cmocka_unit_test(a_row_of_names_is_suspected),
        cmocka_unit_test(jsonl_passes_over_other_keys),
        cmocka_unit_test(jsonl_refuses_what_is_no_json_in_other_keys),
        cmocka_unit_test(csv_names_bad_rows),
        cmocka_unit_test(jsonl_reads_objects),
        cmocka_unit_test(jsonl_names_bad_rows),
        cmocka_unit_test(jsonl_bears_deep_nesting),
        cmocka_unit_test(fasttext_reads_lines),
        cmocka_unit_test(fasttext_names_bad_rows),
        cmocka_unit_test(a_nul_byte_spoils_its_row),
        cmocka_unit_test(every_kind_finds_its_splits),
        cmocka_unit_test(labels_are_left_out_of_unlabelled_texts),
        cmocka_unit_test(unlabelled_texts_can_be_bad),
        cmocka_unit_test(all_kinds_read_the_same_rows),
        cmocka_unit_test(a_row_has_a_limit),
        cmocka_unit_test(many_bad_rows_end_the_reading),
    };
    return cmocka_run_group_tests(tests, dataset_files_make, dataset_files_remove);
}
