#include "model/net/noise.h"

#include "model/base/vec.h"

void noise_drop(struct net_noise *noise, double share, size_t n, uint8_t *keep, real *x) {
    if (share <= 0)
        return;
    rng_mask(&noise->rng, n, share, keep);
    noise_drop_again(share, n, keep, x);
}

void noise_drop_again(double share, size_t n, const uint8_t *keep, real *dx) {
    if (share > 0)
        vec_apply_mask(n, keep, (real)(1 / (1 - share)), dx);
}
