/* roots.h - a state folder has a folder for each checkpoint that tuning began with:
 *
 *     STATE_DIR/ROOT/     ROOT: the first 16 digits of that checkpoint's id; in it lineage.h's and
 *                         journal.h's files
 *
 * So that another checkpoint, or going back to this one, costs nothing that was learned; and
 * bounded, for the folders of checkpoints that are long gone are deleted. Threads: one at a time.
 */
#ifndef MODEL_TUNE_JOURNAL_ROOTS_H
#define MODEL_TUNE_JOURNAL_ROOTS_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/digest.h"
#include "model/tune/journal/lineage.h"

#define ROOTS_DIGITS 16

/* The folder of a root. */
void roots_dir(const char *state_dir, const char *root_id, char ret_dir[LINEAGE_PATH_BYTES]);

/* Delete folders of other roots but the `most` that were changed last; how many went. What is in
 * the way (files that are not ours, permissions) stays, and so does its folder. */
size_t roots_prune(const char *state_dir, const char *root_id, size_t most);

#endif
