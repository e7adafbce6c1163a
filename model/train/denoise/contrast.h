/* contrast.h - learning from text without labels: tell which two pieces of text belong together.
 *
 * A window is cut in two, and the halves are sequences of their own. With p the mean of the last
 * states of a sequence and u = p / |p|, half a of pair i is to be told from the others' halves b:
 *
 *   loss = -log softmax_j(u_a(i) . u_b(j) / temperature) at j = i, and the same from b to a, halved
 *
 * (InfoNCE: van den Oord et al., 2018; halves of a document as positives: Giorgi et al., 2021). The
 * mean of a text's states becomes something that texts can be compared by, and a token that says
 * little a short state.
 *
 * Shapes: C width, P pairs, B sequences and N tokens of a chunk. Threads: any number at once.
 */
#ifndef MODEL_TRAIN_DENOISE_CONTRAST_H
#define MODEL_TRAIN_DENOISE_CONTRAST_H

#include "model/net/net.h"

/* What one thread works in. */
struct contrast_scratch {
    real *unit;      /* (2,P,C) u of the first halves, and of the second */
    real *length;    /* (2,P) |p| */
    real *slope;     /* (2,P,C) gradients at u */
    real *score;     /* (P,P) */
    real *other;     /* (P,P) the same, softmax along the columns */
    uint32_t *first; /* (P) sequence that is the first half of each pair */
};

size_t contrast_scratch_bytes(uint32_t width, size_t max_pairs);
DIFFUSE_MUST_CHECK diffuse_err contrast_scratch_new(struct arena *arena, uint32_t width,
                                                    size_t max_pairs,
                                                    struct contrast_scratch *ret_scratch);

/* Loss, summed over the pairs of a chunk, from its states h(N,C); pair[b]: sequences b and b+1 of
 * the chunk are the halves of one text. Adds scale times the gradients to dh(N,C). *ret_pairs: P.
 */
double contrast_learn(const struct net_batch *chunk, const uint8_t *pair, uint32_t width,
                      double temperature, double scale, struct contrast_scratch *s, const real *h,
                      real *dh, uint32_t *ret_pairs);

#endif
