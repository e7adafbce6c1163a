#include "model/base/rng.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "model/base/vec.h"

#define BLOCK 64 /* numbers of 64 bits drawn at once */

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

/* n numbers at once, as bytes. The state is kept in registers meanwhile: through memory it would
 * take as long again. */
static void draw(struct rng *r, size_t n, uint64_t *ret_bits) {
    struct rng own = *r;

    for (size_t i = 0; i < n; i++)
        ret_bits[i] = htole64(rng_next(&own)); /* the lowest byte comes first on every machine */
    *r = own;
}

VEC_CLONES static void compare(size_t n, const uint8_t *x, uint8_t limit, uint8_t *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] >= limit;
}

void rng_mask(struct rng *r, size_t n, double drop, uint8_t *keep) {
    long limit = lround(drop * 256);
    uint64_t bits[BLOCK];

    if (limit > UINT8_MAX) {
        memset(keep, 0, n);
        return;
    }
    for (size_t i = 0, take; i < n; i += take) {
        take = n - i < sizeof bits ? n - i : sizeof bits;
        draw(r, (take + 7) / 8, bits);
        compare(take, (const uint8_t *)bits, (uint8_t)limit, keep + i);
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
    for (int i = 0; i <= RNG_LAYERS; i++)
        t->f[i] = exp(-0.5 * t->x[i] * t->x[i]);
}

static double tail_normal(struct rng *r) {
    double x, y;

    do {
        x = log(1 - rng_unit(r)) / TAIL;
        y = log(1 - rng_unit(r));
    } while (-2 * y < x * x);
    return TAIL - x;
}

/* Where bits fall: across their layer, -1 to 1. */
static double across(uint64_t bits) {
    return 2 * ((double)(int64_t)(bits >> 11) * 0x1p-53) - 1;
}

/* The normal that begins with bits, which may take more of them. */
static double ziggurat(struct rng *r, const struct rng_table *t, uint64_t bits) {
    for (;; bits = rng_next(r)) {
        unsigned layer = (unsigned)(bits & (RNG_LAYERS - 1));
        double u = across(bits), x = u * t->x[layer];

        if (fabs(u) < t->ratio[layer])
            return x;
        if (layer == 0) {
            x = tail_normal(r);
            return u < 0 ? -x : x;
        }
        if (t->f[layer + 1] + rng_unit(r) * (t->f[layer] - t->f[layer + 1]) < exp(-0.5 * x * x))
            return x;
    }
}

void rng_add_normals(struct rng *r, const struct rng_table *t, size_t n, real std, real *x) {
    struct rng own = *r; /* in registers, see draw */

    for (size_t i = 0; i < n; i++) {
        uint64_t bits = rng_next(&own);
        size_t layer = (size_t)(bits & (RNG_LAYERS - 1));
        double u = across(bits);

        if (fabs(u) < t->ratio[layer]) { /* nearly always */
            x[i] += std * (real)(u * t->x[layer]);
            continue;
        }
        *r = own;
        x[i] += std * (real)ziggurat(r, t, bits);
        own = *r;
    }
    *r = own;
}
