/* train_run.h - everything that a run of `diffuse train` owns, by stage. Made by cmd_train.c, which
 * also frees it. */
#ifndef MODEL_TOOL_TRAIN_TRAIN_RUN_H
#define MODEL_TOOL_TRAIN_TRAIN_RUN_H

#include "model/tool/train/run_watch.h"
#include "model/tool/train/train_init.h"
#include "model/tool/train/train_options.h"
#include "model/tool/train/train_record.h"
#include "model/train/fit.h"
#include "model/train/joint.h"
#include "model/train/rows/label_set.h"
#include "model/train/rows/rehearse.h"

/* What is learned from. Filled by train_base and train_data. */
struct train_data {
    struct train_init init; /* with --init, or a base */
    char base_path[4096];
    struct train_options before_base;
    struct label_set labels;
    struct arena text_arena;
    struct tokenizer *tokenizer; /* in it */
    struct rows all, train, valid, test;
};

/* What learns. */
struct train_model {
    struct net_config config;
    struct arena net_arena;
    struct net_weights *weights; /* in it */
    struct weights_list list;
    struct joint joint; /* the wide part, and how it goes with the deep one; or all zero */
    struct rehearse rehearse;
    double temperature; /* of the confidences; 1 without validation rows */
};

/* The learning. */
struct train_run {
    struct train_options o;
    struct train_data data;
    struct train_model model;
    json_t *identity; /* what must be the same when it goes on, before parts are chosen; owned */
    struct team *team;
    struct fit *fit;
    uint64_t memory_limit; /* bytes that the process may take */
    bool planned;          /* the run that goes on was planned to keep within the same --memory */
    struct train_record record;
    struct run_watch watch;
    real *best;               /* (model.list.entries) of the best epoch, with validation rows */
    struct fit_epoch *epochs; /* (o.epochs) those done */
    double *seconds;          /* (o.epochs) what each took, with its evaluation */
    uint32_t best_epoch;      /* from 1; 0: none yet */
    struct reason why;
};

#endif
