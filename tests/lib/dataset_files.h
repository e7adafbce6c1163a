/* dataset_files.h - for the tests of data sets: files in a folder of their own, and what is read
 * from them. Every function here fails the running test where something is not as expected. */
#ifndef TESTS_LIB_DATASET_FILES_H
#define TESTS_LIB_DATASET_FILES_H

#include <stddef.h>

#include "model/data/dataset.h"

/* Group setup and teardown for cmocka. */
int dataset_files_make(void **state);
int dataset_files_remove(void **state);

/* The folder's path with /name behind it, or alone for ""; valid until the next call. */
const char *dataset_files_path(const char *name);

void dataset_files_folder(const char *name); /* a folder in it */
void dataset_files_write(const char *name, const void *bytes, size_t len);
void dataset_files_text(const char *name, const char *text);
void dataset_files_gzip(const char *name, const char *text);

/* kind:FOLDER/name, opened. */
struct dataset *dataset_files_open(const char *kind, const char *name, enum dataset_split split);

/* It cannot be opened: error e, and a reason that holds part. */
void dataset_files_refused(const char *kind, const char *name, enum dataset_split split,
                           diffuse_err e, const char *part);

void dataset_files_row(struct dataset *d, uint64_t line, const char *label, const char *text);
void dataset_files_end(struct dataset *d);

/* To the end, or to the error that is returned. */
diffuse_err dataset_files_drain(struct dataset *d, struct reason *why);

/* So many bad rows so far, the reason of the first holding part. */
void dataset_files_bad(struct dataset *d, uint64_t bad_rows, const char *part);

#endif
