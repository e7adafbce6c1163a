/* ckpt_round.h - numbers as they come back from a checkpoint of a given type. */
#ifndef MODEL_CKPT_CKPT_ROUND_H
#define MODEL_CKPT_CKPT_ROUND_H

#include <stdbool.h>
#include <stddef.h>

#include "model/base/real.h"
#include "model/ckpt/ckpt.h"

/* The type that a tensor really gets where type is asked for: what is no table is never I4, vectors
 * and small tables are not whole numbers. */
enum ckpt_type ckpt_round_type(enum ckpt_type type, bool table, size_t cols);

/* y(rows, cols) = x(rows, cols) written as type, a real one, and read again; x may be y. A vector
 * has cols 0 and rows entries. Of I4, cols are those of a table, up to LIMIT_WIDTH. All finite. */
void ckpt_round(enum ckpt_type type, size_t rows, size_t cols, const real *x, real *y);

#endif
