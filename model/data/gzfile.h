/* gzfile.h - a file's lines, whether it is stored plain or as gzip.
 *
 * A line ends at LF; one CR before it is dropped, and so is a byte order mark at the start of the
 * file. Memory: one buffer as long as the longest line, LIMIT_ROW_BYTES at most.
 * Threads: a gzfile belongs to one thread.
 */
#ifndef MODEL_DATA_GZFILE_H
#define MODEL_DATA_GZFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct gzfile;

/* Open path, or path.gz where path is absent. Errors: NOTFOUND, IO (a folder; no permission),
 * NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err gzfile_open(const char *path, struct gzfile **ret_file,
                                           struct reason *why);
void gzfile_close(struct gzfile *f); /* fine with NULL */

/* The next line without its end, NUL-terminated, borrowed until the next call. *ret_more false: the
 * end, and the line is untouched. Errors: IO (reading; gzip damaged or cut off), TOOBIG (line over
 * LIMIT_ROW_BYTES), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err gzfile_line(struct gzfile *f, const char **ret_line, size_t *ret_len,
                                           bool *ret_more, struct reason *why);

/* All of a file that was just opened, as it is, with a NUL behind it; borrowed until gzfile_close,
 * and the caller may change it. Errors: those of gzfile_line; TOOBIG over LIMIT_ROW_BYTES. */
DIFFUSE_MUST_CHECK diffuse_err gzfile_whole(struct gzfile *f, char **ret_bytes, size_t *ret_len,
                                            struct reason *why);

const char *gzfile_path(const struct gzfile *f);     /* as opened, borrowed */
uint64_t gzfile_line_number(const struct gzfile *f); /* of the line last handed out, from 1 */

/* Bytes of the file as stored: consumed so far, and in all (0 where it is no plain file). */
void gzfile_progress(const struct gzfile *f, uint64_t *ret_read, uint64_t *ret_total);

#endif
