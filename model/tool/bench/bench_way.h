/* bench_way.h - one way of running a model, with a seat for each thread that runs it. */
#ifndef MODEL_TOOL_BENCH_BENCH_WAY_H
#define MODEL_TOOL_BENCH_BENCH_WAY_H

#include "model/ckpt/ckpt.h"
#include "model/engine/engine.h"
#include "model/net/net.h"
#include "model/tool/bench/bench_texts.h"
#include "proto/limits.h"

/* What one thread works in. */
struct bench_seat {
    struct net_scratch *plain;      /* without an engine */
    struct engine_scratch *scratch; /* with one */
    uint32_t *ids;                  /* (max_tokens) */
    uint32_t *start;                /* (max_seqs+1) */
    real *logits;                   /* (max_seqs, labels) */
    size_t next;                    /* text */
};

struct bench_size {
    unsigned threads;
    size_t tokens, seqs; /* of a batch, at most */
};

struct bench_way {
    const struct model *model; /* borrowed */
    const char *precision, *kernel;
    struct engine_kind kind;
    struct engine *engine; /* NULL: net_forward, on OpenBLAS */
    struct bench_size size;
    struct arena arena;
    struct bench_seat seat[LIMIT_WORKERS];
};

/* kind NULL: net_forward. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err bench_way_open(struct bench_way *w, const struct model *model,
                                              const struct engine_kind *kind,
                                              struct bench_size size);
void bench_way_close(struct bench_way *w);

/* Logits of seqs texts of tokens each; the ids are the seat's, whatever they are. */
void bench_way_tokens(struct bench_way *w, unsigned seat, uint32_t tokens, uint32_t seqs);

/* Texts to labels, from the seat's next one on, around and around: up to size.seqs of them, while
 * they fit. Returns how many, and adds their tokens to *tokens. */
size_t bench_way_texts(struct bench_way *w, unsigned seat, const struct bench_texts *texts,
                       size_t most, size_t *tokens);

#endif
