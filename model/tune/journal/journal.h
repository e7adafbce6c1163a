/* journal.h - feedback that was accepted, in an append-only file, so that it survives a crash.
 *
 * A header names the checkpoint that the rows' token ids belong to; then records, each with its
 * length and a checksum. When the file is opened a torn tail (a crash in the middle of a write) is
 * cut off, and records that were damaged since are left out: what lies behind them stays. Both are
 * said, and where more than one record may go, the file is kept as PATH.damaged. The file is
 * bounded: when it is full the oldest half of what was trained on makes room, and where that is
 * little the oldest rows of all, by an atomic rewrite. JOURNAL.md says every byte.
 *
 * Threads: one at a time; one process. kill -9 loses nothing that journal_append returned OK for; a
 * power cut loses at most what came since the last journal_sync. Memory: 0.3 MiB while it is open.
 */
#ifndef MODEL_TUNE_JOURNAL_JOURNAL_H
#define MODEL_TUNE_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/tune/journal/feedback_row.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

struct journal; /* an open file */

#define JOURNAL_BYTES_MIN (1024u * 1024) /* room for the longest row, and to spare */

struct journal_found {
    size_t rows;      /* good records */
    size_t untrained; /* of them after the last mark */
    uint64_t cut;     /* bytes of a torn or damaged tail that were cut off */
    size_t damaged;   /* places that are damaged, each one record or more; a last record that is not
                         whole is none */
    uint64_t lost;    /* bytes of them and of the tail */
    bool kept;        /* the file as it was is at PATH.damaged, in the place of an older one */
    bool set_aside;   /* the file belonged to another checkpoint (or was no journal): it was renamed
                         to PATH.aside, and an empty one begun */
};

/* Called for each good record, oldest first; trained: a mark follows it. */
typedef void journal_replay(void *user, const struct feedback_row *row, bool trained);

/* Open or create PATH for checkpoint root_id, replay what is there. max_bytes bounds the file;
 * JOURNAL_BYTES_MIN or more. replay may be NULL. Errors: IO (why names file, what the system said,
 * what to do), NOMEM, INVAL (max_bytes). */
DIFFUSE_MUST_CHECK diffuse_err journal_open(const char *path, const char *root_id,
                                            uint64_t max_bytes, journal_replay *replay, void *user,
                                            struct journal **ret_journal,
                                            struct journal_found *ret_found, struct reason *why);
void journal_close(struct journal *j); /* syncs; fine with NULL */

/* Write one record: it survives a crash of the process from now on. Errors: IO (full disk: the file
 * is cut back to its last good record, and a later append may succeed), INVAL (a field is out of
 * its range). */
DIFFUSE_MUST_CHECK diffuse_err journal_append(struct journal *j, const struct feedback_row *row,
                                              struct reason *why);

/* Everything appended so far is in a promoted checkpoint: its rows are trained. */
DIFFUSE_MUST_CHECK diffuse_err journal_mark(struct journal *j, struct reason *why);

/* To the disk (fdatasync). Costs nothing when nothing was appended. */
DIFFUSE_MUST_CHECK diffuse_err journal_sync(struct journal *j, struct reason *why);

/* Forget all rows, durably. */
DIFFUSE_MUST_CHECK diffuse_err journal_clear(struct journal *j, struct reason *why);

uint64_t journal_bytes(const struct journal *j); /* of the file */

/* Rows that had to make room before they were marked as trained, since journal_open. */
uint64_t journal_dropped(const struct journal *j);

#endif
