#include "daemon/path/loaded_model.h"

#include <stdio.h>
#include <string.h>

#include "daemon/common/stats.h"
#include "daemon/path/segments.h"
#include "model/ckpt/ckpt_selftest.h"
#include "proto/encode.h"

/* The self-test has to fit a bench, however small the batches are. */
static size_t bench_tokens(const struct conf *c) {
    return c->batch_tokens > CKPT_SELFTEST_TOKENS ? c->batch_tokens : CKPT_SELFTEST_TOKENS;
}

static size_t bench_samples(const struct conf *c) {
    return c->batch_max > CKPT_SELFTEST_SEQS ? c->batch_max : CKPT_SELFTEST_SEQS;
}

size_t loaded_model_bench_bytes(const struct conf *c, const struct plan_shape *shape) {
    return path_bench_bytes(shape->config, &shape->kind, bench_tokens(c), bench_samples(c),
                            segments_offered(c, shape->config));
}

size_t loaded_model_bytes(const struct conf *c, const struct plan_shape *shape) {
    size_t reply = encode_reply_max(shape->config->labels, shape->label_bytes, STATS_COUNTS);
    return shape->model_bytes + shape->engine_bytes +
           arena_block(c->workers * sizeof(struct path_bench)) +
           c->workers * loaded_model_bench_bytes(c, shape) + arena_block(reply) +
           arena_block(encode_rows_room(shape->config->labels, STATS_COUNTS));
}

/* What auto stands for: matrices that are stored in 8 bits are computed with in 8 bits. */
static enum engine_precision precision(const struct ckpt *k, const struct conf *c) {
    if (c->precision == CONF_PRECISION_AUTO)
        return ckpt_stores_i8(k) ? ENGINE_I8 : ENGINE_F32;
    if (c->precision == CONF_PRECISION_BF16)
        return ENGINE_BF16;
    return c->precision == CONF_PRECISION_I8 ? ENGINE_I8 : ENGINE_F32;
}

diffuse_err loaded_model_shape(const struct ckpt *k, const struct conf *c,
                               struct plan_shape *ret_shape, struct reason *why) {
    char kernel[CONF_TEXT_BYTES];
    struct reason inner = {""};
    *ret_shape = (struct plan_shape){.config = ckpt_config(k),
                                     .model_bytes = ckpt_model_bytes(k, CKPT_SERVE),
                                     .wide_bytes = ckpt_wide_part_bytes(k),
                                     .label_bytes = ckpt_label_bytes(k),
                                     .max_length = ckpt_max_length(k)};
    conf_show(c, CONF_KEY_kernel, kernel, sizeof kernel);
    diffuse_err e = engine_kind_make(kernel, precision(k, c), &ret_shape->kind, &inner);
    if (e)
        return reason_set(why, e, "key 'kernel': %s", inner.text);
    ret_shape->engine_bytes = engine_bytes(ret_shape->config, &ret_shape->kind);
    return DIFFUSE_OK;
}

/* Pages that are there already cost nothing to use again. */
static diffuse_err reserve(struct loaded_model *s, size_t bytes) {
    if (s->arena.base && s->arena.cap == arena_block(bytes)) {
        arena_rewind(&s->arena, 0);
        return DIFFUSE_OK;
    }
    arena_done(&s->arena);
    return arena_init(&s->arena, bytes);
}

static diffuse_err lay_control(struct loaded_model *s) {
    s->reply_cap = encode_reply_max(s->shape.config->labels, s->shape.label_bytes, STATS_COUNTS);
    size_t room = encode_rows_room(s->shape.config->labels, STATS_COUNTS);
    void *rows = arena_alloc(&s->arena, room);
    s->reply = arena_alloc(&s->arena, s->reply_cap);
    if (!rows || !s->reply)
        return DIFFUSE_NOMEM;
    msgmem_init(&s->rows, rows, room);
    return DIFFUSE_OK;
}

static diffuse_err lay_benches(struct loaded_model *s, const struct conf *c) {
    diffuse_err e = DIFFUSE_OK;
    s->bench = arena_alloc(&s->arena, c->workers * sizeof *s->bench);
    if (!s->bench)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; !e && i < c->workers; i++)
        e = path_bench_init(&s->bench[i], &s->arena, s->engine, bench_tokens(c), bench_samples(c),
                            segments_offered(c, &s->model->config));
    return e;
}

static diffuse_err prove(struct loaded_model *s, struct ckpt *k, const struct conf *c,
                         struct reason *why) {
    s->self_tested = ckpt_has_selftest(k);
    diffuse_err e = ckpt_selftest(k, s->engine, s->bench[0].scratch, why);
    for (size_t i = 0; !e && i < c->workers; i++)
        path_warm(&s->bench[i], s->model, s->plan.max_length);
    return e;
}

diffuse_err loaded_model_load(struct loaded_model *s, struct ckpt *k, const struct conf *c,
                              const struct plan *plan, const char *path, struct reason *why) {
    struct arena arena = s->arena;
    *s = (struct loaded_model){.arena = arena, .plan = *plan};
    snprintf(s->path, sizeof s->path, "%s", path);
    diffuse_err e = loaded_model_shape(k, c, &s->shape, why);
    if (!e)
        e = reserve(s, loaded_model_bytes(c, &s->shape));
    if (!e)
        e = ckpt_load(k, CKPT_SERVE, &s->arena, &s->model, why);
    if (!e) {
        memcpy(s->root, s->model->id, sizeof s->root);
        s->shape.config = &s->model->config;
        e = engine_new(&s->arena, s->shape.config, s->model->weights, &s->shape.kind, &s->engine);
    }
    if (!e)
        e = lay_benches(s, c);
    if (!e)
        e = lay_control(s);
    if (!e)
        e = prove(s, k, c, why);
    if (e) {
        if (!why->text[0])
            (void)reason_set(why, e, "%.200s: %s", path, diffuse_strerror(e));
        loaded_model_clear(s);
    }
    return e;
}

void loaded_model_clear(struct loaded_model *s) {
    arena_done(&s->arena);
    *s = (struct loaded_model){0};
}
