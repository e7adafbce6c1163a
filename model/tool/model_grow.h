/* model_grow.h - the logits of a line by way of a segment that grows (net/segment.h), as a stream
 * in the daemon does: fed in pieces, each token computed once. */
#ifndef MODEL_TOOL_MODEL_GROW_H
#define MODEL_TOOL_MODEL_GROW_H

#include "model/engine/segment.h"
#include "model/text/tokenize_stream.h"
#include "model/tool/common/model_args.h"

#define MODEL_GROW_PIECE_MAX 65536u

struct model_grow {
    struct model_one *one; /* borrowed; its logits are where they end up */
    struct arena arena;
    struct segment_scratch *scratch;
    struct segment *segment;
    uint32_t *ids;  /* (most) of one piece */
    size_t most;    /* tokens that a piece may give */
    uint32_t piece; /* bytes of text, or tokens, of each piece; 0: random sizes */
    struct rng rng;
};

/* Pieces of `piece` bytes or tokens, up to MODEL_GROW_PIECE_MAX, or of random sizes by seed.
 * Errors: UNSUPPORTED (the model needs whole texts), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err model_grow_open(struct model_grow *g, struct model_one *one,
                                               uint32_t piece, uint64_t seed, struct reason *why);
void model_grow_close(struct model_grow *g);

/* As model_one_run and model_one_text, in pieces. */
DIFFUSE_MUST_CHECK diffuse_err model_grow_run(struct model_grow *g, size_t n, struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err model_grow_text(struct model_grow *g, const char *text, size_t len,
                                               struct reason *why);

#endif
