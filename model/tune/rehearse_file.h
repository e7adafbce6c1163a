/* rehearse_file.h - rehearsal rows from a data set on disk, for a checkpoint that holds none.
 *
 * Memory: one row of the data set, and max_length ids. */
#ifndef MODEL_TUNE_REHEARSE_FILE_H
#define MODEL_TUNE_REHEARSE_FILE_H

#include <stddef.h>

#include "model/tune/tune.h"

/* The training rows of spec (KIND:PATH, as for diffuse train), cut at max_length tokens, into t;
 * rows whose label serving lacks are passed over. Errors: as dataset.h; NOMEM; BADDATA, no row has
 * a label of the model's. */
DIFFUSE_MUST_CHECK diffuse_err rehearse_file_read(struct tune *t, const struct model *serving,
                                                  const char *spec, size_t max_length,
                                                  struct reason *why);

#endif
