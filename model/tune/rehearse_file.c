#include "model/tune/rehearse_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset.h"

static bool find_label(const struct model *m, const char *name, uint32_t *ret_label) {
    for (uint32_t i = 0; i < m->config.labels; i++)
        if (strcmp(m->labels[i], name) == 0) {
            *ret_label = i;
            return true;
        }
    return false;
}

/* True when the row was one for t. A text without tokens teaches nothing. */
static bool take(struct tune *t, const struct model *m, const struct dataset_row *row,
                 uint32_t *ids, size_t max_length) {
    uint32_t label;
    bool truncated;
    size_t n;

    if (!find_label(m, row->label, &label) ||
        tokenizer_encode(m->tokenizer, row->text, row->len, ids, max_length, &n, &truncated))
        return false;
    tune_rehearse(t, ids, (uint32_t)n, label);
    return true;
}

diffuse_err rehearse_file_read(struct tune *t, const struct model *serving, const char *spec,
                               size_t max_length, struct reason *why) {
    struct dataset *d = NULL;
    struct dataset_row row;
    uint32_t *ids;
    size_t taken = 0;
    bool more = true;
    diffuse_err e;

    if (!serving->tokenizer)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "%s: the model has no vocabulary to read texts with", spec);
    if (!(ids = malloc(max_length * sizeof *ids)))
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", spec);
    e = dataset_open(spec, DATASET_TRAIN, &d, why);
    while (!e && !(e = dataset_next(d, &row, &more, why)) && more)
        taken += take(t, serving, &row, ids, max_length);
    if (!e && taken == 0)
        e = reason_set(why, DIFFUSE_BADDATA, "%s: no row has a label of the model's", spec);
    dataset_close(d);
    free(ids);
    return e;
}
