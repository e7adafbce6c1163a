/* engine.h - the model for those who only want its logits: the forward pass of net.h, fused.
 *
 * An engine is a model's matrices, packed once for one kernel (kernel.h) and one precision. A pass
 * goes step by step over tiles of tokens that stay in the cache: neighbours are read where they
 * lie, the three products over them run as one, and what comes between the matrices (bias, gelu,
 * mix, LayerNorm) is done to a tile before it leaves. Batches are ragged, without padding.
 * net_forward is the same on OpenBLAS, and what this is tested against.
 *
 * In BF16 the matrices of the steps, and the tokens as they meet them, are rounded to 8 bits of
 * mantissa; sums are float. In int8 the matrices of the steps have whole numbers up to 127 with a
 * scale for each row; so have, as they come, the tokens that they are multiplied with. Everything
 * else, the head and the brackets among it, is float. What a token gives does not depend on what it
 * is batched with.
 *
 * Threads: an engine is constant, a scratch belongs to one thread at a time. The configuration and
 * the weights are borrowed: tables, and the matrices of brackets, are not packed.
 */
#ifndef MODEL_ENGINE_ENGINE_H
#define MODEL_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/base/real.h"
#include "model/engine/kernel.h"
#include "model/net/config.h"
#include "model/net/net.h"
#include "model/net/weights.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* How to compute: of engines and all that is made for them. */
struct engine_kind {
    const struct kernel *kernel;
    enum engine_precision precision;
};

/* Kernel by name ("auto": the best here). Errors: as kernel_find. */
DIFFUSE_MUST_CHECK diffuse_err engine_kind_make(const char *kernel, enum engine_precision precision,
                                                struct engine_kind *ret_kind, struct reason *why);

/* "f32", "bf16", "i8". The parser: NOTFOUND for any other. */
const char *engine_precision_name(enum engine_precision p);
DIFFUSE_MUST_CHECK diffuse_err engine_precision_parse(const char *name,
                                                      enum engine_precision *ret_precision);

struct engine;
struct engine_scratch; /* of one pass */

/* Arena bytes of engine_new. */
size_t engine_bytes(const struct net_config *c, const struct engine_kind *kind);
DIFFUSE_MUST_CHECK diffuse_err engine_new(struct arena *arena, const struct net_config *c,
                                          const struct net_weights *w,
                                          const struct engine_kind *kind,
                                          struct engine **ret_engine);

const struct engine_kind *engine_kind(const struct engine *e);
const struct net_config *engine_config(const struct engine *e);

/* Arena bytes of engine_scratch_new: linear in max_tokens and max_seqs. */
size_t engine_scratch_bytes(const struct net_config *c, const struct engine_kind *kind,
                            size_t max_tokens, size_t max_seqs);
DIFFUSE_MUST_CHECK diffuse_err engine_scratch_new(struct arena *arena, const struct net_config *c,
                                                  const struct engine_kind *kind, size_t max_tokens,
                                                  size_t max_seqs,
                                                  struct engine_scratch **ret_scratch);

/* logits(B,L) of a batch that fits the scratch, which was made for this kind and configuration.
 * Allocates nothing, cannot fail. */
void engine_forward(const struct engine *e, struct engine_scratch *s, const struct net_batch *batch,
                    real *logits);

#endif
