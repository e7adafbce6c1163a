/* split_path.h - which file of a data set's folder holds a split. */
#ifndef MODEL_DATA_SPLIT_PATH_H
#define MODEL_DATA_SPLIT_PATH_H

#include <stdbool.h>

#include "model/data/dataset.h"

/* folder/name on the heap; the caller frees. Errors: NOTFOUND (no such folder), IO (not a folder),
 * NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err split_path_join(const char *folder, const char *name,
                                               char **ret_path, struct reason *why);

bool split_path_is_folder(const char *path);

/* There is a file of this name, or of this name with .gz. */
bool split_path_exists(const char *path);

#endif
