/* config.h - what a checkpoint's header fixes about the model, and its checks. */
#ifndef MODEL_NET_CONFIG_H
#define MODEL_NET_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "model/wide/wide.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

enum net_boundary {
    NET_BOUNDARY_ZERO, /* a neighbour beyond either end is the zero vector */
    NET_BOUNDARY_RING  /* circular over the real tokens of the sequence (the paper) */
};

enum net_norm {
    NET_NORM_POST,    /* h = LN(alpha*h + (1-alpha)*u(h)) (the paper) */
    NET_NORM_PRE,     /* h = h + u(LN(h)), and a final LN before the pool */
    NET_NORM_RESIDUAL /* as pre, without the final LN: a token keeps its length, and so its weight
                         in the mean */
};

enum net_pool {
    NET_POOL_MEAN,     /* mean over tokens (the paper) */
    NET_POOL_MAX,      /* maximum over tokens, by channel */
    NET_POOL_MEAN_MAX, /* both, end to end: the head reads 2*width */
    NET_POOL_ROOTS     /* mean over the tokens that no bracket encloses */
};

enum net_act {
    NET_ACT_GELU,
    NET_ACT_SINE /* sin(3x): learns what is periodic in a sum, as a remainder is */
};

struct net_config {
    uint32_t vocab;                 /* rows of the embedding */
    uint32_t width;                 /* d */
    uint32_t mlp_width;             /* hidden width of the update MLP; the paper: 2d */
    uint32_t head_width;            /* hidden width of the classifier; the paper: d */
    uint32_t labels;                /* classes */
    uint32_t steps;                 /* T; 0 is allowed: a bag of embeddings */
    uint32_t ngram_order;           /* hashed n-grams of 2..order tokens are added; below 2: none */
    uint32_t ngram_rows;            /* rows of the hashed table; 0: none */
    uint32_t offsets[LIMIT_STEPS];  /* o_t, 1 or more */
    float alpha;                    /* share of the old state */
    float noise_std;                /* of the noise on the embeddings, in training only */
    uint32_t open[LIMIT_BRACKETS];  /* token ids that open a group (bracket.h) */
    uint32_t close[LIMIT_BRACKETS]; /* and that close the innermost one */
    uint32_t n_open, n_close;       /* 0: the text has no brackets, and there is no sweep */
    bool per_step;                  /* one set of weights a step, else one for all (the paper) */
    enum net_act bracket_act;       /* inside the sweep's update */
    enum net_boundary boundary;
    enum net_norm norm;
    enum net_pool pool;
    struct wide_shape wide; /* of the wide part; without features: there is none */
    float deep_scale; /* beside a wide part: logits = wide + deep_scale * deep; 0: the deep part
                         is not computed */
};

/* The paper's form: width 256, 4 steps, offsets 1, alpha 0.5, noise 0.05, ring, post, shared, mean.
 */
void net_config_paper(struct net_config *c);

/* Everything in range and consistent? Errors: INVAL, the reason naming field and range. */
DIFFUSE_MUST_CHECK diffuse_err net_config_check(const struct net_config *c, struct reason *why);

bool net_config_has_wide(const struct net_config *c);
bool net_config_has_deep(const struct net_config *c); /* does it add to the logits? */
/* The same with more labels, the wide part's too. */
struct net_config net_config_with_labels(const struct net_config *c, uint32_t labels);
uint32_t net_config_pool_width(const struct net_config *c); /* what the head reads */
uint64_t net_config_reach(const struct net_config *c); /* tokens seen to each side: sum of o_t */

/* Names as in files and options: "zero" "ring", "post" "pre" "residual", "mean" "max" "mean_max"
 * "roots". The parsers return NOTFOUND for any other name. */
const char *net_boundary_name(enum net_boundary b);
const char *net_norm_name(enum net_norm n);
const char *net_pool_name(enum net_pool p);
const char *net_act_name(enum net_act a);
DIFFUSE_MUST_CHECK diffuse_err net_boundary_parse(const char *name, enum net_boundary *ret);
DIFFUSE_MUST_CHECK diffuse_err net_norm_parse(const char *name, enum net_norm *ret);
DIFFUSE_MUST_CHECK diffuse_err net_pool_parse(const char *name, enum net_pool *ret);
DIFFUSE_MUST_CHECK diffuse_err net_act_parse(const char *name, enum net_act *ret);

#endif
