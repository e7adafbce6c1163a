#include "daemon/common/nearest.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

unsigned nearest_distance(const char *a, const char *b) {
    unsigned d[NEAREST_NAME_BYTES + 1][NEAREST_NAME_BYTES + 1];
    size_t na = strnlen(a, NEAREST_NAME_BYTES);
    size_t nb = strnlen(b, NEAREST_NAME_BYTES);
    for (size_t i = 0; i <= na; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= nb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        for (size_t j = 1; j <= nb; j++) {
            unsigned differs = a[i - 1] != b[j - 1];
            unsigned v = least(d[i - 1][j] + 1, d[i][j - 1] + 1);
            v = least(v, d[i - 1][j - 1] + differs);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                v = least(v, d[i - 2][j - 2] + 1);
            d[i][j] = v;
        }
    }
    return d[na][nb];
}

/* More than half of the letters wrong is another word. */
struct nearest nearest_begin(const char *written) {
    unsigned half = (unsigned)strnlen(written, NEAREST_NAME_BYTES) / 2;
    return (struct nearest){.written = written, .distance = half + 1};
}

void nearest_try(struct nearest *n, const char *name) {
    unsigned d = nearest_distance(n->written, name);
    if (d >= n->distance)
        return;
    n->distance = d;
    n->best = name;
}
