#include "model/train/update/adamw.h"

#include <math.h>

#include "model/base/vec.h"

VEC_CLONES static void update(size_t n, real rate, real root, real b1, real b2, real epsilon,
                              real shrink, real scale, const real *restrict g, real *restrict m,
                              real *restrict v, real *restrict x) {
    for (size_t i = 0; i < n; i++) {
        real gi = g[i] * scale;

        m[i] = b1 * m[i] + (1 - b1) * gi;
        v[i] = b2 * v[i] + (1 - b2) * gi * gi;
        x[i] = shrink * x[i] - rate * m[i] / (sqrtf(v[i]) * root + epsilon);
    }
}

void adamw_update(const struct adamw *a, size_t n, real scale, const real *g, real *m, real *v,
                  real *x) {
    double c1 = 1 - pow(a->beta1, (double)a->step), c2 = 1 - pow(a->beta2, (double)a->step);

    update(n, (real)(a->lr / c1), (real)(1 / sqrt(c2)), (real)a->beta1, (real)a->beta2,
           (real)a->epsilon, (real)(1 - a->lr * a->decay), scale, g, m, v, x);
}
