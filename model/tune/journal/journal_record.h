/* journal_record.h - rows of feedback as the bytes of a journal (JOURNAL.md); for journal.c only.
 */
#ifndef MODEL_TUNE_JOURNAL_JOURNAL_RECORD_H
#define MODEL_TUNE_JOURNAL_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/digest.h"
#include "model/tune/journal/journal.h"

#define JOURNAL_HEADER_BYTES 80u
#define JOURNAL_FRAME_BYTES  8u /* before a record's body: its length and checksum */
#define JOURNAL_ROW_BYTES    24u
#define JOURNAL_RECORD_MAX                                                                         \
    (JOURNAL_FRAME_BYTES + JOURNAL_ROW_BYTES + 4 * LIMIT_TOKENS +                                  \
     ((LIMIT_STREAM_BYTES + LIMIT_LABEL_BYTES + 3) & ~3u))

enum journal_kind { JOURNAL_ROW = 1, JOURNAL_MARK = 2 };

void journal_record_header(const char *root_id, uint8_t ret[JOURNAL_HEADER_BYTES]);

/* Whose header is it? DAMAGED: that root's, but for a few bytes that its checksum does not fit. */
enum journal_header { JOURNAL_OURS, JOURNAL_OURS_DAMAGED, JOURNAL_FOREIGN };
enum journal_header journal_record_is_header(const uint8_t *bytes, const char *root_id);

/* The bytes of a record into ret, which has room for JOURNAL_RECORD_MAX; how many there are. 0: a
 * field is out of its range. */
size_t journal_record_row(const struct feedback_row *row, uint8_t *ret);
size_t journal_record_mark(uint8_t *ret);

/* Put the checksum of a record right: n bytes, frame and all. */
void journal_record_sign(uint8_t *record, size_t n);

/* Bytes of the record that begins here, frame and all; 0 when the frame cannot be one. */
size_t journal_record_bytes(const uint8_t frame[JOURNAL_FRAME_BYTES]);

/* Bytes that the first JOURNAL_LOOK_BYTES of a record say that it has, frame and all: once by its
 * frame, once by its fields; 0: they cannot be right. They agree, unless the record is damaged. */
#define JOURNAL_LOOK_BYTES (JOURNAL_FRAME_BYTES + JOURNAL_ROW_BYTES)
size_t journal_record_bytes_by_fields(const uint8_t *record);

/* Check a whole record and take it apart; false: damaged. bytes is aligned to 4 and may be
 * rewritten; ret_row (for JOURNAL_ROW) borrows from it. */
bool journal_record_parse(uint8_t *bytes, size_t n, enum journal_kind *ret_kind,
                          struct feedback_row *ret_row);

#endif
