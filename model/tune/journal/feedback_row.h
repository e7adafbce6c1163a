/* feedback_row.h - a text, what it was answered, and the label that it should have had: what online
 * learning is fed with, from the samples answered last to the journal and to training. */
#ifndef MODEL_TUNE_JOURNAL_FEEDBACK_ROW_H
#define MODEL_TUNE_JOURNAL_FEEDBACK_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEEDBACK_NO_LABEL UINT32_MAX

/* Strings and ids are borrowed; no NUL is needed. */
struct feedback_row {
    const char *stream; /* 1..LIMIT_STREAM_BYTES bytes */
    size_t stream_len;
    uint64_t seq;
    const char *label; /* the true one, by its name: ids of labels may change between models */
    size_t label_len;  /* 1..LIMIT_LABEL_BYTES; 0: it is not known, or known by label_id alone */
    uint32_t label_id; /* of the model at hand; or FEEDBACK_NO_LABEL */
    const uint32_t *ids;
    uint32_t n; /* 1..LIMIT_TOKENS */
    uint32_t predicted;
    float confidence;
    bool judged; /* predicted and confidence are known: the sample was answered before */
};

#endif
