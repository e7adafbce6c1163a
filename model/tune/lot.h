/* lot.h - which rows are held back: drawn by what a row is, not by when it comes, so that one heard
 * again after a restart lands where it was. tune/ only. */
#ifndef MODEL_TUNE_LOT_H
#define MODEL_TUNE_LOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOT_FEEDBACK  8u /* one row of feedback in so many is held back, */
#define LOT_REHEARSAL 5u /* and one of rehearsal */

/* By stream, seq and ids; and by ids. */
bool lot_feedback(const char *stream, size_t len, uint64_t seq, const uint32_t *ids, uint32_t n);
bool lot_rehearsal(const uint32_t *ids, uint32_t n);

#endif
