#include "model/tune/compatible.h"

#include <string.h>

/* The same but for the number of labels? */
static bool same_shape(const struct net_config *a, const struct net_config *b) {
    uint32_t labels = a->labels > b->labels ? a->labels : b->labels;
    const struct net_config grown_a = net_config_with_labels(a, labels),
                            grown_b = net_config_with_labels(b, labels);
    struct weights_list x, y;

    weights_list_make(&grown_a, &x);
    weights_list_make(&grown_b, &y);
    if (x.n != y.n || x.entries != y.entries)
        return false;
    for (size_t i = 0; i < x.n; i++)
        if (x.tensor[i].rows != y.tensor[i].rows || x.tensor[i].cols != y.tensor[i].cols ||
            strcmp(x.tensor[i].name, y.tensor[i].name) != 0)
            return false;
    return a->steps == b->steps && a->pool == b->pool && a->norm == b->norm &&
           a->n_open == b->n_open && a->ngram_order == b->ngram_order &&
           wide_shape_same(&grown_a.wide, &grown_b.wide) && a->deep_scale == b->deep_scale;
}

static bool same_vocab(const struct tokenizer *a, const struct tokenizer *b) {
    size_t n, m;
    const uint8_t *x, *y;

    if (!a || !b)
        return a == b;
    x = tokenizer_vocab(a, &n);
    y = tokenizer_vocab(b, &m);
    return tokenizer_kind_of(a) == tokenizer_kind_of(b) && n == m &&
           (n == 0 || memcmp(x, y, n) == 0);
}

diffuse_err compatible_check(const struct model *a, const struct model *b, struct reason *why) {
    if (!same_shape(&a->config, &b->config))
        return reason_set(why, DIFFUSE_INVAL, "tuning: the new model has another shape");
    if (!same_vocab(a->tokenizer, b->tokenizer))
        return reason_set(why, DIFFUSE_INVAL, "tuning: the new model has another vocabulary");
    return DIFFUSE_OK;
}
