/* pool.c - see pool.h. */
#include "model/net/pool.h"

#include "model/base/vec.h"

static void maximum(size_t n, size_t C, const real *h, real *p, uint32_t *best) {
    vec_copy(C, h, p);
    for (size_t j = 0; j < C; j++)
        best[j] = 0;
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < C; j++)
            if (h[i * C + j] > p[j]) {
                p[j] = h[i * C + j];
                best[j] = (uint32_t)i;
            }
}

void pool_forward(const struct net_config *c, size_t n, const real *h, real *p, uint32_t *best) {
    size_t C = c->width;

    if (c->pool != NET_POOL_MAX) {
        vec_zero(C, p);
        vec_sum_rows(n, C, h, p);
        vec_scale(C, 1 / (real)n, p);
    }
    if (c->pool != NET_POOL_MEAN)
        maximum(n, C, h, c->pool == NET_POOL_MAX ? p : p + C, best);
}

void pool_backward(const struct net_config *c, size_t n, const real *dp, const uint32_t *best,
                   real *dh) {
    size_t C = c->width;

    if (c->pool == NET_POOL_MAX) {
        vec_zero(n * C, dh);
    } else {
        for (size_t i = 0; i < n; i++)
            vec_scaled(C, 1 / (real)n, dp, dh + i * C);
        dp += C;
    }
    if (c->pool != NET_POOL_MEAN)
        for (size_t j = 0; j < C; j++)
            dh[best[j] * C + j] += dp[j];
}
