#include "model/tool/train/train_options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model/tool/common/rows_arg.h"
#include "model/tool/common/type_arg.h"
#include "model/tool/common/whole_arg.h"
#include "model/train/update/team.h"

static const struct option_row rows[] = {
#define NUMBER(...) OPTION_ROW_NUMBER(struct train_options, __VA_ARGS__)
#define COUNT(...)  OPTION_ROW_COUNT(struct train_options, __VA_ARGS__)
#define CHOICE(...) OPTION_ROW_CHOICE(struct train_options, __VA_ARGS__)
#include "model/tool/train/train.def"
#undef NUMBER
#undef COUNT
#undef CHOICE
};

#define ROWS (sizeof rows / sizeof *rows)

static const struct option_table table = {rows, ROWS};

_Static_assert(ROWS <= 64, "train_options.given has a bit a row");

enum {
    KEY_FIRST_ROW = 0x400,
    KEY_TEST = 0x300,
    KEY_VOCAB,
    KEY_TYPE,
    KEY_THREADS,
    KEY_PAPER,
    KEY_INIT,
    KEY_VALID_DATA,
    KEY_MEMORY,
    KEY_RESUME
};

static const struct argp_option fixed[] = {
    {"data", 'd', "KIND:PATH", 0, "Training rows (required)", -2},
    {"test", KEY_TEST, "KIND:PATH", 0, "Test rows, scored after each epoch and at the end", -2},
    {"valid-data", KEY_VALID_DATA, "KIND:PATH", 0,
     "Validation rows of their own, to choose the best epoch by, instead of --valid", -2},
    {"memory", KEY_MEMORY, "SIZE", 0,
     "Memory of the process, such as 512M: a batch that does not fit goes through in pieces "
     "(what is free)",
     -2},
    {"resume", KEY_RESUME, 0, 0,
     "Go on with the run in --out, if it was stopped; the result has the same bits", -2},
    {"out", 'o', "DIR", 0, "Folder for the checkpoint and the records (required)", -2},
    {"vocab", KEY_VOCAB, "FILE", 0, "vocab.txt to use instead of training one", -2},
    {"init", KEY_INIT, "FILE", 0,
     "Checkpoint to start from: vocabulary, architecture and weights; the classifier starts anew "
     "where the labels differ",
     -2},
    {"type", KEY_TYPE, "f32|f16|bf16|i8|i4", 0, "Number type in the checkpoint (f32)", -2},
    {"threads", KEY_THREADS, "N", 0, "Threads (one a core)", -2},
    {"quiet", 'q', 0, 0, "No progress", -2},
    {"paper", KEY_PAPER, 0, 0,
     "Start from the paper's form: width 256, 4 shared steps, ring, post norm, no n-grams", -2},
};

#define FIXED (sizeof fixed / sizeof *fixed)

/* The paper's hyper-parameters; what follows on the command line still changes them. */
static void set_paper(struct train_options *o) {
    o->paper = true;
    o->epochs = 5;
    o->norm = "post";
    o->pool = "mean";
    o->label_smoothing = 0;
    o->width = 256;
    o->steps = 4;
    o->boundary = "ring";
    o->ngram_order = 0;
    o->ngram_rows = 0;
    o->embed_dropout = 0;
    o->word_dropout = 0;
    o->batch = 32;
    o->lr = o->table_lr = 5e-5;
    o->decay = "constant";
    o->warmup = 0;
    o->init_std = 0.02;
}

static void parse_type(struct train_options *o, const char *arg, struct argp_state *state) {
    if (!type_arg(arg, &o->type))
        argp_error(state, "--type is \"%s\", expected " TYPE_ARG_NAMES, arg);
}

/* "512M", "2G", "65536K" or bytes. */
static uint64_t parse_size(const char *arg, struct argp_state *state) {
    static const char units[] = "KMG";
    char *end;
    double value = strtod(arg, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;

    for (long i = 0; unit && i <= unit - units; i++)
        value *= 1024;
    if (end == arg || (*end && (!unit || end[1])) || !(value >= 1 && value < 1e15))
        argp_error(state, "--memory is \"%s\", expected a size such as 512M or 2G", arg);
    return (uint64_t)value;
}

/* Where the option keeps a name as it was given; NULL: it is no such option. */
static const char **name_of(struct train_options *o, int key) {
    switch (key) {
    case 'd':
        return &o->data;
    case 'o':
        return &o->out;
    case KEY_TEST:
        return &o->test;
    case KEY_VOCAB:
        return &o->vocab;
    case KEY_INIT:
        return &o->init;
    case KEY_VALID_DATA:
        return &o->valid_data;
    default:
        return NULL;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct train_options *o = state->input;
    const char **named = o ? name_of(o, key) : NULL;

    if (key >= KEY_FIRST_ROW && key < KEY_FIRST_ROW + (int)ROWS) {
        option_table_parse(&table, (size_t)(key - KEY_FIRST_ROW), o, arg, state);
        o->given |= UINT64_C(1) << (key - KEY_FIRST_ROW);
        return 0;
    }
    if (named) {
        *named = arg;
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->columns;
        return 0;
    case KEY_MEMORY:
        o->memory = parse_size(arg, state);
        return 0;
    case KEY_RESUME:
        o->resume = true;
        return 0;
    case KEY_TYPE:
        parse_type(o, arg, state);
        return 0;
    case KEY_THREADS:
        o->threads = (unsigned)whole_arg("threads", arg, 1, LIMIT_WORKERS, state);
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case KEY_PAPER:
        set_paper(o);
        return 0;
    case ARGP_KEY_END:
        if (!o->data || !o->out)
            argp_error(state, "--data KIND:PATH and --out DIR are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void train_options_defaults(struct train_options *ret_options) {
    *ret_options = (struct train_options){.threads = team_cores()};
    option_table_defaults(&table, ret_options);
}

void train_options_parse(int argc, char **argv, struct train_options *ret_options) {
    struct argp_option options[FIXED + ROWS + 2] = {{0}};
    const struct argp_child children[] = {{&columns_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,  parse, NULL, "Train a model and write a checkpoint.",
                              children, NULL,  NULL};

    memcpy(options, fixed, sizeof fixed);
    options[FIXED] = (struct argp_option){.doc = "Hyper-parameters:", .group = 1};
    option_table_argp(&table, KEY_FIRST_ROW, 1, options + FIXED + 1);
    train_options_defaults(ret_options);
    argp_parse(&argp, argc, argv, 0, NULL, ret_options);
}

const struct option_row *train_options_row(const char *name) {
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

bool train_options_given(const struct train_options *o, const char *name) {
    const struct option_row *row = train_options_row(name);

    return row && (o->given >> (row - rows) & 1);
}

void train_options_give(struct train_options *o, const char *name) {
    const struct option_row *row = train_options_row(name);

    if (row)
        o->given |= UINT64_C(1) << (row - rows);
}

static diffuse_err parse_offsets(const char *text, struct net_config *c, struct reason *why) {
    const char *at = text;

    for (uint32_t t = 0; t < LIMIT_STEPS; t++) {
        char *end;
        unsigned long o;

        if (strcmp(text, "dilated") == 0) {
            c->offsets[t] = t < 16 ? 1u << t : 1u << 15;
            continue;
        }
        if (*at == '\0' && t > 0) { /* the last of the list goes on */
            c->offsets[t] = c->offsets[t - 1];
            continue;
        }
        errno = 0;
        o = strtoul(at, &end, 10);
        if (*at < '0' || *at > '9' || errno || o < 1 || o > LIMIT_TOKENS || (*end && *end != ','))
            return reason_set(why, DIFFUSE_INVAL,
                              "--offsets is \"%s\", expected dilated or a list such as 1,2,4",
                              text);
        c->offsets[t] = (uint32_t)o;
        at = *end ? end + 1 : end;
    }
    return DIFFUSE_OK;
}

static diffuse_err parse_names(const struct train_options *o, struct net_config *c,
                               struct reason *why) {
    if (net_boundary_parse(o->boundary, &c->boundary))
        return reason_set(why, DIFFUSE_INVAL, "--boundary is \"%s\", expected zero or ring",
                          o->boundary);
    if (net_norm_parse(o->norm, &c->norm))
        return reason_set(why, DIFFUSE_INVAL, "--norm is \"%s\", expected post, pre or residual",
                          o->norm);
    if (net_pool_parse(o->pool, &c->pool))
        return reason_set(why, DIFFUSE_INVAL,
                          "--pool is \"%s\", expected mean, max, mean_max or roots", o->pool);
    if (net_act_parse(o->bracket_act, &c->bracket_act))
        return reason_set(why, DIFFUSE_INVAL,
                          "--bracket-activation is \"%s\", expected sine or gelu", o->bracket_act);
    if (strcmp(o->sharing, "shared") != 0 && strcmp(o->sharing, "step") != 0)
        return reason_set(why, DIFFUSE_INVAL, "--sharing is \"%s\", expected shared or step",
                          o->sharing);
    c->per_step = strcmp(o->sharing, "step") == 0;
    return parse_offsets(o->offsets, c, why);
}

diffuse_err train_options_config(const struct train_options *o, struct net_config *ret_config,
                                 struct reason *why) {
    struct net_config c = {
        .width = (uint32_t)o->width,
        .mlp_width = (uint32_t)(o->mlp_width ? o->mlp_width : 2 * o->width),
        .head_width = (uint32_t)(o->head_width ? o->head_width : o->width),
        .steps = (uint32_t)o->steps,
        .ngram_order = o->ngram_order < 2 ? 0 : (uint32_t)o->ngram_order,
        .ngram_rows = o->ngram_order < 2 ? 0 : (uint32_t)o->ngram_rows,
        .alpha = (float)o->alpha,
        .noise_std = (float)o->noise_std,
    };
    diffuse_err e = parse_names(o, &c, why);

    if (!e)
        *ret_config = c;
    return e;
}

/* The token id of a bracket's piece. */
static diffuse_err bracket_id(const struct tokenizer *t, const char *piece, uint32_t *ret_id,
                              struct reason *why) {
    uint32_t ids[2];
    size_t n = 0;
    bool cut = false;

    if (tokenizer_encode(t, piece, strlen(piece), ids, 2, &n, &cut) || n != 1 || cut ||
        ids[0] == tokenizer_unk(t))
        return reason_set(why, DIFFUSE_INVAL,
                          "--brackets names \"%.60s\", which is not one piece of the vocabulary",
                          piece);
    *ret_id = ids[0];
    return DIFFUSE_OK;
}

static diffuse_err add_bracket(const struct tokenizer *t, const char *piece, bool closing,
                               struct net_config *c, struct reason *why) {
    uint32_t *n = closing ? &c->n_close : &c->n_open, *ids = closing ? c->close : c->open;

    if (*n == LIMIT_BRACKETS)
        return reason_set(why, DIFFUSE_INVAL, "--brackets names more than %u pieces on a side",
                          LIMIT_BRACKETS);
    return bracket_id(t, piece, &ids[(*n)++], why);
}

diffuse_err train_options_brackets(const struct train_options *o, const struct tokenizer *t,
                                   struct net_config *c, struct reason *why) {
    char *text, *rest = NULL;
    bool closing = false;
    diffuse_err e = DIFFUSE_OK;

    c->n_open = c->n_close = 0;
    if (!*o->brackets)
        return DIFFUSE_OK;
    text = strdup(o->brackets);
    if (!text)
        return DIFFUSE_NOMEM;
    for (char *piece = strtok_r(text, " ", &rest); piece && !e; piece = strtok_r(NULL, " ", &rest))
        if (!closing && strcmp(piece, ":") == 0)
            closing = true;
        else
            e = add_bracket(t, piece, closing, c, why);
    free(text);
    if (!e && (!c->n_open || !c->n_close))
        e = reason_set(why, DIFFUSE_INVAL,
                       "--brackets is \"%.60s\", expected pieces on both sides of a colon: "
                       "\"{ [ : } ]\"",
                       o->brackets);
    return e;
}

diffuse_err train_options_step(const struct train_options *o, struct step_options *ret_step,
                               enum sched_decay *ret_decay, struct reason *why) {
    enum store_type kept;

    if (sched_parse(o->decay, ret_decay))
        return reason_set(why, DIFFUSE_INVAL,
                          "--decay is \"%s\", expected linear, cosine or constant", o->decay);
    if (store_type_parse(o->precision, &kept))
        return reason_set(why, DIFFUSE_INVAL, "--precision is \"%s\", expected f32, f16 or bf16",
                          o->precision);
    *ret_step = (struct step_options){
        .lr = o->lr,
        .table_lr = o->table_lr,
        .weight_decay = o->weight_decay,
        .table_decay = o->table_decay,
        .clip = o->clip,
        .dropout = o->dropout,
        .embed_dropout = o->embed_dropout,
        .word_dropout = o->word_dropout,
        .label_smoothing = o->label_smoothing,
        .seed = o->seed,
        .kept = kept,
    };
    return DIFFUSE_OK;
}

json_t *train_options_json(const struct train_options *o) {
    json_t *all = option_table_json(&table, o);

    json_object_set_new(all, "data", json_string(o->data));
    json_object_set_new(all, "test", o->test ? json_string(o->test) : json_null());
    json_object_set_new(all, "valid-data",
                        o->valid_data ? json_string(o->valid_data) : json_null());
    json_object_set_new(all, "init", o->init ? json_string(o->init) : json_null());
    json_object_set_new(all, "text-column",
                        o->columns.text ? json_string(o->columns.text) : json_null());
    json_object_set_new(all, "label-column",
                        o->columns.label ? json_string(o->columns.label) : json_null());
    json_object_set_new(all, "memory", json_integer((json_int_t)o->memory));
    json_object_set_new(all, "threads", json_integer(o->threads));
    return all;
}
