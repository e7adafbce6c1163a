/* dataset_lines.h - what the kinds of one row a line share: the split's file, its lines, and a
 * place for the label. */
#ifndef MODEL_DATA_DATASET_LINES_H
#define MODEL_DATA_DATASET_LINES_H

#include "model/data/bytebuf.h"
#include "model/data/dataset_kind.h"
#include "model/data/gzfile.h"

/* A kind's state, or its first member. {0} is empty. */
struct dataset_lines {
    struct gzfile *file;
    struct bytebuf label;
    bool unlabelled;
};

/* Open the split's file, found by split_path_find. Errors as dataset_open. */
DIFFUSE_MUST_CHECK diffuse_err dataset_lines_open(struct dataset_lines *s, const char *path,
                                                  enum dataset_split split, const char *prefix,
                                                  const char *extension, struct reason *why);
void dataset_lines_done(struct dataset_lines *s);

/* The same for a kind whose state is a struct dataset_lines, on the heap, and no prefix. */
DIFFUSE_MUST_CHECK diffuse_err dataset_lines_new(const char *path, enum dataset_split split,
                                                 const char *extension, void **ret_state,
                                                 struct reason *why);
void dataset_lines_free(void *state); /* fine with NULL */

/* The next line that is not empty, as ret_row's text and line; DATASET_BAD_ROW when it holds a NUL
 * byte. Errors as dataset_next. */
DIFFUSE_MUST_CHECK diffuse_err dataset_lines_next(struct dataset_lines *s,
                                                  struct dataset_row *ret_row,
                                                  enum dataset_got *ret_got, struct reason *why);

/* ret_row's label becomes a copy of these bytes, or "" in an unlabelled split. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err dataset_lines_label(struct dataset_lines *s, const char *label,
                                                   size_t len, struct dataset_row *ret_row,
                                                   struct reason *why);

/* For a kind's table; state begins with a struct dataset_lines. */
const char *dataset_lines_file(const void *state);
void dataset_lines_progress(const void *state, uint64_t *ret_read, uint64_t *ret_total);

#endif
