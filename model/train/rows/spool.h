/* spool.h - bytes that are appended once and read anywhere: in memory while they are few, then in a
 * temporary file without a name, which the system removes when the spool or the process ends.
 *
 * Threads: any number may read while none appends. */
#ifndef MODEL_TRAIN_ROWS_SPOOL_H
#define MODEL_TRAIN_ROWS_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define SPOOL_BUFFER (256u * 1024) /* bytes gathered for one write, once there is a file */

struct spool {
    uint8_t *tail; /* (cap) the last used bytes, not in the file */
    size_t used, cap;
    uint64_t written; /* bytes in the file */
    int fd;           /* -1: no file yet */
    char *folder;     /* of the file; for messages */
};

void spool_init(struct spool *s); /* empty, in memory */
void spool_done(struct spool *s);

static inline uint64_t spool_size(const struct spool *s) {
    return s->written + s->used;
}

/* Append. After an error the spool reads as before, though some of the bytes may have been added.
 * Errors: NOMEM (in memory); IO (in a file; why names the folder and what to do). */
DIFFUSE_MUST_CHECK diffuse_err spool_append(struct spool *s, const void *bytes, size_t n,
                                            struct reason *why);

/* Move all to a file, once: in $TMPDIR, or where that is not set in /var/tmp, else in /tmp. From
 * now on the spool holds SPOOL_BUFFER bytes of memory. Errors: as spool_append. */
DIFFUSE_MUST_CHECK diffuse_err spool_to_file(struct spool *s, struct reason *why);

/* n bytes from position at. Errors: IO; INVAL (past the end). */
DIFFUSE_MUST_CHECK diffuse_err spool_read(const struct spool *s, uint64_t at, size_t n, void *bytes,
                                          struct reason *why);

#endif
