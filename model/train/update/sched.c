#include "model/train/update/sched.h"

#include <math.h>
#include <string.h>

#define FLOOR 1e-3 /* the last steps still learn a little */

static const char *const names[] = {"constant", "linear", "cosine"};

double sched_factor(enum sched_decay decay, uint64_t step, uint64_t warmup, uint64_t total) {
    double left;

    if (step < warmup)
        return (double)(step + 1) / (double)(warmup + 1);
    if (decay == SCHED_CONSTANT || total <= warmup)
        return 1;
    left = 1 - (double)(step - warmup) / (double)(total - warmup);
    left = left < 0 ? 0 : left;
    if (decay == SCHED_COSINE)
        left = 0.5 * (1 - cos(M_PI * left));
    return left < FLOOR ? FLOOR : left;
}

const char *sched_name(enum sched_decay decay) {
    return names[decay];
}

diffuse_err sched_parse(const char *name, enum sched_decay *ret_decay) {
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *ret_decay = (enum sched_decay)i;
            return DIFFUSE_OK;
        }
    return DIFFUSE_NOTFOUND;
}
