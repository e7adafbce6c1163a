/* average.h - a moving average of a run's weights, which is what gets scored and kept instead of
 * them (Polyak, Juditsky, 1992; with decay: Tarvainen, Valpola, 2017).
 *
 * A taking adds the weights as they are: a plain mean of all takings at first, then one that
 * forgets, decay being what stays of the old average after one step. The weights move little from
 * step to step and most of them lie in tables that a step hardly touches, so takings are some steps
 * apart, a twentieth of the average's memory: then they cost next to nothing.
 *
 * How many there were follows from the number of steps, so that the block is all there is to keep
 * of a run that is to go on.
 */
#ifndef MODEL_TRAIN_UPDATE_AVERAGE_H
#define MODEL_TRAIN_UPDATE_AVERAGE_H

#include <stdint.h>

#include "model/base/real.h"
#include "model/train/update/team.h"

struct average {
    real *block; /* (n) NULL: none is kept */
    size_t n;
    uint64_t every; /* steps between takings */
    double keep;    /* of the old average, at a taking */
};

/* Of n numbers, decay from 0 (the weights themselves) to below 1; at least one taking in most
 * steps. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err average_init(struct average *a, size_t n, double decay,
                                            uint64_t most);
void average_done(struct average *a); /* fine with a zeroed one */

/* After step number steps (from 1): take x(n), if it is time to. */
void average_step(struct average *a, struct team *team, uint64_t steps, const real *x);

#endif
