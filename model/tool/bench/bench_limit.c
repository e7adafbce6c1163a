#include "model/tool/bench/bench_limit.h"

#include "model/base/gemm.h"

#define CHUNK_TOKENS 1024u
#define RELATIONS    3u
#define MEMORY_WORDS (256u * 1024 * 1024 / sizeof(uint64_t))

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t widest(const struct net_config *c) {
    return larger(larger(RELATIONS * c->width, c->mlp_width),
                  larger(larger(c->head_width, c->labels), net_config_pool_width(c)));
}

diffuse_err bench_limit_open(struct bench_limit *l, const struct net_config *c) {
    size_t wide = widest(c), tall = CHUNK_TOKENS * wide;
    diffuse_err e;

    *l = (struct bench_limit){.config = c};
    if ((e = arena_init(&l->arena, 2 * arena_block(tall * sizeof(real)) +
                                       arena_block(wide * wide * sizeof(real)) +
                                       arena_block(MEMORY_WORDS * sizeof *l->memory))))
        return e;
    l->in = arena_alloc(&l->arena, tall * sizeof *l->in);
    l->out = arena_alloc(&l->arena, tall * sizeof *l->out);
    l->matrix = arena_alloc(&l->arena, wide * wide * sizeof *l->matrix);
    l->memory = arena_alloc(&l->arena, MEMORY_WORDS * sizeof *l->memory);
    for (size_t i = 0; i < tall; i++)
        l->in[i] = (real)(i % 7) / 8 - (real)0.4;
    for (size_t i = 0; i < wide * wide; i++)
        l->matrix[i] = (real)(i % 5) / 8 - (real)0.3;
    return DIFFUSE_OK;
}

void bench_limit_close(struct bench_limit *l) {
    arena_done(&l->arena);
}

static void product(const struct bench_limit *l, size_t rows, size_t in, size_t out) {
    gemm_nt(rows, out, in, l->in, l->matrix, 0, l->out);
}

void bench_limit_products(struct bench_limit *l, uint32_t tokens) {
    const struct net_config *c = l->config;

    for (uint32_t at = 0; at < tokens; at += CHUNK_TOKENS) {
        size_t n = tokens - at < CHUNK_TOKENS ? tokens - at : CHUNK_TOKENS;

        for (uint32_t t = 0; t < c->steps; t++) {
            product(l, n, c->width, RELATIONS * c->width);
            product(l, n, c->width, c->mlp_width);
            product(l, n, c->mlp_width, c->width);
        }
    }
    product(l, 1, net_config_pool_width(c), c->head_width);
    product(l, 1, c->head_width, c->labels);
}

double bench_limit_operations(const struct net_config *c, uint32_t tokens) {
    double width = c->width, mlp = c->mlp_width, head = c->head_width, labels = c->labels;
    double a_token = RELATIONS * width * width + 2 * width * mlp;

    return 2 * (a_token * c->steps * tokens + net_config_pool_width(c) * head + head * labels);
}

size_t bench_limit_read(struct bench_limit *l) {
    uint64_t sum[8] = {0};

    for (size_t i = 0; i < MEMORY_WORDS; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += l->memory[i + k];
    l->memory[0] += sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
    return MEMORY_WORDS * sizeof *l->memory;
}
