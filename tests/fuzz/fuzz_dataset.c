/* fuzz_dataset.c - any bytes as a data set, plain or gzip. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

static void read_rows(const char *path) {
    char spec[80];
    struct dataset *d = NULL;
    struct dataset_row row;
    struct dataset_stats stats;
    struct reason why = {""};
    uint64_t rows = 0, line = 0;
    bool more = true;
    diffuse_err e;

    snprintf(spec, sizeof spec, "tsv:%s", path);
    check(!dataset_open(spec, DATASET_TRAIN, &d, &why));
    while (!(e = dataset_next(d, &row, &more, &why)) && more) {
        check(row.line > line && row.label[0] && strlen(row.label) <= LIMIT_LABEL_BYTES);
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

    check(!csvfile_open(path, &f, &why));
    while (!(e = csvfile_next(f, &record, &more, &why)) && more) {
        check(record.line > line && (record.flaw ? record.n == 0 : record.n > 0));
        for (size_t i = 0; i < record.n && i < CSVFILE_FIELDS; i++)
            check(strlen(record.fields[i].bytes) == record.fields[i].len);
        line = record.line;
    }
    check(!e || why.text[0]);
    csvfile_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    char path[64];
    int fd = memfd_create("fuzz_dataset", MFD_CLOEXEC);

    check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_rows(path);
    read_records(path);
    check(close(fd) == 0);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv) {
    static const char tsv[] = "good\tall is well\nbad\tmotor\tover heated\r\n\nnone\n";
    static const char csv[] =
        "\"1\",\"a \"\"b\"\"\",\"two\nlines\"\r\n2,plain,\n\"3\",\"\",\"x\"\n";
    static const char packed[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xe4\x4c\xe2\x4a\xe6"
                                 "\x4c\xe1\x02\x00\xb0\xa8\x71\x24\x08\x00\x00\x00";
    static const struct fuzz_driver_sample samples[] = {
        {tsv, sizeof tsv - 1}, {csv, sizeof csv - 1}, {packed, sizeof packed - 1}};

    return fuzz_driver_run(argc, argv, samples, 3);
}
#endif
