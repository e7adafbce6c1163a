/* rows_arg.h - the rows of the option --data, for a checkpoint that is to be judged on them. */
#ifndef MODEL_TOOL_COMMON_ROWS_ARG_H
#define MODEL_TOOL_COMMON_ROWS_ARG_H

#include <argp.h>
#include <stdbool.h>

#include "model/ckpt/model.h"
#include "model/data/dataset.h"
#include "model/train/rows/load.h"
#include "model/train/rows/rows.h"

struct rows_arg {
    const char *data; /* KIND:PATH */
    enum dataset_split split;
    bool quiet; /* no progress */
    struct dataset_columns columns;
    struct load_gaps *gaps; /* NULL, or to be told which rows are left out */
};

/* The options --text-column and --label-column, for a struct dataset_columns. */
extern const struct argp columns_argp;

/* Rows of m, which was read from the file model. Bad rows are named on stderr, and left out.
 * Errors: UNSUPPORTED (m takes no texts), BADDATA (no rows), and as dataset.h. */
DIFFUSE_MUST_CHECK diffuse_err rows_arg_read(const struct rows_arg *a, const char *model,
                                             const struct model *m, struct rows *rows,
                                             struct reason *why);

#endif
