/* net.h - the model: token ids in, logits out, and the way back for training.
 *
 * Shapes: N tokens in all, B sequences (net_batch.h), C = width, L = labels. Weights are shared and
 * constant, scratch belongs to one thread.
 */
#ifndef MODEL_NET_NET_H
#define MODEL_NET_NET_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/base/real.h"
#include "model/base/store.h"
#include "model/net/config.h"
#include "model/net/net_batch.h"
#include "model/net/noise.h"
#include "model/net/weights.h"

struct net_scratch; /* activations of one forward pass */

/* Arena bytes of net_scratch_new: linear in max_tokens (N) and max_seqs (B). */
size_t net_scratch_bytes(const struct net_config *c, size_t max_tokens, size_t max_seqs);
DIFFUSE_MUST_CHECK diffuse_err net_scratch_new(struct arena *arena, const struct net_config *c,
                                               size_t max_tokens, size_t max_seqs,
                                               struct net_scratch **ret_scratch);

/* For net_forward_training and net_backward, and net_states: keeps what the way back needs, in 16
 * bits a number when `kept` says so. */
size_t net_training_scratch_bytes(const struct net_config *c, size_t max_tokens, size_t max_seqs,
                                  enum store_type kept);
DIFFUSE_MUST_CHECK diffuse_err net_training_scratch_new(struct arena *arena,
                                                        const struct net_config *c,
                                                        size_t max_tokens, size_t max_seqs,
                                                        enum store_type kept,
                                                        struct net_scratch **ret_scratch);

/* logits(B,L) of a batch that fits the scratch. Allocates nothing, cannot fail. */
void net_forward(const struct net_config *c, const struct net_weights *w, struct net_scratch *s,
                 const struct net_batch *batch, real *logits);

/* The same with noise and dropout drawn from *noise, keeping what net_backward needs. */
void net_forward_training(const struct net_config *c, const struct net_weights *w,
                          struct net_scratch *s, const struct net_batch *batch,
                          struct net_noise *noise, real *logits);

/* Gradients of the last net_forward_training from dlogits(B,L), those of the deep part; a wide part
 * stays as it is. dw, pointed without tables, is
 * added to. Returns dh0(N,C), the gradient at each token's embedding, borrowed until the scratch is
 * used again: row v of the tables gets the sum of dh0 over the tokens that looked v up (embed.h).
 * With F16, gradients above 65504 become infinite, here and in dw: scaler.h. */
const struct store *net_backward(const struct net_config *c, const struct net_weights *w,
                                 struct net_scratch *s, const struct net_batch *batch,
                                 const struct net_noise *noise, const real *dlogits,
                                 struct net_weights *dw);

/* The same without pool and head, for objectives on the tokens. net_states gives h(N,C), the last
 * state of each token, borrowed until the scratch is used again; noise NULL: none is drawn, and
 * there is no way back. The way back begins with dh(N,C) written to net_states_gradient, which is
 * where h lies when things are kept in 16 bits. */
const real *net_states(const struct net_config *c, const struct net_weights *w,
                       struct net_scratch *s, const struct net_batch *batch,
                       struct net_noise *noise);
real *net_states_gradient(struct net_scratch *s);
const struct store *net_states_backward(const struct net_config *c, const struct net_weights *w,
                                        struct net_scratch *s, const struct net_batch *batch,
                                        const struct net_noise *noise, struct net_weights *dw);

#endif
