/* document.h - files that are made from tables of the code, and kept in the tree. */
#ifndef TESTS_LIB_DOCUMENT_H
#define TESTS_LIB_DOCUMENT_H

#include <stdio.h>

/* The file at path holds what make writes, line by line; skipped when it is not there (run from
 * another folder). When the environment names a file by variable, that one is written first. */
void document_expect(const char *variable, const char *path, void (*make)(FILE *f));

#endif
