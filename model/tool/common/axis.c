#include "model/tool/common/axis.h"

#include <math.h>
#include <stddef.h>

#define STEPS 6

double axis_step(double span) {
    static const double steps[] = {1, 2, 5};
    double unit = pow(10, floor(log10(span / STEPS)));

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (span / (steps[i] * unit) <= STEPS)
            return steps[i] * unit;
    return 10 * unit;
}

struct axis axis_make(double low, double high) {
    double step = axis_step(high - low);

    return (struct axis){.low = step * floor(low / step),
                         .high = step * ceil(high / step),
                         .step = step,
                         .decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0};
}
