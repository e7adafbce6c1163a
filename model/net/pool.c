#include "model/net/pool.h"

#include <stdbool.h>

#include "model/base/vec.h"
#include "model/net/bracket.h"

/* The row i of h where it is above p. Written without a branch, for the compiler's wide lanes. */
VEC_CLONES static void raise(size_t C, uint32_t i, const real *restrict h, real *restrict p,
                             uint32_t *restrict best) {
    for (size_t j = 0; j < C; j++) {
        bool above = h[j] > p[j];

        p[j] = above ? h[j] : p[j];
        best[j] = above ? i : best[j];
    }
}

static void maximum(size_t n, size_t C, const real *h, real *p, uint32_t *best) {
    vec_copy(C, h, p);
    for (size_t j = 0; j < C; j++)
        best[j] = 0;
    for (size_t i = 1; i < n; i++)
        raise(C, (uint32_t)i, h + i * C, p, best);
}

/* Tokens that count in a mean. The first of a sequence is never enclosed, so there is one. */
static bool is_root(const struct net_config *c, const uint32_t *parent, size_t i) {
    return c->pool != NET_POOL_ROOTS || !parent || parent[i] == BRACKET_NONE;
}

static size_t roots(const struct net_config *c, const uint32_t *parent, size_t n) {
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += is_root(c, parent, i);
    return count;
}

static void mean(const struct net_config *c, size_t n, const uint32_t *parent, const real *h,
                 real *p) {
    size_t C = c->width;

    vec_zero(C, p);
    if (c->pool != NET_POOL_ROOTS)
        vec_sum_rows(n, C, h, p);
    else
        for (size_t i = 0; i < n; i++)
            if (is_root(c, parent, i))
                vec_add(C, h + i * C, p);
    vec_scale(C, 1 / (real)roots(c, parent, n), p);
}

static void mean_backward(const struct net_config *c, size_t n, const uint32_t *parent,
                          const real *dp, real *dh) {
    size_t C = c->width;
    real share = 1 / (real)roots(c, parent, n);

    for (size_t i = 0; i < n; i++)
        vec_scaled(C, is_root(c, parent, i) ? share : 0, dp, dh + i * C);
}

static bool has_maximum(const struct net_config *c) {
    return c->pool == NET_POOL_MAX || c->pool == NET_POOL_MEAN_MAX;
}

void pool_forward(const struct net_config *c, size_t n, const uint32_t *parent, const real *h,
                  real *p, uint32_t *best) {
    if (c->pool != NET_POOL_MAX)
        mean(c, n, parent, h, p);
    if (has_maximum(c))
        maximum(n, c->width, h, c->pool == NET_POOL_MAX ? p : p + c->width, best);
}

void pool_backward(const struct net_config *c, size_t n, const uint32_t *parent, const real *dp,
                   const uint32_t *best, real *dh) {
    size_t C = c->width;

    if (c->pool == NET_POOL_MAX) {
        vec_zero(n * C, dh);
    } else {
        mean_backward(c, n, parent, dp, dh);
        dp += C;
    }
    if (has_maximum(c))
        for (size_t j = 0; j < C; j++)
            dh[best[j] * C + j] += dp[j];
}
