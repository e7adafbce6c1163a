/* bench_limit.h - what the machine gives at most: OpenBLAS at the model's shapes and nothing else,
 * and reading memory from end to end. */
#ifndef MODEL_TOOL_BENCH_BENCH_LIMIT_H
#define MODEL_TOOL_BENCH_BENCH_LIMIT_H

#include "model/base/arena.h"
#include "model/base/real.h"
#include "model/net/config.h"

struct bench_limit {
    const struct net_config *config; /* borrowed */
    struct arena arena;
    real *in, *out, *matrix; /* operands as wide as any product */
    uint64_t *memory;        /* more than caches hold */
};

/* Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err bench_limit_open(struct bench_limit *l, const struct net_config *c);
void bench_limit_close(struct bench_limit *l);

/* The matrix products of one text of so many tokens, a chunk of tokens at a time; nothing between
 * them is done. bench_limit_operations: multiplications and additions of them. */
void bench_limit_products(struct bench_limit *l, uint32_t tokens);
double bench_limit_operations(const struct net_config *c, uint32_t tokens);

/* Read all of the memory; its bytes. */
size_t bench_limit_read(struct bench_limit *l);

#endif
