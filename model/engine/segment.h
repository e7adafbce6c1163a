/* segment.h - the model on a text that grows: what new tokens change is computed, and nothing else.
 *
 * A token's state after step t depends on the tokens up to o_0 + ... + o_{t-1} places on, and on no
 * others. So step t's result is final for all tokens but the last few, and new tokens push T + 1
 * fronts through the steps, each token being updated once by each step. Of the state that goes into
 * step t only the last 2 o_t tokens are looked at again, and only they are kept; what came out of
 * the last step goes into a running pool. The tokens between the fronts and the end are completed
 * when logits are wanted, as if the text ended there, and the completion is thrown away: so the
 * logits are those of engine_forward on the tokens so far, whatever pieces they came in.
 *
 * Costs, with the reach R = o_0 + ... + o_{T-1}: a new token, T updates of a token; logits, at most
 * R T updates and the head. Neither depends on what came before. Bytes of a segment, with C = width
 * (segment_bytes is exact):
 *
 *   64 + 8 C [pools with a mean] + 4 C [with a maximum] + 8 C R,   each term rounded up to 64,
 *
 * and wide_state_bytes of a wide part, whose sums grow with each token as well.
 *
 * The mean's running sum is a double: after 10^9 tokens its error is still below that of one float.
 * Shapes as in net.h. Threads: an engine is shared and constant; a segment and a scratch each
 * belong to one thread at a time. Any number of segments may share a scratch.
 */
#ifndef MODEL_NET_SEGMENT_H
#define MODEL_NET_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/base/real.h"
#include "model/engine/engine.h"
#include "model/net/config.h"

struct segment;         /* one growing text; lies in the caller's memory, and points nowhere */
struct segment_scratch; /* what a pass works in */

/* Tokens for one segment. */
struct segment_feed {
    struct segment *segment;
    const uint32_t *ids; /* (n) each below config.vocab: the caller has checked */
    size_t n;            /* 0 or more */
};

/* Can texts grow under this configuration? Errors: UNSUPPORTED, the reason naming what must see the
 * whole text: the ring, brackets, or the pool over roots. */
DIFFUSE_MUST_CHECK diffuse_err segment_check(const struct net_config *c, struct reason *why);

/* Bytes of a segment: a multiple of ARENA_ALIGN, which it must be aligned to. */
size_t segment_bytes(const struct net_config *c);

/* A text without tokens in memory(segment_bytes); also starts a used segment anew. What a segment
 * holds is of one engine: under another one, begin again. Returns memory. */
struct segment *segment_begin(const struct net_config *c, void *memory);

uint64_t segment_tokens(const struct segment *s); /* so far */

/* Scratch for passes over up to max_tokens new tokens and max_segments segments, 1 or more. Larger
 * jobs take several passes; passes over 64 tokens or more are fastest. Error: NOMEM. */
size_t segment_scratch_bytes(const struct net_config *c, const struct engine_kind *kind,
                             size_t max_tokens, size_t max_segments);
DIFFUSE_MUST_CHECK diffuse_err segment_scratch_new(struct arena *arena, const struct net_config *c,
                                                   const struct engine_kind *kind,
                                                   size_t max_tokens, size_t max_segments,
                                                   struct segment_scratch **ret_scratch);

/* Append the tokens of n feeds, each to its segment, no segment twice. Allocates nothing, cannot
 * fail. */
void segment_advance(const struct engine *e, struct segment_scratch *scratch,
                     const struct segment_feed *feeds, size_t n);

/* logits(n,L) of n segments as they would be if their text ended with the tokens of the feed (up to
 * max_tokens; 0 for as it stands), which are not appended. No text is empty. Allocates nothing,
 * changes no segment, cannot fail. */
void segment_logits(const struct engine *e, struct segment_scratch *scratch,
                    const struct segment_feed *feeds, size_t n, real *logits);

#endif
