/* model_args.h - the options with which every verb names a checkpoint, and one model made ready to
 * run. */
#ifndef MODEL_TOOL_COMMON_MODEL_ARGS_H
#define MODEL_TOOL_COMMON_MODEL_ARGS_H

#include <argp.h>

#include "model/base/arena.h"
#include "model/ckpt/ckpt.h"
#include "model/engine/engine.h"

struct model_args {
    const char *path;
    struct ckpt_hints hints;
    const char *kernel, *precision; /* NULL: auto */
};

/* --model F and, for files that carry no header of ours, --num-iters --alpha --boundary --vocab
 * --labels; and how to compute with it: --kernel --precision. An argp child: its input is a struct
 * model_args. */
extern const struct argp model_argp;

/* How to compute with m. Errors: as kernel_find. */
DIFFUSE_MUST_CHECK diffuse_err model_args_kind(const struct model_args *a, const struct model *m,
                                               struct engine_kind *ret_kind, struct reason *why);

/* A loaded model with scratch for one sequence at a time. */
struct model_one {
    struct arena arena, packed, room;
    struct model *model;
    struct engine_kind kind;
    struct engine *engine;
    struct engine_scratch *scratch;
    uint32_t *ids; /* (cap) */
    real *logits;  /* (labels) */
    size_t cap;    /* tokens that fit */
};

DIFFUSE_MUST_CHECK diffuse_err model_one_open(struct model_one *o, const struct model_args *args,
                                              struct reason *why);
void model_one_close(struct model_one *o);

/* Room for sequences of tokens; keeps ids. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err model_one_reserve(struct model_one *o, size_t tokens);

size_t model_one_max_length(const struct model_one *o); /* tokens a text is cut at */

/* Are ids[0..n) tokens of the model? Errors: EMPTY, BADTOKEN. */
DIFFUSE_MUST_CHECK diffuse_err model_one_check(const struct model_one *o, size_t n,
                                               struct reason *why);

/* logits of ids[0..n). Errors: EMPTY, BADTOKEN. */
DIFFUSE_MUST_CHECK diffuse_err model_one_run(struct model_one *o, size_t n, struct reason *why);

/* The same for a text, cut at the length the model was trained with. */
DIFFUSE_MUST_CHECK diffuse_err model_one_text(struct model_one *o, const char *text, size_t len,
                                              struct reason *why);

#endif
