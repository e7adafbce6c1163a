#include "model/train/update/average.h"

#include <math.h>
#include <stdlib.h>

#include "model/base/vec.h"

#define APART 0.05 /* takings, as a share of 1 / (1 - decay) steps */

diffuse_err average_init(struct average *a, size_t n, double decay, uint64_t most) {
    double every = floor(APART / (1 - decay) + 1e-9);

    *a = (struct average){.n = n, .every = 1};
    if (every > 1)
        a->every = every < (double)most ? (uint64_t)every : most;
    a->keep = pow(decay, (double)a->every);
    a->block = calloc(n, sizeof *a->block);
    return a->block ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

void average_done(struct average *a) {
    free(a->block);
    *a = (struct average){0};
}

struct taking {
    const struct average *a;
    const struct team *team;
    const real *x;
    real keep;
};

static void take(void *arg, unsigned member) {
    const struct taking *t = arg;
    size_t from, to;

    team_share(t->team, member, t->a->n, &from, &to);
    vec_mix(to - from, 1 - t->keep, t->x + from, t->keep, t->a->block + from);
}

void average_step(struct average *a, struct team *team, uint64_t steps, const real *x) {
    struct taking t = {.a = a, .team = team, .x = x};
    double before;

    if (!a->block || steps % a->every)
        return;
    before = (double)(steps / a->every - 1);
    t.keep = (real)fmin(a->keep, before / (before + 1));
    team_run(team, take, &t);
}
