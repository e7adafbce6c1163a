/* train_options.h - the options of `diffuse train`, made from train.def. */
#ifndef MODEL_TOOL_TRAIN_TRAIN_OPTIONS_H
#define MODEL_TOOL_TRAIN_TRAIN_OPTIONS_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/ckpt/ckpt.h"
#include "model/data/dataset.h"
#include "model/net/config.h"
#include "model/text/tokenize.h"
#include "model/tool/common/option_table.h"
#include "model/train/step.h"
#include "model/train/update/sched.h"

struct train_options {
#define NUMBER(field, name, def, min, max, help) double field;
#define COUNT(field, name, def, min, max, help)  uint64_t field;
#define CHOICE(field, name, def, help)           const char *field;
#include "model/tool/train/train.def"
#undef NUMBER
#undef COUNT
#undef CHOICE
    const char *data, *test, *out, *vocab, *init, *valid_data;
    struct dataset_columns columns; /* of all of these rows */
    uint64_t memory;                /* bytes; 0: what is free */
    bool resume;
    uint64_t given; /* bit i: row i of train.def was on the command line */
    enum ckpt_type type;
    unsigned threads;
    bool quiet, paper;
};

/* Every row of train.def at its default. */
void train_options_defaults(struct train_options *ret_options);

/* Options of argv over the defaults; a bad one exits with 2 and says what was expected. */
void train_options_parse(int argc, char **argv, struct train_options *ret_options);

/* The row of train.def with that name; NULL: there is none. Static. */
const struct option_row *train_options_row(const char *name);

/* Was the row of that name on the command line? */
bool train_options_given(const struct train_options *o, const char *name);
/* It was; for a tool that reads it by a table of its own. Other names are passed over. */
void train_options_give(struct train_options *o, const char *name);

/* The ids of --brackets into c, by the vocabulary. Errors: INVAL, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err train_options_brackets(const struct train_options *o,
                                                      const struct tokenizer *t,
                                                      struct net_config *c, struct reason *why);

/* What they say about the model and about a step. vocab and labels are left for the data to fill.
 * Errors: INVAL, the reason naming the option. */
DIFFUSE_MUST_CHECK diffuse_err train_options_config(const struct train_options *o,
                                                    struct net_config *ret_config,
                                                    struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err train_options_step(const struct train_options *o,
                                                  struct step_options *ret_step,
                                                  enum sched_decay *ret_decay, struct reason *why);

/* All of them by name: a new reference. */
json_t *train_options_json(const struct train_options *o);

#endif
