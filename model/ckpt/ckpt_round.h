/* ckpt_round.h - numbers as they come back from a checkpoint of a given type. */
#ifndef MODEL_CKPT_CKPT_ROUND_H
#define MODEL_CKPT_CKPT_ROUND_H

#include <stddef.h>

#include "model/base/real.h"
#include "model/ckpt/ckpt.h"

/* y(rows, cols) = x(rows, cols) written as type and read again; x may be y. A vector, which I8
 * leaves as it is, has cols 0 and rows entries. All finite. */
void ckpt_round(enum ckpt_type type, size_t rows, size_t cols, const real *x, real *y);

#endif
