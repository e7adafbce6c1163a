/* tune_setup.c - see tune_setup.h, and tune_options_init in tune.h. */
#include "model/tune/tune_setup.h"

static const struct {
    const char *name;
    enum weights_part from; /* parts further in rest */
} parts[] = {[TUNE_HEAD] = {"head", WEIGHTS_PART_HEAD},
             [TUNE_NORMS] = {"norms", WEIGHTS_PART_NORM},
             [TUNE_BODY] = {"body", WEIGHTS_PART_BODY},
             [TUNE_ALL] = {"all", WEIGHTS_PART_TABLE}};

const char *tune_setup_parts(enum tune_parts which) {
    return parts[which].name;
}

void tune_options_init(struct tune_options *ret_options) {
    *ret_options = (struct tune_options){.parts = TUNE_ALL,
                                         .rows = 8192,
                                         .held = 1024,
                                         .rehearsal = 4096,
                                         .max_length = 64,
                                         .streams = 256,
                                         .new_labels = 0,
                                         .batch = 32,
                                         .lr = 0.001,
                                         .table_lr = 0.001,
                                         .pull = 12,
                                         .every = 128,
                                         .visits = 64,
                                         .replay = 0.5,
                                         .dropout = 0.1,
                                         .embed_dropout = 0.5,
                                         .word_dropout = 0.3,
                                         .label_smoothing = 0.1,
                                         .seed = 1};
}

struct candidate_options tune_setup_candidate(const struct tune_options *o) {
    return (struct candidate_options){.step = {.lr = o->lr,
                                               .table_lr = o->table_lr,
                                               .clip = 1,
                                               .dropout = o->dropout,
                                               .embed_dropout = o->embed_dropout,
                                               .word_dropout = o->word_dropout,
                                               .label_smoothing = o->label_smoothing,
                                               .from = parts[o->parts].from},
                                      .batch = o->batch,
                                      .max_length = (uint32_t)o->max_length,
                                      .replay = o->replay,
                                      .seed = o->seed};
}

diffuse_err tune_setup_check(const struct model *m, const struct tune_options *o,
                             struct reason *why) {
    const struct net_config grown =
        net_config_with_labels(&m->config, m->config.labels + o->new_labels);
    struct reason inner = {""};

    if (o->rows < 1 || o->held < 1 || o->streams < 1 || o->batch < 1 || o->every < 1)
        return reason_set(why, DIFFUSE_INVAL,
                          "tuning: rows, held, streams, batch and every are 1 or more");
    if (o->max_length < 1 || o->max_length > LIMIT_TOKENS)
        return reason_set(why, DIFFUSE_INVAL, "tuning: max_length is %zu, expected 1 to %u",
                          o->max_length, LIMIT_TOKENS);
    if (o->new_labels > LIMIT_LABELS - m->config.labels)
        return reason_set(why, DIFFUSE_INVAL,
                          "tuning: %u new labels and the model's %u are over %u: lower new_labels",
                          o->new_labels, m->config.labels, LIMIT_LABELS);
    if (!net_config_has_deep(&m->config))
        return reason_set(why, DIFFUSE_INVAL,
                          "tuning: the model has a wide part alone, and feedback trains the deep "
                          "one: serve a model that has both");
    if (net_config_has_wide(&m->config) && wide_shape_check(&grown.wide, &inner))
        return reason_set(why, DIFFUSE_INVAL,
                          "tuning: with %u new labels: %.300s: lower new_labels", o->new_labels,
                          inner.text);
    if (!(o->lr >= 0 && o->table_lr >= 0 && o->pull >= 0 && o->visits > 0 && o->replay >= 0 &&
          o->replay <= 1))
        return reason_set(why, DIFFUSE_INVAL,
                          "tuning: rates and pull are 0 or more, visits above 0, replay 0 to 1");
    return DIFFUSE_OK;
}
