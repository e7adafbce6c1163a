/* pretrain_run.h - everything that a run of `diffuse pretrain` owns. Made by cmd_pretrain.c, which
 * also frees it. */
#ifndef MODEL_TOOL_PRETRAIN_PRETRAIN_RUN_H
#define MODEL_TOOL_PRETRAIN_PRETRAIN_RUN_H

#include "model/tool/pretrain/pretrain_options.h"
#include "model/tool/train/run_watch.h"
#include "model/tool/train/train_init.h"
#include "model/tool/train/train_record.h"
#include "model/train/rows/label_set.h"

struct pretrain_run {
    struct pretrain_options o;
    struct label_set labels;
    struct arena text_arena, net_arena;
    struct tokenizer *tokenizer; /* in text_arena, or that of init */
    struct train_init init;      /* with --init */
    struct teach_vectors sentences;
    uint64_t *count; /* (vocabulary) how often each piece occurs */
    struct rows all, train, held;
    struct net_config config;
    struct net_weights *weights;
    struct team *team;
    struct denoise_fit *fit;
    struct train_record record;
    struct run_watch watch;
    struct denoise_pass *passes; /* (o.passes) those done */
    double *seconds;             /* (o.passes) what each took */
    struct reason why;
};

#endif
