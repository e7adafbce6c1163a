#include "tests/lib/dataset_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "cmocka.h"

static char folder[64];

int dataset_files_make(void **state) {
    (void)state;
    strcpy(folder, "/tmp/test_dataset.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

int dataset_files_remove(void **state) {
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r -- '%s'", folder);
    return system(command);
}

const char *dataset_files_path(const char *name) {
    static char path[512];

    snprintf(path, sizeof path, "%s%s%s", folder, name[0] ? "/" : "", name);
    return path;
}

void dataset_files_folder(const char *name) {
    assert_int_equal(mkdir(dataset_files_path(name), 0700), 0);
}

void dataset_files_write(const char *name, const void *bytes, size_t len) {
    FILE *f = fopen(dataset_files_path(name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

void dataset_files_text(const char *name, const char *text) {
    dataset_files_write(name, text, strlen(text));
}

void dataset_files_gzip(const char *name, const char *text) {
    gzFile f = gzopen(dataset_files_path(name), "wb");

    assert_non_null(f);
    assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), strlen(text));
    assert_int_equal(gzclose(f), Z_OK);
}

struct dataset *dataset_files_open(const char *kind, const char *name, enum dataset_split split) {
    char spec[600];
    struct dataset *d = NULL;
    struct reason why = {""};

    snprintf(spec, sizeof spec, "%s:%s", kind, dataset_files_path(name));
    if (dataset_open(spec, split, &d, &why))
        fail_msg("%s", why.text);
    return d;
}

void dataset_files_refused(const char *kind, const char *name, enum dataset_split split,
                           diffuse_err e, const char *part) {
    char spec[600];
    struct dataset *d = NULL;
    struct reason why = {""};
    diffuse_err got;

    snprintf(spec, sizeof spec, "%s:%s", kind, dataset_files_path(name));
    got = dataset_open(spec, split, &d, &why);
    if (got != e || !strstr(why.text, part))
        fail_msg("%s: error %d, '%s'; expected %d, '%s'", spec, (int)got, why.text, (int)e, part);
    assert_null(d);
}

void dataset_files_row(struct dataset *d, uint64_t line, const char *label, const char *text) {
    struct dataset_row row;
    struct reason why = {""};
    bool more = false;

    if (dataset_next(d, &row, &more, &why))
        fail_msg("%s", why.text);
    assert_true(more);
    assert_string_equal(row.label, label);
    if (row.len != strlen(text) || memcmp(row.text, text, row.len) != 0)
        fail_msg("'%.*s' is not '%s'", (int)row.len, row.text, text);
    assert_int_equal(row.line, line);
}

void dataset_files_end(struct dataset *d) {
    struct dataset_row row = {.line = 77};
    struct reason why = {""};
    bool more = true;

    for (unsigned i = 0; i < 2; i++) { /* and it stays the end */
        assert_int_equal(dataset_next(d, &row, &more, &why), DIFFUSE_OK);
        assert_false(more);
        assert_int_equal(row.line, 77);
    }
}

diffuse_err dataset_files_drain(struct dataset *d, struct reason *why) {
    struct dataset_row row;
    bool more = true;
    diffuse_err e = DIFFUSE_OK;

    while (!e && more)
        e = dataset_next(d, &row, &more, why);
    return e;
}

void dataset_files_bad(struct dataset *d, uint64_t bad_rows, const char *part) {
    struct dataset_stats stats;

    dataset_stats(d, &stats);
    if (stats.bad_rows != bad_rows || !strstr(stats.first_bad, part))
        fail_msg("%llu bad rows, the first '%s'; expected %llu, '%s'",
                 (unsigned long long)stats.bad_rows, stats.first_bad, (unsigned long long)bad_rows,
                 part);
}
