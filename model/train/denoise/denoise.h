/* denoise.h - learning from text without labels: tell what a token was from the tokens around it.
 *
 * Of each sequence 15 % of the tokens are picked; of those 80 % become [MASK], 10 % a random piece,
 * 10 % stay (Devlin et al., 2019). The last state h of such a token is compared with the embeddings
 * themselves:
 *
 *   z = proj LN(h)          logit of piece v = z . embed[v] + bias[v]
 *
 * The softmax runs over the truth and S other pieces, drawn anew for each step without replacement,
 * piece v with chance c_v. Each of them counts 1/c_v times, so the sum is right on average and
 * exact when S covers the vocabulary (after Jean et al., 2015). c_v follows count^0.75.
 *
 * Shapes: V pieces, C width, S candidates, N tokens of a chunk, M of them picked.
 * Threads: everything but denoise_draw and denoise_pick may run on any number at once.
 */
#ifndef MODEL_TRAIN_DENOISE_DENOISE_H
#define MODEL_TRAIN_DENOISE_DENOISE_H

#include "model/net/net.h"

#define DENOISE_NONE UINT32_MAX

struct denoise_options {
    double share;        /* of the tokens that are picked */
    uint32_t candidates; /* S; V at most */
    uint32_t mask;       /* id of [MASK]; DENOISE_NONE: a random piece instead */
    uint32_t unknown;    /* id that is never picked, of [UNK]; or DENOISE_NONE */
    size_t beside;       /* numbers of another objective, kept behind its own in its block */
};

/* The objective's own parameters, in one block; gradients have the same shape. */
struct denoise_tensors {
    real *bias;      /* (V) */
    real *norm_gain; /* (C) */
    real *norm_bias; /* (C) */
    real *proj;      /* (C,C) */
};

struct denoise {
    struct denoise_options o;
    uint32_t vocab, width;
    real *block;               /* (denoise_entries + o.beside) */
    struct denoise_tensors at; /* in block */
    double *chance;            /* (V) of being drawn */
    uint32_t n;                /* candidates of this draw */
    uint32_t *candidate;       /* (S+1) ascending */
    uint32_t *column;          /* (V) place among the candidates, or DENOISE_NONE */
    real *rows;                /* (S+1,C) their embeddings */
    real *offset;              /* (S+1) bias less the log of the chance */
};

/* Tokens of a batch that were picked: picked token i is place[i], ascending, and was truth[i]. */
struct denoise_picked {
    uint32_t *place, *truth; /* (room for every token) */
    uint32_t n;
};

/* What one thread works in. */
struct denoise_scratch {
    real *x, *xhat, *rstd, *seen, *z, *dz; /* (N,C), rstd (N): states, LN, projections */
    real *logits;                          /* (N,S+1) */
    real *column;                          /* (S+1) sums over the picked tokens */
    double *total;                         /* (N) running sum of a softmax */
    real *top;                             /* (N) and its largest logit */
    uint32_t *best;                        /* (N) and where that was */
};

/* Where the gradients of a chunk go. All but `truth` are added to. */
struct denoise_gradient {
    real *h;                   /* (N,C) at the states; other tokens' rows are left alone */
    real *truth;               /* (M,C) at the embedding of each truth */
    real *rows;                /* (S+1,C) at the candidates' embeddings */
    struct denoise_tensors at; /* at the parameters */
};

struct denoise_sum {
    double loss; /* cross-entropy, summed */
    size_t hits; /* truths with the largest logit; of denoise_score alone */
    size_t n;    /* picked tokens */
};

size_t denoise_entries(uint32_t vocab, uint32_t width); /* of the block */
struct denoise_tensors denoise_point(uint32_t vocab, uint32_t width, real *block);

/* count(V): how often each piece occurs. Arena bytes, and the objective made in the arena. NOMEM:
 * arena full. */
size_t denoise_bytes(uint32_t vocab, uint32_t width, const struct denoise_options *o);
DIFFUSE_MUST_CHECK diffuse_err denoise_new(struct arena *arena, const struct net_config *c,
                                           const struct denoise_options *o, const uint64_t *count,
                                           struct denoise **ret_denoise);
size_t denoise_scratch_bytes(uint32_t width, uint32_t candidates, size_t max_tokens);
DIFFUSE_MUST_CHECK diffuse_err denoise_scratch_new(struct arena *arena, uint32_t width,
                                                   uint32_t candidates, size_t max_tokens,
                                                   struct denoise_scratch *ret_scratch);

/* Corrupt ids(n) in place and list what was picked. */
void denoise_pick(const struct denoise *d, struct rng *rng, uint32_t *ids, size_t n,
                  struct denoise_picked *picked);

/* Draw this step's candidates; gather takes their embeddings and biases as they are now. */
void denoise_draw(struct denoise *d, struct rng *rng);
void denoise_gather(struct denoise *d, const struct net_weights *w);

/* Loss of the picked tokens, whose places count from the first row of h(N,C), and scale times its
 * gradients. */
struct denoise_sum denoise_learn(const struct denoise *d, const struct net_weights *w,
                                 struct denoise_scratch *s, const real *h,
                                 const struct denoise_picked *picked, double scale,
                                 const struct denoise_gradient *to);

/* Loss and hits against the whole vocabulary. */
struct denoise_sum denoise_score(const struct denoise *d, const struct net_weights *w,
                                 struct denoise_scratch *s, const real *h,
                                 const struct denoise_picked *picked);

#endif
