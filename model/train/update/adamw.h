/* adamw.h - AdamW (Loshchilov and Hutter, 2019) on a run of parameters.
 *
 * Tables take one row at a time, and only rows that a batch looked up: their moments rest
 * meanwhile. */
#ifndef MODEL_TRAIN_UPDATE_ADAMW_H
#define MODEL_TRAIN_UPDATE_ADAMW_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"

struct adamw {
    double lr;           /* of this step */
    double beta1, beta2; /* decay of the moments */
    double epsilon;
    double decay;  /* weight decay, decoupled */
    uint64_t step; /* from 1: bias correction */
};

/* x(n) by its gradient g(n), times scale (clipping), and its moments m(n), v(n). */
void adamw_update(const struct adamw *a, size_t n, real scale, const real *g, real *m, real *v,
                  real *x);

#endif
