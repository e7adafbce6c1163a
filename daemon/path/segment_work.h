/* segment_work.h - a worker's part in running segments: pieces in, labels out. Pure compute, no
 * stream. */
#ifndef DAEMON_PATH_SEGMENT_WORK_H
#define DAEMON_PATH_SEGMENT_WORK_H

#include <stddef.h>

#include "daemon/path/inflight.h"
#include "model/base/arena.h"
#include "model/ckpt/model.h"
#include "model/engine/engine.h"
#include "model/engine/segment.h"
#include "model/text/tokenize_stream.h"
#include "proto/diffuse_err.h"

/* Tokens of one pass; at least what may wait in a tokenizer. */
#define SEGMENT_WORK_PASS_TOKENS 384u
_Static_assert(SEGMENT_WORK_PASS_TOKENS >= TOKENIZE_STREAM_TAIL, "a tail fits a pass");

/* Belongs to one thread; lent by its path_bench, but for what comes first. */
struct segment_work_bench {
    struct segment_scratch *scratch; /* NULL: this model has no running segments */
    struct segment_feed *feeds;      /* (max_samples) */
    struct inflight_sample **round;  /* (max_samples) */
    void *blank;                     /* a segment's memory, to warm up with */
    const struct engine *engine;
    struct engine_scratch *whole;
    uint32_t *ids, *start;
    real *logits; /* (max_samples, labels) */
};

size_t segment_work_bench_bytes(const struct net_config *c, const struct engine_kind *kind,
                                size_t max_samples);
DIFFUSE_MUST_CHECK diffuse_err segment_work_bench_init(struct segment_work_bench *b,
                                                       struct arena *arena,
                                                       const struct net_config *c,
                                                       const struct engine_kind *kind,
                                                       size_t max_samples);

/* Run n pieces, at most max_samples, of any segments of one model, in their order. */
void segment_work_run(struct segment_work_bench *b, const struct model *model,
                      struct inflight_sample **pieces, size_t n);

/* Touch the pages of the bench; ids has room for n tokens. */
void segment_work_warm(struct segment_work_bench *b, const struct model *model, size_t n);

#endif
