#include "model/tool/bench/bench_way.h"

#include "model/base/rng.h"
#include "model/net/label.h"

#define DEFAULT_LENGTH 512u

static size_t seat_bytes(const struct model *m, const struct engine_kind *kind,
                         const struct bench_size *s) {
    const struct net_config *c = &m->config;

    return (kind ? engine_scratch_bytes(c, kind, s->tokens, s->seqs)
                 : net_scratch_bytes(c, s->tokens, s->seqs)) +
           arena_block(s->tokens * sizeof(uint32_t)) +
           arena_block((s->seqs + 1) * sizeof(uint32_t)) +
           arena_block(s->seqs * c->labels * sizeof(real));
}

static diffuse_err take_scratch(struct bench_way *w, struct bench_seat *seat) {
    const struct net_config *c = &w->model->config;

    if (!w->engine)
        return net_scratch_new(&w->arena, c, w->size.tokens, w->size.seqs, &seat->plain);
    return engine_scratch_new(&w->arena, c, &w->kind, w->size.tokens, w->size.seqs, &seat->scratch);
}

static diffuse_err take_seat(struct bench_way *w, struct bench_seat *seat, struct rng *r) {
    const struct net_config *c = &w->model->config;
    diffuse_err e = take_scratch(w, seat);

    if (e)
        return e;
    seat->ids = arena_alloc(&w->arena, w->size.tokens * sizeof *seat->ids);
    seat->start = arena_alloc(&w->arena, (w->size.seqs + 1) * sizeof *seat->start);
    seat->logits = arena_alloc(&w->arena, w->size.seqs * c->labels * sizeof *seat->logits);
    if (!seat->ids || !seat->start || !seat->logits)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < w->size.tokens; i++)
        seat->ids[i] = rng_below(r, c->vocab);
    return DIFFUSE_OK;
}

diffuse_err bench_way_open(struct bench_way *w, const struct model *model,
                           const struct engine_kind *kind, struct bench_size size) {
    const struct net_config *c = &model->config;
    struct rng r;
    diffuse_err e;

    *w = (struct bench_way){.model = model, .precision = "f32", .kernel = "openblas", .size = size};
    if ((e = arena_init(&w->arena, (kind ? engine_bytes(c, kind) : 0) +
                                       size.threads * seat_bytes(model, kind, &size))))
        return e;
    if (kind) {
        w->kind = *kind;
        w->precision = engine_precision_name(kind->precision);
        w->kernel = kind->kernel->name;
        e = engine_new(&w->arena, c, model->weights, kind, &w->engine);
    }
    rng_init(&r, 1, 0);
    for (unsigned i = 0; !e && i < size.threads; i++)
        e = take_seat(w, &w->seat[i], &r);
    if (e)
        bench_way_close(w);
    return e;
}

void bench_way_close(struct bench_way *w) {
    arena_done(&w->arena);
}

static void run(struct bench_way *w, struct bench_seat *s, uint32_t seqs) {
    const struct net_batch batch = {s->ids, s->start, seqs};

    if (w->engine)
        engine_forward(w->engine, s->scratch, &batch, s->logits);
    else
        net_forward(&w->model->config, w->model->weights, s->plain, &batch, s->logits);
}

void bench_way_tokens(struct bench_way *w, unsigned seat, uint32_t tokens, uint32_t seqs) {
    struct bench_seat *s = &w->seat[seat];

    for (uint32_t i = 0; i <= seqs; i++)
        s->start[i] = i * tokens;
    run(w, s, seqs);
}

size_t bench_way_texts(struct bench_way *w, unsigned seat, const struct bench_texts *texts,
                       size_t most, size_t *tokens) {
    const struct model *m = w->model;
    struct bench_seat *s = &w->seat[seat];
    size_t cut = m->max_length ? m->max_length : DEFAULT_LENGTH, done = 0, used = 0, got;
    uint32_t seqs = 0;

    while (done < most && (seqs == 0 || used + cut <= w->size.tokens)) {
        size_t i = s->next++ % texts->n;
        bool truncated;

        done++;
        if (tokenizer_encode(m->tokenizer, texts->bytes + texts->start[i],
                             texts->start[i + 1] - texts->start[i], s->ids + used, cut, &got,
                             &truncated))
            continue; /* without a token, or no UTF-8: that was its answer */
        s->start[seqs++] = (uint32_t)used;
        used += got;
    }
    *tokens += used;
    if (seqs == 0)
        return done;
    s->start[seqs] = (uint32_t)used;
    run(w, s, seqs);
    for (uint32_t i = 0; i < seqs; i++) {
        real *logits = s->logits + i * m->config.labels;

        (void)label_softmax(logits, m->config.labels, m->temperature, logits);
    }
    return done;
}
