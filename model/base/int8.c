#include "model/base/int8.h"

#include "model/base/narrow.h"
#include "model/base/vec.h"

#define SPARE 0x7fu       /* bits of the mantissa that a scale leaves 0 */
#define ROUND 12582912.0f /* 1.5 * 2^23: adding it leaves no digits behind the point */

VEC_CLONES float int8_scale(size_t n, const real *x) {
    real most = 0;

    for (size_t i = 0; i < n; i++) {
        real size = x[i] < 0 ? -x[i] : x[i];

        most = size > most ? size : most;
    }
    return narrow_float_of((narrow_bits_of((float)most / INT8_MOST) + SPARE) & ~SPARE);
}

VEC_CLONES void int8_narrow(size_t n, float scale, const real *restrict x, int8_t *restrict q) {
    const float usual = scale > 0 ? scale : 1;

    for (size_t i = 0; i < n; i++) {
        float v = (float)x[i] / usual;

        v = scale > 0 ? v : 0;
        /* The scale of very small numbers is not exact, and some may be no numbers. */
        v = v < INT8_MOST ? v : INT8_MOST;
        v = v > -INT8_MOST ? v : -INT8_MOST;
        q[i] = (int8_t)((v + ROUND) - ROUND);
    }
}
