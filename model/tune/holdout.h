/* holdout.h - which rows are held back: drawn by what a row is, not by when it comes, so that one
 * heard again after a restart lands where it was. tune/ only. */
#ifndef MODEL_TUNE_HOLDOUT_H
#define MODEL_TUNE_HOLDOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOLDOUT_FEEDBACK  8u /* one row of feedback in so many is held back, */
#define HOLDOUT_REHEARSAL 5u /* and one of rehearsal */

/* By stream, seq and ids; and by ids. */
bool holdout_feedback(const char *stream, size_t len, uint64_t seq, const uint32_t *ids,
                      uint32_t n);
bool holdout_rehearsal(const uint32_t *ids, uint32_t n);

#endif
