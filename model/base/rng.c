/* rng.c - see rng.h. */
#include "model/base/rng.h"

#include <math.h>

static uint64_t rotate(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rng_init(struct rng *r, uint64_t seed, uint64_t stream) {
    uint64_t state = seed;

    state = splitmix(&state) ^ stream; /* mixed first: seed 1 stream 2 is not seed 2 stream 1 */
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&state);
}

uint64_t rng_next(struct rng *r) {
    uint64_t *s = r->s, result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t rng_below(struct rng *r, uint32_t n) {
    /* Lemire's method: the low word tells the few draws that would favour small values. */
    uint64_t m = (rng_next(r) >> 32) * n;

    if ((uint32_t)m < n) {
        uint32_t floor = (uint32_t)(-n) % n;

        while ((uint32_t)m < floor)
            m = (rng_next(r) >> 32) * n;
    }
    return (uint32_t)(m >> 32);
}

double rng_unit(struct rng *r) {
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

double rng_normal(struct rng *r) {
    double u, v, q;

    do {
        u = 2 * rng_unit(r) - 1;
        v = 2 * rng_unit(r) - 1;
        q = u * u + v * v;
    } while (q >= 1 || q == 0);
    return u * sqrt(-2 * log(q) / q);
}

void rng_mask(struct rng *r, size_t n, double drop, uint8_t *keep) {
    uint64_t limit = (uint64_t)lround(drop * 256);

    for (size_t i = 0; i < n; i += 8) {
        uint64_t bits = rng_next(r);
        size_t end = n - i < 8 ? n - i : 8;

        for (size_t j = 0; j < end; j++)
            keep[i + j] = ((bits >> (8 * j)) & 0xff) >= limit;
    }
}

#define TAIL  3.442619855899      /* start of the tail, for 128 layers */
#define LAYER 9.91256303526217e-3 /* area of each layer */

void rng_table_init(struct rng_table *t) {
    double f = exp(-0.5 * TAIL * TAIL);

    t->x[0] = LAYER / f; /* the base strip, tail included, as if it were a rectangle */
    t->x[1] = TAIL;
    t->x[RNG_LAYERS] = 0;
    for (int i = 2; i < RNG_LAYERS; i++) {
        t->x[i] = sqrt(-2 * log(LAYER / t->x[i - 1] + f));
        f = exp(-0.5 * t->x[i] * t->x[i]);
    }
    for (int i = 0; i < RNG_LAYERS; i++)
        t->ratio[i] = t->x[i + 1] / t->x[i];
}

static double tail_normal(struct rng *r) {
    double x, y;

    do {
        x = log(1 - rng_unit(r)) / TAIL;
        y = log(1 - rng_unit(r));
    } while (-2 * y < x * x);
    return TAIL - x;
}

static double ziggurat(struct rng *r, const struct rng_table *t) {
    for (;;) {
        uint64_t bits = rng_next(r);
        unsigned layer = (unsigned)(bits & (RNG_LAYERS - 1));
        double u = 2 * ((double)(bits >> 11) * 0x1p-53) - 1, x = u * t->x[layer], f0, f1;

        if (fabs(u) < t->ratio[layer])
            return x;
        if (layer == 0) {
            x = tail_normal(r);
            return u < 0 ? -x : x;
        }
        f0 = exp(-0.5 * (t->x[layer] * t->x[layer] - x * x));
        f1 = exp(-0.5 * (t->x[layer + 1] * t->x[layer + 1] - x * x));
        if (f1 + rng_unit(r) * (f0 - f1) < 1)
            return x;
    }
}

void rng_add_normals(struct rng *r, const struct rng_table *t, size_t n, real std, real *x) {
    for (size_t i = 0; i < n; i++)
        x[i] += std * (real)ziggurat(r, t);
}
