/* atomic_file.h - a file that is either the old one or the whole new one, also after a power cut.
 */
#ifndef MODEL_CKPT_FILE_ATOMIC_FILE_H
#define MODEL_CKPT_FILE_ATOMIC_FILE_H

#include <stddef.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct atomic_file {
    int fd;
    char *path; /* owned: where it will be */
    char *temp; /* owned: where it is written, beside path: ".NAME.tmp.PID" */
};

/* Begin a file that will replace path, or what path is a link to: the link stays. Errors: IO (also
 * where it is no regular file: a pipe or device cannot be replaced), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err atomic_file_open(struct atomic_file *f, const char *path,
                                                struct reason *why);

/* Errors: IO with the system's reason; the caller then aborts. */
DIFFUSE_MUST_CHECK diffuse_err atomic_file_write(struct atomic_file *f, const void *bytes, size_t n,
                                                 struct reason *why);

/* Flush, and take the place of path. Ends f, also on failure. Errors: IO; path is then
 * untouched, unless the reason says that only the folder was not flushed. */
DIFFUSE_MUST_CHECK diffuse_err atomic_file_commit(struct atomic_file *f, struct reason *why);

/* Forget what was written; path is untouched. Ends f. */
void atomic_file_abort(struct atomic_file *f);

/* Flush the folder that path is in: what was renamed, made or removed there is on the disk then. 0,
 * or errno says why not. */
int atomic_file_flush_folder(const char *path);

/* Remove what writers that were killed left in a folder, of files whose names begin with prefix:
 * ".prefix....tmp.PID". Nobody may be writing there. How many went; 0 also when the folder cannot
 * be read. */
size_t atomic_file_sweep(const char *folder, const char *prefix);

#endif
