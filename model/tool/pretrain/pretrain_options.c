#include "model/tool/pretrain/pretrain_options.h"

#include <stdlib.h>
#include <string.h>

#include "model/tool/common/rows_arg.h"
#include "model/tool/common/whole_arg.h"

#define MASK "[MASK]"

static const struct option_row rows[] = {
#define NUMBER(...) OPTION_ROW_NUMBER(struct pretrain_options, __VA_ARGS__)
#define COUNT(...)  OPTION_ROW_COUNT(struct pretrain_options, __VA_ARGS__)
#define CHOICE(...) OPTION_ROW_CHOICE(struct pretrain_options, __VA_ARGS__)
#include "model/tool/pretrain/pretrain.def"
#undef NUMBER
#undef COUNT
#undef CHOICE
};

#define ROWS (sizeof rows / sizeof *rows)

static const struct option_table table = {rows, ROWS};

enum {
    KEY_FIRST_ROW = 0x400,
    KEY_ALSO = 0x300,
    KEY_ONLY,
    KEY_VOCAB,
    KEY_VECTORS,
    KEY_SENTENCES,
    KEY_INIT,
    KEY_THREADS,
    KEY_RESUME
};

static const struct argp_option fixed[] = {
    {"data", 'd', "KIND:PATH", 0, "Rows to learn from (required)", -2},
    {"also-unlabelled", KEY_ALSO, 0, 0, "Its rows without labels as well", -2},
    {"only-unlabelled", KEY_ONLY, 0, 0, "Its rows without labels alone", -2},
    {"out", 'o', "DIR", 0, "Folder for the checkpoint and the records (required)", -2},
    {"resume", KEY_RESUME, 0, 0,
     "Go on with the run in --out, if it was stopped; the result has the same bits", -2},
    {"vocab", KEY_VOCAB, "FILE", 0, "vocab.txt to use instead of training one", -2},
    {"vectors", KEY_VECTORS, "FILE", 0,
     "Word vectors to start the embeddings from: a word a line, then its numbers", -2},
    {"sentence-vectors", KEY_SENTENCES, "FILE.npy", 0,
     "Vectors of another encoder, one a row in the rows' order (NumPy, float16), to be told from "
     "the mean of the row's states",
     -2},
    {"init", KEY_INIT, "FILE", 0,
     "Checkpoint to start from: its vocabulary, shape and weights, instead of new ones", -2},
    {"threads", KEY_THREADS, "N", 0, "Threads (one a core)", -2},
    {"quiet", 'q', 0, 0, "No progress", -2},
};

#define FIXED (sizeof fixed / sizeof *fixed)

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct pretrain_options *o = state->input;

    if (key >= KEY_FIRST_ROW && key < KEY_FIRST_ROW + (int)ROWS) {
        option_table_parse(&table, (size_t)(key - KEY_FIRST_ROW), o, arg, state);
        train_options_give(&o->model, rows[key - KEY_FIRST_ROW].name);
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->model.columns;
        return 0;
    case 'd':
        o->model.data = arg;
        return 0;
    case KEY_ALSO:
        o->unlabelled = true;
        return 0;
    case KEY_ONLY:
        o->unlabelled = true;
        o->labelled = false;
        return 0;
    case 'o':
        o->model.out = arg;
        return 0;
    case KEY_VOCAB:
        o->model.vocab = arg;
        return 0;
    case KEY_VECTORS:
        o->vectors = arg;
        return 0;
    case KEY_SENTENCES:
        o->sentences = arg;
        return 0;
    case KEY_INIT:
        o->model.init = arg;
        return 0;
    case KEY_THREADS:
        o->model.threads = (unsigned)whole_arg("threads", arg, 1, LIMIT_WORKERS, state);
        return 0;
    case KEY_RESUME:
        o->model.resume = true;
        return 0;
    case 'q':
        o->model.quiet = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->model.data || !o->model.out)
            argp_error(state, "--data KIND:PATH and --out DIR are needed");
        if (o->share == 0 && !o->sentences)
            argp_error(state, "--share 0 leaves nothing to learn without --sentence-vectors");
        if (o->contrast > 0 && o->sentences)
            argp_error(state, "--contrast cuts windows in two, --sentence-vectors are of whole "
                              "ones: give one of them");
        if (o->vectors && o->model.init)
            argp_error(state, "--vectors contradicts --init: the embeddings are the file's");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void pretrain_options_parse(int argc, char **argv, struct pretrain_options *ret_options) {
    struct argp_option options[FIXED + ROWS + 2] = {{0}};
    const struct argp_child children[] = {{&columns_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        NULL,
        "Learn embeddings and steps from text without labels, for `diffuse train --init`.",
        children,
        NULL,
        NULL};

    memcpy(options, fixed, sizeof fixed);
    options[FIXED] = (struct argp_option){.doc = "Hyper-parameters:", .group = 1};
    option_table_argp(&table, KEY_FIRST_ROW, 1, options + FIXED + 1);
    *ret_options = (struct pretrain_options){.labelled = true};
    train_options_defaults(&ret_options->model); /* also of what the table here does not offer */
    option_table_defaults(&table, ret_options);
    argp_parse(&argp, argc, argv, 0, NULL, ret_options);
}

/* The piece that hides a token; DENOISE_NONE where the vocabulary has none. */
static uint32_t mask_id(const struct tokenizer *t) {
    for (uint32_t id = 0; id < tokenizer_vocab_size(t); id++) {
        size_t len = 0;
        const uint8_t *piece = tokenizer_piece(t, id, &len);

        if (piece && len == sizeof MASK - 1 && memcmp(piece, MASK, len) == 0)
            return id;
    }
    return DENOISE_NONE;
}

diffuse_err pretrain_options_fit(const struct pretrain_options *o, const struct tokenizer *t,
                                 struct denoise_fit_options *ret_fit, struct reason *why) {
    const struct train_options *m = &o->model;
    struct step_options step;
    diffuse_err e;

    *ret_fit = (struct denoise_fit_options){
        .warmup = m->warmup, .passes = (uint32_t)o->passes, .batch = (uint32_t)o->batch};
    if ((e = train_options_step(m, &step, &ret_fit->decay, why)))
        return e;
    ret_fit->step = (struct denoise_step_options){
        .update = {.lr = step.lr,
                   .table_lr = step.table_lr,
                   .weight_decay = step.weight_decay,
                   .table_decay = step.table_decay,
                   .clip = step.clip},
        .task = {.share = o->share,
                 .candidates = (uint32_t)o->candidates,
                 .mask = mask_id(t),
                 .unknown = tokenizer_unk(t)},
        .dropout = step.dropout,
        .embed_dropout = step.embed_dropout,
        .contrast = o->contrast,
        .contrast_temperature = o->contrast_temperature,
        .teach = o->teach,
        .seed = step.seed,
    };
    return DIFFUSE_OK;
}

json_t *pretrain_options_json(const struct pretrain_options *o) {
    json_t *all = option_table_json(&table, o);

    json_object_set_new(all, "data", json_string(o->model.data));
    json_object_set_new(all, "labelled", json_boolean(o->labelled));
    json_object_set_new(all, "unlabelled", json_boolean(o->unlabelled));
    json_object_set_new(all, "vectors", json_boolean(o->vectors));
    json_object_set_new(all, "sentence-vectors", json_boolean(o->sentences));
    json_object_set_new(all, "init", json_boolean(o->model.init));
    json_object_set_new(all, "threads", json_integer(o->model.threads));
    return all;
}
