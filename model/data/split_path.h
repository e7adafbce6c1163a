/* split_path.h - which file of a data set's folder holds a split. */
#ifndef MODEL_DATA_SPLIT_PATH_H
#define MODEL_DATA_SPLIT_PATH_H

#include <stdbool.h>

#include "model/data/dataset.h"

/* The file of a split: path itself where it is no folder, else the one in it: prefix, then train,
 * test, val or valid, or unlabelled, then extension (".gz" behind that counts as there). *ret_file
 * is the caller's to free. Errors: NOTFOUND (the folder has no such file; the reason names those
 * looked for), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err split_path_find(const char *path, enum dataset_split split,
                                               const char *prefix, const char *extension,
                                               char **ret_file, struct reason *why);

/* folder/name on the heap; the caller frees. Errors: NOTFOUND (no such folder), IO (not a folder),
 * NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err split_path_join(const char *folder, const char *name,
                                               char **ret_path, struct reason *why);

/* path is a folder. Errors: NOTFOUND, IO (something else); holds is what the reason says is looked
 * for in it. */
DIFFUSE_MUST_CHECK diffuse_err split_path_need_folder(const char *path, const char *holds,
                                                      struct reason *why);

bool split_path_is_folder(const char *path);

/* There is a file of this name, or of this name with .gz. */
bool split_path_exists(const char *path);

#endif
