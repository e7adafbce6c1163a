/* recording.h - the file that diffusectl record writes and replay reads; RECORD.md has its bytes.
 *
 * A header, then records to the end of the file, each with its length and checksum, only ever
 * appended. A reader takes what is whole and says where it stopped; it never gives a record that
 * was not written.
 */
#ifndef CLIENT_CTL_RECORDING_RECORDING_H
#define CLIENT_CTL_RECORDING_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "client/relay/frames.h"

enum {
    RECORDING_TEXT = 255,              /* bytes of a text in the header */
    RECORDING_FRAMES = 4 * 1024 * 1024 /* bytes of all frames of a record; what is longer is cut */
};

struct recording_about {
    int64_t wall_ns;                  /* when it began, by the wall clock */
    int64_t mono_ns;                  /* the same moment by the monotonic clock */
    bool both_ways;                   /* samples too; else labels and events only */
    char version[RECORDING_TEXT + 1]; /* of the daemon */
    char model[RECORDING_TEXT + 1];   /* id of its model when the recording began */
};

/* One line for a person about what went wrong; begins with the file's name. */
struct recording_why {
    char text[512];
};

/* --- writing --- */

struct recording_writer;

/* A new file; one that exists is not touched. sync_ms: the longest that a record may be without the
 * disk's word for it (a power cut loses it); 0: at the end only.
 * Errors: IO (exists already, cannot be made, disk full), INVAL (a text too long), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err recording_create(const char *path,
                                                const struct recording_about *about, int sync_ms,
                                                struct recording_writer **ret_writer,
                                                struct recording_why *why);

/* Add a message that passed at the moment mono_ns. Kept in a buffer of 256 KiB at most. After an
 * error nothing more is written and every call returns it again; what was written stays whole.
 * Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err recording_add(struct recording_writer *w, int64_t mono_ns,
                                             const struct diffuse_message *message,
                                             struct recording_why *why);

/* To be called a few times a second: hands the buffer to the system, and syncs when it is time.
 * Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err recording_tend(struct recording_writer *w, int64_t mono_ns,
                                              struct recording_why *why);

/* Messages added, and bytes of the file so far. */
uint64_t recording_count(const struct recording_writer *w);
uint64_t recording_bytes(const struct recording_writer *w);

/* Write the last record, sync and close; the writer is gone in any case. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err recording_close(struct recording_writer *w, int64_t mono_ns,
                                               struct recording_why *why);

/* --- reading --- */

struct recording_reader;

/* Errors: IO, NOMEM, CORRUPT (no recording), UNSUPPORTED (of a later version). */
DIFFUSE_MUST_CHECK diffuse_err recording_open(const char *path, struct recording_about *ret_about,
                                              struct recording_reader **ret_reader,
                                              struct recording_why *why);

/* The next message, whose frames are valid until the next call, and how long after the beginning it
 * passed. Errors: NOTFOUND (the end; recording_complete says of what kind), CORRUPT (the rest
 * cannot be read: why says where and why, and the file ends here as far as we are concerned),
 * NOMEM, IO. */
DIFFUSE_MUST_CHECK diffuse_err recording_next(struct recording_reader *r, int64_t *ret_after_ns,
                                              struct diffuse_message *ret_message,
                                              struct recording_why *why);

/* Bytes read so far, and of the file: how far we are. */
void recording_progress(const struct recording_reader *r, uint64_t *ret_at, uint64_t *ret_size);

/* After NOTFOUND: did the recorder end the file itself? Else it was killed, or its disk was full.
 */
bool recording_complete(const struct recording_reader *r);

void recording_free(struct recording_reader *r); /* NULL is fine */

#endif
