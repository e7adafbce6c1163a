/* scaler.h - the factor that keeps small gradients above F16's smallest number: dynamic loss
 * scaling (Micikevicius et al., 2018).
 *
 * The loss's gradient is multiplied by `scale` and the weights' divided by it. When a gradient is
 * not finite the update is skipped and the scale halved; after SCALER_PATIENCE good ones in a row
 * it is doubled. BF16 has float's range and starts, and stays at most, at 1. Without 16-bit numbers
 * there is no scale, and nothing is skipped.
 */
#ifndef MODEL_TRAIN_UPDATE_SCALER_H
#define MODEL_TRAIN_UPDATE_SCALER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/base/store.h"

#define SCALER_START    0x1p16f  /* of F16 */
#define SCALER_MOST     0x1p24f  /* of F16 */
#define SCALER_FLOOR    0x1p-10f /* below: no scale helps */
#define SCALER_PATIENCE 2000u

/* Plain data: a run that goes on later needs it back as it was. */
struct scaler {
    float scale;         /* a power of two, so that dividing loses nothing */
    uint32_t good_steps; /* in a row, since the scale last changed */
    uint64_t skipped;    /* updates, ever */
};

void scaler_init(struct scaler *s, enum store_type kept);

/* After each gradient: whether to take it. finite: its norm was a number. */
bool scaler_take(struct scaler *s, enum store_type kept, bool finite);

/* The scale has been halved so often that numbers are too large, or none: training has diverged. */
bool scaler_lost(const struct scaler *s);

#endif
