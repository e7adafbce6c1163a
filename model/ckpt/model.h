/* model.h - a model at rest in memory: configuration, weights, tokenizer, label names.
 *
 * Lives wholly in the arena that it was loaded into; immutable once loaded; any number of threads
 * may read it. There is nothing to free but the arena.
 */
#ifndef MODEL_CKPT_MODEL_H
#define MODEL_CKPT_MODEL_H

#include <stdbool.h>

#include "model/base/digest.h"
#include "model/ckpt/rehearsal.h"
#include "model/net/config.h"
#include "model/net/weights.h"
#include "model/text/tokenize.h"

/* Of a temperature. Beyond them confidences are all 1, or all alike: nothing that was fitted. */
#define MODEL_TEMPERATURE_MIN 0.05
#define MODEL_TEMPERATURE_MAX 20.0

struct model {
    struct net_config config;
    struct net_weights *weights;
    struct wide *wide; /* as weights have it; NULL: there is no wide part */
    struct tokenizer
        *tokenizer;            /* NULL: a bare export without a vocabulary; takes token ids only */
    const char **labels;       /* (config.labels) NUL-terminated UTF-8 names, unique */
    bool body_i8;              /* its matrices were stored in 8 bits */
    float temperature;         /* divides the logits before the softmax; 1: not calibrated */
    uint32_t max_length;       /* tokens a sample was cut at in training; 0: not known */
    char id[DIGEST_HEX_BYTES]; /* of the content */
    char parent[DIGEST_HEX_BYTES];     /* tuned from; "" */
    const char *provenance;            /* JSON object as text: how it was trained, metrics; "{}" */
    const struct rehearsal *rehearsal; /* rows of what it was trained on; NULL: none are kept */
};

#endif
