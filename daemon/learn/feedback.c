#include "daemon/learn/feedback.h"

#include <string.h>

static const struct {
    const char *words;
    enum stats_counter counter;
} fates[FEEDBACK_FATES_N] = {
#define FEEDBACK_ITEM(name, counter, words) {words, STATS_##counter},
    FEEDBACK_FATES(FEEDBACK_ITEM)
#undef FEEDBACK_ITEM
};

const char *feedback_words(enum feedback_fate fate) {
    return fates[fate].words;
}

enum stats_counter feedback_counter(enum feedback_fate fate) {
    return fates[fate].counter;
}

#define NEW_LABEL (FEEDBACK_NO_LABEL - 1u) /* stands for every label that the model lacks */

/* Name and id of the label that was said. */
static bool find_label(const struct feedback_facts *f, const struct path_feedback *said,
                       const char **ret_name, uint32_t *ret_id) {
    const struct model *m = f->model;
    if (said->by_id) {
        *ret_id = said->label_id;
        *ret_name = said->label_id < m->config.labels ? m->labels[said->label_id] : NULL;
        return *ret_name != NULL;
    }
    *ret_name = said->label;
    for (*ret_id = 0; *ret_id < m->config.labels; ++*ret_id)
        if (strcmp(m->labels[*ret_id], said->label) == 0)
            return true;
    *ret_id = NEW_LABEL;
    return f->growing;
}

/* The sample is not here: was there one? */
static enum feedback_fate missing(const struct feedback_facts *f,
                                  const struct inflight_sample *slot) {
    uint64_t last;
    bool heard = stream_last(f->streams, inflight_stream(slot), &last);
    return heard && slot->seq <= last ? FEEDBACK_LATE : FEEDBACK_UNKNOWN;
}

static enum feedback_fate give(const struct feedback_facts *f, struct feedback_row row,
                               const char *label) {
    row.label = label;
    row.label_len = strlen(label); /* within LIMIT_LABEL_BYTES: decode.h, ckpt.h */
    return tuner_queue_put(f->box, &row, f->root) ? FEEDBACK_GIVEN : FEEDBACK_DROPPED;
}

enum feedback_fate feedback_take(const struct feedback_facts *f, const struct path_feedback *said,
                                 const struct inflight_sample *slot) {
    struct feedback_row row;
    const char *label;
    uint32_t id;
    if (!f->retain)
        return FEEDBACK_OFF;
    if (!find_label(f, said, &label, &id))
        return FEEDBACK_BAD_LABEL;
    if (!recent_find(f->retain, inflight_stream(slot), slot->seq, &row)) {
        if (slot->error)
            return FEEDBACK_BAD_TEXT;
        if (!said->has_text)
            return missing(f, slot);
        row = (struct feedback_row){.stream = slot->stream,
                                    .stream_len = slot->stream_len,
                                    .seq = slot->seq,
                                    .ids = slot->ids,
                                    .n = slot->n};
        return give(f, row, label);
    }
    if (row.label_id != FEEDBACK_NO_LABEL)
        return row.label_id == id ? FEEDBACK_REPEATED : FEEDBACK_CONTRADICTORY;
    enum feedback_fate fate = give(f, row, label);
    if (fate == FEEDBACK_GIVEN)
        recent_judge(f->retain, inflight_stream(slot), slot->seq, id);
    return fate;
}
