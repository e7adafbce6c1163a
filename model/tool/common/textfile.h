/* textfile.h - a small file as one piece of memory. */
#ifndef MODEL_TOOL_COMMON_TEXTFILE_H
#define MODEL_TOOL_COMMON_TEXTFILE_H

#include <stddef.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* All bytes of a file, but a byte order mark in front; a NUL is behind them; the caller frees.
 * Errors: IO, naming it. */
DIFFUSE_MUST_CHECK diffuse_err textfile_read(const char *path, char **ret_bytes, size_t *ret_len,
                                             struct reason *why);

#endif
