#include "model/train/update/scaler.h"

void scaler_init(struct scaler *s, enum store_type kept) {
    *s = (struct scaler){.scale = kept == STORE_F16 ? SCALER_START : 1};
}

static void raise(struct scaler *s, float most) {
    s->good_steps = 0;
    if (s->scale < most)
        s->scale *= 2;
}

bool scaler_take(struct scaler *s, enum store_type kept, bool finite) {
    if (kept == STORE_REAL)
        return true;
    if (!finite) {
        s->scale /= 2;
        s->good_steps = 0;
        s->skipped++;
        return false;
    }
    if (++s->good_steps >= SCALER_PATIENCE)
        raise(s, kept == STORE_F16 ? SCALER_MOST : 1);
    return true;
}

bool scaler_lost(const struct scaler *s) {
    return s->scale < SCALER_FLOOR;
}
