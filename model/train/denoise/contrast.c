#include "model/train/denoise/contrast.h"

#include <math.h>

#include "model/base/gemm.h"
#include "model/base/vec.h"

#define TINY 1e-6f /* length of a mean that has no direction */

size_t contrast_scratch_bytes(uint32_t width, size_t max_pairs) {
    size_t P = max_pairs;

    return 2 * arena_block(2 * P * width * sizeof(real)) + arena_block(2 * P * sizeof(real)) +
           2 * arena_block(P * P * sizeof(real)) + arena_block(P * sizeof(uint32_t));
}

diffuse_err contrast_scratch_new(struct arena *arena, uint32_t width, size_t max_pairs,
                                 struct contrast_scratch *ret_scratch) {
    size_t mark = arena_mark(arena), P = max_pairs;
    struct contrast_scratch s = {.unit = arena_alloc(arena, 2 * P * width * sizeof(real)),
                                 .length = arena_alloc(arena, 2 * P * sizeof(real)),
                                 .slope = arena_alloc(arena, 2 * P * width * sizeof(real)),
                                 .score = arena_alloc(arena, P * P * sizeof(real)),
                                 .other = arena_alloc(arena, P * P * sizeof(real)),
                                 .first = arena_alloc(arena, P * sizeof(uint32_t))};

    if (!s.unit || !s.length || !s.slope || !s.score || !s.other || !s.first) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

/* u and |p| of sequence b. */
static void take_mean(const struct net_batch *chunk, uint32_t b, size_t C, const real *h, real *u,
                      real *length) {
    size_t from = chunk->start[b] - chunk->start[0], to = chunk->start[b + 1] - chunk->start[0];

    vec_zero(C, u);
    vec_sum_rows(to - from, C, h + from * C, u);
    vec_scale(C, 1 / (real)(to - from), u);
    *length = (real)sqrt((double)vec_sum_squares(C, u)) + TINY;
    vec_scale(C, 1 / *length, u);
}

/* From the gradient du at u to the states of sequence b. */
static void mean_backward(const struct net_batch *chunk, uint32_t b, size_t C, const real *u,
                          real length, real *du, real *dh) {
    size_t from = chunk->start[b] - chunk->start[0], to = chunk->start[b + 1] - chunk->start[0];
    real along = vec_dot(C, u, du), scale = 1 / (length * (real)(to - from));

    for (size_t j = 0; j < C; j++)
        du[j] = scale * (du[j] - along * u[j]);
    for (size_t i = from; i < to; i++)
        vec_add(C, du, dh + i * C);
}

/* score(P,P) becomes softmax along its rows, less the identity; returns the loss. */
static double tell_rows(size_t P, real *score) {
    double loss = 0;

    for (size_t i = 0; i < P; i++) {
        real *row = score + i * P, own = row[i], top = own, total;

        for (size_t j = 0; j < P; j++)
            top = row[j] > top ? row[j] : top;
        total = vec_exp_sum(P, top, row);
        loss += log((double)total) - (double)(own - top);
        vec_scale(P, 1 / total, row);
        row[i] -= 1;
    }
    return loss;
}

double contrast_learn(const struct net_batch *chunk, const uint8_t *pair, uint32_t width,
                      double temperature, double scale, struct contrast_scratch *s, const real *h,
                      real *dh, uint32_t *ret_pairs) {
    size_t P = 0, C = width;
    real sharp = (real)(1 / temperature);
    real *a = s->unit, *b, *da = s->slope, *db;
    double loss;

    for (uint32_t q = 0; q + 1 < chunk->n; q++)
        if (pair[q])
            s->first[P++] = q;
    *ret_pairs = (uint32_t)P;
    if (P < 2)
        return 0;
    b = a + P * C;
    db = da + P * C;
    for (size_t i = 0; i < P; i++) {
        take_mean(chunk, s->first[i], C, h, a + i * C, &s->length[i]);
        take_mean(chunk, s->first[i] + 1, C, h, b + i * C, &s->length[P + i]);
    }
    gemm_nt(P, P, C, a, b, 0, s->score);
    vec_scale(P * P, sharp, s->score);
    for (size_t i = 0; i < P; i++)
        for (size_t j = 0; j < P; j++)
            s->other[j * P + i] = s->score[i * P + j];
    loss = (tell_rows(P, s->score) + tell_rows(P, s->other)) / 2;
    for (size_t i = 0; i < P; i++)
        for (size_t j = 0; j < P; j++)
            s->score[i * P + j] =
                (real)(scale / 2) * sharp * (s->score[i * P + j] + s->other[j * P + i]);
    gemm_nn(P, C, P, s->score, b, 0, da);
    gemm_tn(P, C, P, s->score, a, 0, db);
    for (size_t i = 0; i < P; i++) {
        mean_backward(chunk, s->first[i], C, a + i * C, s->length[i], da + i * C, dh);
        mean_backward(chunk, s->first[i] + 1, C, b + i * C, s->length[P + i], db + i * C, dh);
    }
    return loss;
}
