#include "model/tool/train/train_init.h"

#include <stdio.h>
#include <string.h>

void train_init_done(struct train_init *i) {
    arena_done(&i->arena);
    *i = (struct train_init){0};
}

static void list_offsets(const struct net_config *c, char *text, size_t size) {
    size_t at = 0;

    text[0] = '1'; /* of a model without steps */
    text[1] = '\0';
    for (uint32_t t = 0; t < c->steps && at < size; t++)
        at += (size_t)snprintf(text + at, size - at, t ? ",%u" : "%u", c->offsets[t]);
}

/* What the options would have to be for the file's model; the rest of `to` stays. */
static void fill_open(struct train_init *i, struct train_options *to) {
    const struct net_config *c = &i->model->config;
    const struct {
        const char *name;
        uint64_t *option, value;
    } counts[] = {
        {"width", &to->width, c->width},
        {"steps", &to->steps, c->steps},
        {"mlp-width", &to->mlp_width, c->mlp_width},
        {"head-width", &to->head_width, c->head_width},
        {"ngram-order", &to->ngram_order, c->ngram_order},
        {"ngram-rows", &to->ngram_rows, c->ngram_rows},
        {"vocab-size", &to->vocab_size, c->vocab},
    };
    const struct {
        const char *name, **option, *value;
    } choices[] = {
        {"tokenizer", &to->tokenizer, tokenizer_kind_name(tokenizer_kind_of(i->model->tokenizer))},
        {"offsets", &to->offsets, i->offsets},
        {"boundary", &to->boundary, net_boundary_name(c->boundary)},
        {"norm", &to->norm, net_norm_name(c->norm)},
        {"pool", &to->pool, net_pool_name(c->pool)},
        {"bracket-activation", &to->bracket_act, net_act_name(c->bracket_act)},
        {"sharing", &to->sharing, c->per_step ? "step" : "shared"},
    };

    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        if (!train_options_given(to, counts[k].name))
            *counts[k].option = counts[k].value;
    for (size_t k = 0; k < sizeof choices / sizeof *choices; k++)
        if (!train_options_given(to, choices[k].name))
            *choices[k].option = choices[k].value;
    if (!train_options_given(to, "alpha"))
        to->alpha = (double)c->alpha;
}

diffuse_err train_init_open(struct train_init *i, struct train_options *o, struct reason *why) {
    const char *kind;
    diffuse_err e;

    if (!o->init)
        return DIFFUSE_OK;
    if ((e = ckpt_read(o->init, NULL, CKPT_FULL, &i->arena, &i->model, why)))
        return e;
    if (!i->model->tokenizer)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "%s has no vocabulary, so --init cannot start from it", o->init);
    if (o->vocab)
        return reason_set(why, DIFFUSE_INVAL,
                          "--vocab contradicts --init: the vocabulary is that of %s", o->init);
    list_offsets(&i->model->config, i->offsets, sizeof i->offsets);
    fill_open(i, o);
    kind = tokenizer_kind_name(tokenizer_kind_of(i->model->tokenizer));
    if (strcmp(o->tokenizer, kind) != 0)
        return reason_set(why, DIFFUSE_INVAL,
                          "--tokenizer is \"%s\", but %s has \"%s\": leave the "
                          "option out",
                          o->tokenizer, o->init, kind);
    return DIFFUSE_OK;
}

static diffuse_err refuse_number(const char *option, double asked, double has, const char *file,
                                 struct reason *why) {
    return reason_set(why, DIFFUSE_INVAL, "--%s is %g, but %s has %g: leave the option out", option,
                      asked, file, has);
}

static diffuse_err refuse_name(const char *option, const char *asked, const char *has,
                               const char *file, struct reason *why) {
    return reason_set(why, DIFFUSE_INVAL, "--%s is \"%s\", but %s has \"%s\": leave the option out",
                      option, asked, file, has);
}

static diffuse_err check_names(const struct train_init *i, const struct train_options *o,
                               const struct net_config *c, struct reason *why) {
    const struct net_config *has = &i->model->config;

    if (c->boundary != has->boundary)
        return refuse_name("boundary", o->boundary, net_boundary_name(has->boundary), o->init, why);
    if (c->norm != has->norm)
        return refuse_name("norm", o->norm, net_norm_name(has->norm), o->init, why);
    if (has->n_open && c->bracket_act != has->bracket_act)
        return refuse_name("bracket-activation", o->bracket_act, net_act_name(has->bracket_act),
                           o->init, why);
    if (c->steps && c->per_step != has->per_step)
        return refuse_name("sharing", o->sharing, has->per_step ? "step" : "shared", o->init, why);
    for (uint32_t t = 0; t < c->steps && !i->base; t++)
        if (c->offsets[t] != has->offsets[t])
            return refuse_name("offsets", o->offsets, i->offsets, o->init, why);
    if (*o->brackets && (c->n_open != has->n_open || c->n_close != has->n_close ||
                         memcmp(c->open, has->open, c->n_open * sizeof *c->open) != 0 ||
                         memcmp(c->close, has->close, c->n_close * sizeof *c->close) != 0))
        return reason_set(why, DIFFUSE_INVAL,
                          "--brackets names other pieces than %s has: leave the option out",
                          o->init);
    return DIFFUSE_OK;
}

diffuse_err train_init_config(const struct train_init *i, const struct train_options *o,
                              struct net_config *c, struct reason *why) {
    const struct net_config *has = i->model ? &i->model->config : NULL;
    struct net_config merged;
    diffuse_err e;

    if (!has)
        return DIFFUSE_OK;
    const struct {
        const char *name;
        double asked, has;
    } numbers[] = {
        {"vocab-size", (double)o->vocab_size, has->vocab},
        {"width", c->width, has->width},
        {"steps", c->steps, has->steps},
        {"mlp-width", c->mlp_width, has->mlp_width},
        {"ngram-order", c->ngram_order, has->ngram_order},
        {"ngram-rows", c->ngram_rows, has->ngram_rows},
        {"alpha", (double)c->alpha, (double)has->alpha},
    };

    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if ((numbers[k].asked < numbers[k].has &&
             !(i->base && strcmp(numbers[k].name, "steps") == 0)) ||
            numbers[k].asked > numbers[k].has)
            return refuse_number(numbers[k].name, numbers[k].asked, numbers[k].has, o->init, why);
    if ((e = check_names(i, o, c, why)))
        return e;
    merged = *has;
    merged.labels = c->labels;
    merged.steps = c->steps;
    memcpy(merged.offsets, c->offsets, sizeof merged.offsets);
    merged.noise_std = c->noise_std;
    merged.pool = c->pool;
    merged.head_width = c->head_width;
    *c = merged;
    return DIFFUSE_OK;
}

static bool same_labels(const struct model *m, const struct label_set *labels) {
    bool same = m->config.labels == labels->n;

    for (uint32_t k = 0; same && k < labels->n; k++)
        same = strcmp(m->labels[k], labels->names[k]) == 0;
    return same;
}

bool train_init_weights(const struct train_init *i, const struct label_set *labels,
                        const struct net_config *c, struct net_weights *w) {
    struct weights_list from, to;
    bool head = same_labels(i->model, labels) && c->head_width == i->model->config.head_width &&
                net_config_pool_width(c) == net_config_pool_width(&i->model->config);

    weights_list_make(&i->model->config, &from);
    weights_list_make(c, &to);
    for (size_t k = 0, f = 0; k < to.n;
         k++) { /* in the same order, but for steps that are left out */
        const struct weights_tensor *t = &to.tensor[k];

        while (f < from.n && strcmp(from.tensor[f].name, t->name) != 0)
            f++;
        if (f < from.n && (head || strncmp(t->name, "classifier.", 11) != 0))
            memcpy(w->block + t->offset, i->model->weights->block + from.tensor[f].offset,
                   t->count * sizeof *w->block);
    }
    return head;
}
