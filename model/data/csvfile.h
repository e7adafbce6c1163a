/* csvfile.h - a CSV file's records (RFC 4180): quoted fields, doubled quotes, line ends inside
 * quotes.
 *
 * Records end at LF or CRLF; a CRLF inside a quoted field becomes LF. Blank lines are skipped.
 * Memory: one record, LIMIT_ROW_BYTES at most. Threads: a csvfile belongs to one thread.
 */
#ifndef MODEL_DATA_CSVFILE_H
#define MODEL_DATA_CSVFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/data/gzfile.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define CSVFILE_FIELDS 65536u /* of a record; one with more is flawed */

struct csvfile_field {
    const char *bytes; /* NUL-terminated */
    size_t len;
};

struct csvfile_record {
    uint64_t line;                      /* where it began, from 1 */
    uint64_t lines;                     /* that it takes in the file */
    size_t n;                           /* fields in the record */
    const struct csvfile_field *fields; /* (n) borrowed until the next call */
    const char *flaw; /* NULL, or why this is no record (static text); there are no fields then */
};

struct csvfile;

/* separators: what may stand between two fields; of several, the one that the first record's first
 * line has most of outside quotes, the first of them where it has as many of another. Errors: those
 * of gzfile_open. */
DIFFUSE_MUST_CHECK diffuse_err csvfile_open(const char *path, const char *separators,
                                            struct csvfile **ret_file, struct reason *why);
void csvfile_close(struct csvfile *f); /* fine with NULL */

/* The next record. A flawed one ends with the line on which the flaw shows. *ret_more false: the
 * end, and the record is untouched. Errors: those of gzfile_line; TOOBIG also for a record. */
DIFFUSE_MUST_CHECK diffuse_err csvfile_next(struct csvfile *f, struct csvfile_record *ret_record,
                                            bool *ret_more, struct reason *why);

const struct gzfile *csvfile_gzfile(const struct csvfile *f); /* borrowed: path and progress */

#endif
