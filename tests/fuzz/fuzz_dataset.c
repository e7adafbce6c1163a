/* fuzz_dataset.c - any bytes as a data set of every kind and split, plain or gzip. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/data/csvfile.h"
#include "model/data/dataset.h"
#include "model/text/utf8.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz_driver.h"

static void check(int holds) {
    if (!holds)
        abort();
}

/* Lines go up, but in kinds of one row a file, where each is the first. */
static void read_rows(const char *kind, const char *path, enum dataset_split split) {
    char spec[128];
    struct dataset *d = NULL;
    struct dataset_row row;
    struct dataset_stats stats;
    struct reason why = {""};
    uint64_t rows = 0, line = 0;
    bool more = true, labelled = split != DATASET_UNLABELLED;
    diffuse_err e;

    snprintf(spec, sizeof spec, "%s:%s", kind, path);
    e = dataset_open(spec, split, &d, &why);
    if (e) { /* csv has its header to read, lra_listops no unlabelled texts */
        check(why.text[0] && (strcmp(kind, "csv") == 0 || e == DIFFUSE_INVAL));
        check(e != DIFFUSE_INVAL || (strcmp(kind, "lra_listops") == 0 && !labelled));
        return;
    }
    while (!(e = dataset_next(d, &row, &more, &why)) && more) {
        check(row.line > line && (row.label[0] != 0) == labelled);
        check(strlen(row.label) <= LIMIT_LABEL_BYTES);
        check(row.len > 0 && utf8_valid(row.text, row.len) && !memchr(row.text, 0, row.len));
        line = row.line;
        rows++;
    }
    dataset_stats(d, &stats);
    check(stats.rows == rows && (stats.bad_rows > 0) == (stats.first_bad[0] != 0));
    check(!e || why.text[0]);
    dataset_close(d);
}

static void read_records(const char *path) {
    struct csvfile *f = NULL;
    struct csvfile_record record;
    struct reason why = {""};
    uint64_t line = 0;
    bool more = true;
    diffuse_err e;

    check(!csvfile_open(path, ",;\t|", &f, &why));
    while (!(e = csvfile_next(f, &record, &more, &why)) && more) {
        check(record.line > line && (record.flaw ? record.n == 0 : record.n > 0));
        for (size_t i = 0; i < record.n; i++)
            check(strlen(record.fields[i].bytes) == record.fields[i].len);
        line = record.line;
    }
    check(!e || why.text[0]);
    csvfile_close(f);
}

/* The folder that imdb and ag_news read, each file in it being the one that all kinds read. */
static char folder[32];

static void remove_folder(void) {
    static const char *const names[] = {
        "/train/neg/0_1.txt", "/train/neg", "/train/pos", "/train", "/train.csv", ""};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];

        snprintf(path, sizeof path, "%s%s", folder, names[i]);
        (void)remove(path);
    }
}

static void make_folder(void) {
    static const char *const folders[] = {"/train", "/train/neg", "/train/pos"};
    char path[64];

    if (folder[0])
        return;
    strcpy(folder, "/tmp/fuzz_dataset.XXXXXX");
    check(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s%s", folder, folders[i]);
        check(mkdir(path, 0700) == 0);
    }
    snprintf(path, sizeof path, "%s/train.csv", folder);
    check(symlink("train/neg/0_1.txt", path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char *const of_files[] = {"tsv", "csv", "jsonl", "fasttext", "lra_listops"};
    static const char *const of_folders[] = {"ag_news", "imdb", "lra_text"};
    char file[64];
    FILE *f;

    make_folder();
    snprintf(file, sizeof file, "%s/train/neg/0_1.txt", folder);
    (void)remove(file); /* a new file is not forced to the disk, as one written anew would be */
    f = fopen(file, "wb");
    check(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    for (size_t i = 0; i < sizeof of_files / sizeof of_files[0]; i++) {
        read_rows(of_files[i], file, DATASET_TRAIN);
        read_rows(of_files[i], file, DATASET_UNLABELLED);
    }
    for (size_t i = 0; i < sizeof of_folders / sizeof of_folders[0]; i++)
        read_rows(of_folders[i], folder, DATASET_TRAIN);
    read_records(file);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv) {
    static const char tsv[] = "good\tall is well\nbad\tmotor\tover heated\r\n\nnone\n";
    static const char csv[] =
        "\"1\",\"a \"\"b\"\"\",\"two\nlines\"\r\n2,plain,\n\"3\",\"\",\"x\"\n";
    static const char columns[] = "id,Label,text\n1,a,\"one, two\"\r\n2,b,\"a \"\"b\"\"\nc\"\n";
    static const char jsonl[] = "{\"text\":\"one \\u00e9\\n\",\"label\":\"a\"}\r\n"
                                "{\"label\":-7,\"x\":[1,{}],\"text\":\"two\"}\n{\"text\":\"\"}\n";
    static const char fasttext[] =
        "__label__a one two\r\n__label__b\tthree\n__label__c x __label__d\n";
    static const char published[] =
        "Source\tTarget\n( ( ( [MAX 2 ) ( ( [SM 9 ) ] ) ) ] )\t9\n5\t5\n";
    static const char ours[] = "9\t[MAX 2 9 [MIN 4 7 X 0 X\n0\t[MED 0 ]\n";
    static const char review[] = "\xef\xbb\xbfone<br /><br />two <br/> three<br />";
    static const char packed[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xe4\x4c\xe2\x4a\xe6"
                                 "\x4c\xe1\x02\x00\xb0\xa8\x71\x24\x08\x00\x00\x00";
    static const struct fuzz_driver_sample samples[] = {
        {tsv, sizeof tsv - 1},           {csv, sizeof csv - 1},
        {columns, sizeof columns - 1},   {jsonl, sizeof jsonl - 1},
        {fasttext, sizeof fasttext - 1}, {published, sizeof published - 1},
        {ours, sizeof ours - 1},         {review, sizeof review - 1},
        {packed, sizeof packed - 1}};

    return fuzz_driver_run(argc, argv, samples, sizeof samples / sizeof samples[0]);
}
#endif
