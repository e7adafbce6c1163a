/* label.h - logits to probabilities. */
#ifndef MODEL_NET_LABEL_H
#define MODEL_NET_LABEL_H

#include <stdint.h>

#include "model/base/real.h"

/* scores(L) = softmax(logits(L) / temperature), summing to 1; returns the index of the largest. May
 * work in place. temperature > 0. A logit that is not finite gives uniform scores and index 0. */
uint32_t label_softmax(const real *logits, uint32_t labels, real temperature, real *scores);

#endif
