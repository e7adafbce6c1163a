#include "model/tool/common/model_args.h"

#include <stdlib.h>
#include <string.h>

#include "model/tool/common/whole_arg.h"

#define DEFAULT_LENGTH 512 /* tokens, when the checkpoint does not say */

enum {
    KEY_STEPS = 0x100,
    KEY_ALPHA,
    KEY_BOUNDARY,
    KEY_VOCAB,
    KEY_LABELS,
    KEY_KERNEL,
    KEY_PRECISION
};

static const struct argp_option options[] = {
    {"model", 'm', "FILE", 0, "Checkpoint to use (required)", 0},
    {"kernel", KEY_KERNEL, "NAME", 0, "Inner loops: " KERNEL_NAMES " (auto: the best here)", 0},
    {"precision", KEY_PRECISION, "f32|bf16|i8", 0,
     "Numbers to multiply in (auto: i8 when the checkpoint stores its matrices so)", 0},
    {0, 0, 0, 0, "For a checkpoint without a header of ours, such as a bare PyTorch export:", 10},
    {"num-iters", KEY_STEPS, "T", 0, "Diffusion steps (4)", 10},
    {"alpha", KEY_ALPHA, "A", 0, "Share of the old state, 0 to 1 (0.5)", 10},
    {"boundary", KEY_BOUNDARY, "ring|zero", 0, "What lies beyond the ends (ring)", 10},
    {"vocab", KEY_VOCAB, "FILE", 0, "vocab.txt of its WordPiece tokenizer", 10},
    {"labels", KEY_LABELS, "FILE", 0, "Names of its labels, one a line", 10},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct model_args *a = state->input;
    enum engine_precision precision;
    char *end = NULL;

    switch (key) {
    case 'm':
        a->path = arg;
        return 0;
    case KEY_KERNEL:
        a->kernel = arg;
        return 0;
    case KEY_PRECISION:
        if (strcmp(arg, "auto") != 0 && engine_precision_parse(arg, &precision))
            argp_error(state, "--precision is \"%s\", expected auto, f32, bf16 or i8", arg);
        a->precision = arg;
        return 0;
    case KEY_STEPS:
        a->hints.steps = (uint32_t)whole_arg("num-iters", arg, 1, LIMIT_STEPS, state);
        return 0;
    case KEY_ALPHA:
        a->hints.alpha = strtof(arg, &end);
        if (*end || !(a->hints.alpha > 0 && a->hints.alpha <= 1))
            argp_error(state, "--alpha is \"%s\", expected above 0, up to 1", arg);
        return 0;
    case KEY_BOUNDARY:
        a->hints.boundary = arg;
        return 0;
    case KEY_VOCAB:
        a->hints.vocab_path = arg;
        return 0;
    case KEY_LABELS:
        a->hints.labels_path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->path)
            argp_error(state, "--model FILE is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp model_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

diffuse_err model_args_kind(const struct model_args *a, const struct model *m,
                            struct engine_kind *ret_kind, struct reason *why) {
    enum engine_precision precision;

    if (!a->precision || engine_precision_parse(a->precision, &precision))
        precision = m->body_i8 ? ENGINE_I8 : ENGINE_F32;
    return engine_kind_make(a->kernel ? a->kernel : "auto", precision, ret_kind, why);
}

diffuse_err model_one_reserve(struct model_one *o, size_t tokens) {
    const struct net_config *c = &o->model->config;
    struct arena room;
    uint32_t *ids;
    diffuse_err e;

    if (tokens <= o->cap)
        return DIFFUSE_OK;
    if (tokens < 2 * o->cap)
        tokens = 2 * o->cap;
    e = arena_init(&room, engine_scratch_bytes(c, &o->kind, tokens, 1) +
                              arena_block(tokens * sizeof *ids) +
                              arena_block(c->labels * sizeof(real)));
    if (e)
        return e;
    if ((e = engine_scratch_new(&room, c, &o->kind, tokens, 1, &o->scratch))) {
        arena_done(&room);
        return e;
    }
    ids = arena_alloc(&room, tokens * sizeof *ids);
    o->logits = arena_alloc(&room, c->labels * sizeof(real));
    if (o->cap)
        memcpy(ids, o->ids, o->cap * sizeof *ids);
    arena_done(&o->room);
    o->room = room;
    o->ids = ids;
    o->cap = tokens;
    return DIFFUSE_OK;
}

diffuse_err model_one_open(struct model_one *o, const struct model_args *args, struct reason *why) {
    diffuse_err e;

    *o = (struct model_one){0};
    e = ckpt_read(args->path, &args->hints, CKPT_SERVE, &o->arena, &o->model, why);
    if (e)
        return e;
    e = model_args_kind(args, o->model, &o->kind, why);
    if (!e)
        e = arena_init(&o->packed, engine_bytes(&o->model->config, &o->kind));
    if (!e)
        e = engine_new(&o->packed, &o->model->config, o->model->weights, &o->kind, &o->engine);
    if (!e)
        e = model_one_reserve(o, model_one_max_length(o));
    if (e)
        model_one_close(o);
    return e;
}

void model_one_close(struct model_one *o) {
    arena_done(&o->room);
    arena_done(&o->packed);
    arena_done(&o->arena);
}

size_t model_one_max_length(const struct model_one *o) {
    return o->model->max_length ? o->model->max_length : DEFAULT_LENGTH;
}

diffuse_err model_one_check(const struct model_one *o, size_t n, struct reason *why) {
    const struct net_config *c = &o->model->config;

    if (n == 0)
        return reason_set(why, DIFFUSE_EMPTY, "no tokens");
    for (size_t i = 0; i < n; i++)
        if (o->ids[i] >= c->vocab)
            return reason_set(why, DIFFUSE_BADTOKEN, "token %zu is %u, the vocabulary has %u",
                              i + 1, o->ids[i], c->vocab);
    return DIFFUSE_OK;
}

diffuse_err model_one_run(struct model_one *o, size_t n, struct reason *why) {
    uint32_t start[2] = {0, (uint32_t)n};
    struct net_batch batch = {o->ids, start, 1};
    diffuse_err e = model_one_check(o, n, why);

    if (e)
        return e;
    engine_forward(o->engine, o->scratch, &batch, o->logits);
    return DIFFUSE_OK;
}

diffuse_err model_one_text(struct model_one *o, const char *text, size_t len, struct reason *why) {
    size_t n = 0, max = model_one_max_length(o);
    bool cut;
    diffuse_err e;

    if (!o->model->tokenizer)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "the checkpoint has no vocabulary: give --vocab FILE, or token ids");
    e = tokenizer_encode(o->model->tokenizer, text, len, o->ids, max, &n, &cut);
    if (e)
        return reason_set(why, e, "%s", diffuse_strerror(e));
    return model_one_run(o, n, why);
}
