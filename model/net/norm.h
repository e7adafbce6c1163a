/* norm.h - LayerNorm over the channels of each token (Ba et al., 2016), epsilon 1e-5. */
#ifndef MODEL_NET_NORM_H
#define MODEL_NET_NORM_H

#include <stddef.h>

#include "model/base/real.h"

/* xhat(N,C) = (x - mean) / sqrt(var + eps), rstd(N) = 1 / sqrt(var + eps), y(N,C) = gain*xhat +
 * bias. All three may be one. */
void norm_forward(size_t N, size_t C, const real *x, const real *gain, const real *bias, real *xhat,
                  real *rstd, real *y);

/* d(N,C): at y on entry, at x on return; dgain(C), dbias(C) are added to. */
void norm_backward(size_t N, size_t C, real *d, const real *gain, const real *xhat,
                   const real *rstd, real *dgain, real *dbias);

#endif
