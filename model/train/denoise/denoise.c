#include "model/train/denoise/denoise.h"

#include <assert.h>
#include <math.h>

#include "model/base/gemm.h"
#include "model/base/vec.h"
#include "model/net/norm.h"

#define POWER      0.75 /* of the counts: rare pieces are drawn more often than they occur */
#define MASKED     0.8
#define REPLACED   0.9 /* those from MASKED to here become a random piece */
#define EXCLUDED   (-1e30f)
#define CAP_ROUNDS 64

size_t denoise_entries(uint32_t vocab, uint32_t width) {
    return vocab + 2 * (size_t)width + (size_t)width * width;
}

struct denoise_tensors denoise_point(uint32_t vocab, uint32_t width, real *block) {
    return (struct denoise_tensors){block, block + vocab, block + vocab + width,
                                    block + vocab + 2 * (size_t)width};
}

size_t denoise_bytes(uint32_t vocab, uint32_t width, const struct denoise_options *o) {
    size_t S = (size_t)o->candidates + 1;

    return arena_block(sizeof(struct denoise)) +
           arena_block((denoise_entries(vocab, width) + o->beside) * sizeof(real)) +
           arena_block(vocab * sizeof(double)) + arena_block(vocab * sizeof(uint32_t)) +
           arena_block(S * sizeof(uint32_t)) + arena_block(S * width * sizeof(real)) +
           arena_block(S * sizeof(real));
}

/* chance_v = min(1, k count_v^POWER), with the k that makes them sum to candidates. */
static void set_chances(struct denoise *d, const uint64_t *count) {
    double left = d->o.candidates, sum, k = 0;

    for (uint32_t v = 0; v < d->vocab; v++)
        d->chance[v] = pow((double)count[v] + 1, POWER);
    for (int round = 0; round < CAP_ROUNDS; round++) { /* each caps more: ends when none is new */
        double before = k;

        sum = 0;
        left = d->o.candidates;
        for (uint32_t v = 0; v < d->vocab; v++) {
            if (k * d->chance[v] >= 1)
                left -= 1;
            else
                sum += d->chance[v];
        }
        k = sum > 0 ? left / sum : k;
        if (k <= before)
            break;
    }
    for (uint32_t v = 0; v < d->vocab; v++)
        d->chance[v] = d->o.candidates >= d->vocab ? 1 : fmin(1, k * d->chance[v]);
}

/* Biases begin at the log of the frequencies, the projection at the identity. */
static void set_start(struct denoise *d, const uint64_t *count) {
    double total = 0;

    for (uint32_t v = 0; v < d->vocab; v++)
        total += (double)count[v] + 1;
    for (uint32_t v = 0; v < d->vocab; v++)
        d->at.bias[v] = (real)log(((double)count[v] + 1) / total);
    for (size_t j = 0; j < d->width; j++) {
        d->at.norm_gain[j] = 1;
        d->at.proj[j * d->width + j] = 1;
    }
}

diffuse_err denoise_new(struct arena *arena, const struct net_config *c,
                        const struct denoise_options *o, const uint64_t *count,
                        struct denoise **ret_denoise) {
    size_t mark = arena_mark(arena), S;
    struct denoise *d = arena_alloc(arena, sizeof *d);

    if (!d)
        return DIFFUSE_NOMEM;
    *d = (struct denoise){.o = *o, .vocab = c->vocab, .width = c->width};
    if (d->o.candidates > d->vocab)
        d->o.candidates = d->vocab;
    S = (size_t)d->o.candidates + 1;
    d->block = arena_alloc(arena, (denoise_entries(c->vocab, c->width) + o->beside) * sizeof(real));
    d->chance = arena_alloc(arena, d->vocab * sizeof *d->chance);
    d->column = arena_alloc(arena, d->vocab * sizeof *d->column);
    d->candidate = arena_alloc(arena, S * sizeof *d->candidate);
    d->rows = arena_alloc(arena, S * d->width * sizeof *d->rows);
    d->offset = arena_alloc(arena, S * sizeof *d->offset);
    if (!d->block || !d->chance || !d->column || !d->candidate || !d->rows || !d->offset) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    d->at = denoise_point(d->vocab, d->width, d->block);
    set_chances(d, count);
    set_start(d, count);
    *ret_denoise = d;
    return DIFFUSE_OK;
}

size_t denoise_scratch_bytes(uint32_t width, uint32_t candidates, size_t max_tokens) {
    size_t N = max_tokens, S = (size_t)candidates + 1;

    return 5 * arena_block(N * width * sizeof(real)) + 2 * arena_block(N * sizeof(real)) +
           arena_block(N * S * sizeof(real)) + arena_block(S * sizeof(real)) +
           arena_block(N * sizeof(double)) + arena_block(N * sizeof(uint32_t));
}

diffuse_err denoise_scratch_new(struct arena *arena, uint32_t width, uint32_t candidates,
                                size_t max_tokens, struct denoise_scratch *ret_scratch) {
    size_t mark = arena_mark(arena), N = max_tokens, S = (size_t)candidates + 1;
    size_t states = N * width * sizeof(real);
    struct denoise_scratch s = {.x = arena_alloc(arena, states),
                                .xhat = arena_alloc(arena, states),
                                .rstd = arena_alloc(arena, N * sizeof(real)),
                                .seen = arena_alloc(arena, states),
                                .z = arena_alloc(arena, states),
                                .dz = arena_alloc(arena, states),
                                .logits = arena_alloc(arena, N * S * sizeof(real)),
                                .column = arena_alloc(arena, S * sizeof(real)),
                                .total = arena_alloc(arena, N * sizeof(double)),
                                .top = arena_alloc(arena, N * sizeof(real)),
                                .best = arena_alloc(arena, N * sizeof(uint32_t))};

    if (!s.x || !s.xhat || !s.rstd || !s.seen || !s.z || !s.dz || !s.logits || !s.column ||
        !s.total || !s.top || !s.best) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

void denoise_pick(const struct denoise *d, struct rng *rng, uint32_t *ids, size_t n,
                  struct denoise_picked *picked) {
    picked->n = 0;
    for (size_t i = 0; i < n; i++) {
        double what;

        if (rng_unit(rng) >= d->o.share || ids[i] == d->o.unknown)
            continue;
        picked->place[picked->n] = (uint32_t)i;
        picked->truth[picked->n++] = ids[i];
        what = rng_unit(rng);
        if (what < MASKED && d->o.mask != DENOISE_NONE)
            ids[i] = d->o.mask;
        else if (what < REPLACED)
            ids[i] = rng_below(rng, d->vocab);
    }
}

/* Systematic sampling: one random start, and a candidate wherever the running sum of the chances
 * passes a whole number. Every piece has exactly its chance, and the number is fixed. */
void denoise_draw(struct denoise *d, struct rng *rng) {
    double sum = rng_unit(rng), next = 1;

    d->n = 0;
    for (uint32_t v = 0; v < d->vocab; v++) {
        bool all = d->o.candidates >= d->vocab;

        sum += d->chance[v];
        d->column[v] = DENOISE_NONE;
        if (d->n <= d->o.candidates && (all || sum >= next)) {
            d->column[v] = d->n;
            d->candidate[d->n++] = v;
            next += 1;
        }
    }
}

void denoise_gather(struct denoise *d, const struct net_weights *w) {
    size_t C = d->width;

    for (uint32_t j = 0; j < d->n; j++) {
        uint32_t v = d->candidate[j];

        vec_copy(C, w->embed + v * C, d->rows + j * C);
        d->offset[j] = d->at.bias[v] - (real)log(d->chance[v]);
    }
}

/* z of the picked tokens. */
static void project(const struct denoise *d, struct denoise_scratch *s, const real *h,
                    const struct denoise_picked *picked) {
    size_t M = picked->n, C = d->width;

    for (size_t i = 0; i < M; i++)
        vec_copy(C, h + picked->place[i] * C, s->x + i * C);
    norm_forward(M, C, s->x, d->at.norm_gain, d->at.norm_bias, s->xhat, s->rstd, s->seen);
    gemm_nt(M, C, C, s->seen, d->at.proj, 0, s->z);
}

/* From dz to the states and to the parameters. */
static void project_backward(const struct denoise *d, struct denoise_scratch *s,
                             const struct denoise_picked *picked,
                             const struct denoise_gradient *to) {
    size_t M = picked->n, C = d->width;

    gemm_tn(C, C, M, s->dz, s->seen, 1, to->at.proj);
    gemm_nn(M, C, C, s->dz, d->at.proj, 0, s->x);
    norm_backward(M, C, s->x, d->at.norm_gain, s->xhat, s->rstd, to->at.norm_gain,
                  to->at.norm_bias);
    for (size_t i = 0; i < M; i++)
        vec_add(C, s->x + i * C, to->h + picked->place[i] * C);
}

static real truth_logit(const struct denoise *d, const struct net_weights *w, const real *z,
                        uint32_t truth) {
    return vec_dot(d->width, z, w->embed + (size_t)truth * d->width) + d->at.bias[truth];
}

/* From a row of logits to scale times their gradients; returns the same at the truth's own. */
static real learn_row(const struct denoise *d, real *row, real logit, uint32_t truth, double scale,
                      double *loss) {
    uint32_t own = d->column[truth];
    real top = logit, mine, total, norm;

    vec_add(d->n, d->offset, row);
    if (own != DENOISE_NONE)
        row[own] = (real)EXCLUDED; /* it stands beside the candidates, and must not count twice */
    for (uint32_t j = 0; j < d->n; j++)
        top = row[j] > top ? row[j] : top;
    mine = (real)exp((double)(logit - top));
    total = vec_exp_sum(d->n, top, row) + mine;
    *loss += log((double)total) - (double)(logit - top);
    norm = (real)scale / total;
    vec_scale(d->n, norm, row);
    if (own != DENOISE_NONE)
        row[own] = 0;
    return norm * mine - (real)scale;
}

struct denoise_sum denoise_learn(const struct denoise *d, const struct net_weights *w,
                                 struct denoise_scratch *s, const real *h,
                                 const struct denoise_picked *picked, double scale,
                                 const struct denoise_gradient *to) {
    size_t M = picked->n, C = d->width, S = d->n;
    struct denoise_sum sum = {.n = M};

    project(d, s, h, picked);
    gemm_nt(M, S, C, s->z, d->rows, 0, s->logits);
    for (size_t i = 0; i < M; i++) {
        uint32_t v = picked->truth[i];
        const real *z = s->z + i * C;
        real dlogit = learn_row(d, s->logits + i * S, truth_logit(d, w, z, v), v, scale, &sum.loss);

        to->at.bias[v] += dlogit;
        vec_scaled(C, dlogit, z, to->truth + i * C);
        vec_scaled(C, dlogit, w->embed + v * C, s->dz + i * C);
    }
    vec_zero(S, s->column);
    vec_sum_rows(M, S, s->logits, s->column);
    for (size_t j = 0; j < S; j++)
        to->at.bias[d->candidate[j]] += s->column[j];
    gemm_tn(S, C, M, s->logits, s->z, 1, to->rows);
    gemm_nn(M, C, S, s->logits, d->rows, 1, s->dz);
    project_backward(d, s, picked, to);
    return sum;
}

/* Logits of pieces from .. from+n-1 of picked token i join what is known of its softmax so far. */
static void score_row(const struct denoise *d, struct denoise_scratch *s, size_t i, uint32_t from,
                      uint32_t n) {
    real *row = s->logits + i * n, before = s->top[i];

    vec_add(n, d->at.bias + from, row);
    for (uint32_t j = 0; j < n; j++)
        if (row[j] > s->top[i]) {
            s->top[i] = row[j];
            s->best[i] = from + j;
        }
    s->total[i] *= exp((double)(before - s->top[i]));
    s->total[i] += (double)vec_exp_sum(n, s->top[i], row);
}

struct denoise_sum denoise_score(const struct denoise *d, const struct net_weights *w,
                                 struct denoise_scratch *s, const real *h,
                                 const struct denoise_picked *picked) {
    size_t M = picked->n, C = d->width;
    struct denoise_sum sum = {.n = M};

    project(d, s, h, picked);
    for (size_t i = 0; i < M; i++) {
        s->total[i] = 0;
        s->top[i] = (real)EXCLUDED;
    }
    for (uint32_t from = 0; from < d->vocab; from += d->o.candidates) {
        uint32_t left = d->vocab - from, n = left < d->o.candidates ? left : d->o.candidates;

        gemm_nt(M, n, C, s->z, w->embed + from * C, 0, s->logits);
        for (size_t i = 0; i < M; i++)
            score_row(d, s, i, from, n);
    }
    for (size_t i = 0; i < M; i++) {
        double logit = (double)truth_logit(d, w, s->z + i * C, picked->truth[i]);

        sum.hits += s->best[i] == picked->truth[i];
        sum.loss += (double)s->top[i] + log(s->total[i]) - logit;
    }
    return sum;
}
