#include "model/net/label.h"

#include <math.h>

#include "model/base/gemm.h"
#include "model/base/vec.h"

void label_forward(const struct net_config *c, const struct net_weights *w, size_t B,
                   struct label_acts *acts, struct net_noise *noise, real *logits) {
    size_t P = net_config_pool_width(c), H = c->head_width, L = c->labels;

    gemm_nt(B, H, P, acts->p, w->head_in, 0, acts->q);
    vec_add_rows(B, H, w->head_in_bias, acts->q);
    vec_gelu(B * H, acts->q, acts->g);
    if (noise)
        noise_drop(noise, noise->dropout, B * H, acts->keep, acts->g);
    gemm_nt(B, L, H, acts->g, w->head_out, 0, logits);
    vec_add_rows(B, L, w->head_out_bias, logits);
}

void label_backward(const struct net_config *c, const struct net_weights *w, size_t B,
                    const struct label_acts *acts, const struct net_noise *noise,
                    const real *dlogits, struct net_weights *dw, real *dp) {
    size_t P = net_config_pool_width(c), H = c->head_width, L = c->labels;

    vec_gelu_slope(B * H, acts->q, acts->g, acts->slope);
    noise_drop_again(noise->dropout, B * H, acts->keep, acts->g);
    noise_drop_again(noise->dropout, B * H, acts->keep, acts->slope);
    gemm_tn(L, H, B, dlogits, acts->g, 1, dw->head_out);
    vec_sum_rows(B, L, dlogits, dw->head_out_bias);
    gemm_nn(B, H, L, dlogits, w->head_out, 0, acts->g);
    vec_mul(B * H, acts->slope, acts->g);
    gemm_tn(H, P, B, acts->g, acts->p, 1, dw->head_in);
    vec_sum_rows(B, H, acts->g, dw->head_in_bias);
    gemm_nn(B, P, H, acts->g, w->head_in, 0, dp);
}

static uint32_t uniform(uint32_t labels, real *scores) {
    for (uint32_t i = 0; i < labels; i++)
        scores[i] = 1 / (real)labels;
    return 0;
}

uint32_t label_softmax(const real *logits, uint32_t labels, real temperature, real *scores) {
    uint32_t best = 0;
    real top, sum = 0;

    for (uint32_t i = 0; i < labels; i++) {
        if (!isfinite(logits[i]))
            return uniform(labels, scores);
        if (logits[i] > logits[best])
            best = i;
    }
    top = logits[best];
    for (uint32_t i = 0; i < labels; i++) {
        scores[i] = (real)exp((double)((logits[i] - top) / temperature));
        sum += scores[i];
    }
    vec_scale(labels, 1 / sum, scores);
    return best;
}
