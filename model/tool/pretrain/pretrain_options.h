/* pretrain_options.h - the options of `diffuse pretrain`, made from pretrain.def. */
#ifndef MODEL_TOOL_PRETRAIN_PRETRAIN_OPTIONS_H
#define MODEL_TOOL_PRETRAIN_PRETRAIN_OPTIONS_H

#include "model/tool/train/train_options.h"
#include "model/train/denoise/denoise_fit.h"

struct pretrain_options {
    struct train_options model; /* architecture and learning rates; data, out, vocab, threads */
    uint64_t passes, batch, candidates;
    double held, share, contrast, contrast_temperature, teach;
    const char *vectors;       /* file of word vectors to start from, or NULL */
    const char *sentences;     /* file of a vector a row, to be told, or NULL */
    bool labelled, unlabelled; /* which rows to learn from */
};

/* Options of argv over the defaults; a bad one exits with 2 and says what was expected. */
void pretrain_options_parse(int argc, char **argv, struct pretrain_options *ret_options);

/* What they say about the run; the ids of mask and unknown are the tokenizer's. Errors: INVAL, the
 * reason naming the option. */
DIFFUSE_MUST_CHECK diffuse_err pretrain_options_fit(const struct pretrain_options *o,
                                                    const struct tokenizer *t,
                                                    struct denoise_fit_options *ret_fit,
                                                    struct reason *why);

/* All of them by name: a new reference. */
json_t *pretrain_options_json(const struct pretrain_options *o);

#endif
