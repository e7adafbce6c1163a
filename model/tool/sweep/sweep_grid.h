/* sweep_grid.h - which settings a sweep tries: keys of train.def with their values, and the seeds.
 *
 * A point is one value of each key. Points are numbered from 0, the last key changing fastest. */
#ifndef MODEL_TOOL_SWEEP_SWEEP_GRID_H
#define MODEL_TOOL_SWEEP_SWEEP_GRID_H

#include <stdint.h>

#include "model/tool/common/option_table.h"

#define SWEEP_KEYS 6u
#define SWEEP_RUNS 1000u /* points times seeds */
#define SWEEP_NAME 224u  /* bytes of a run's name, NUL included */

struct sweep_key {
    const struct option_row *row;
    char **value; /* (n) as they were given; owned */
    char **slug;  /* (n) the same as part of a folder's name; owned */
    size_t n;
};

struct sweep_grid {
    struct sweep_key key[SWEEP_KEYS];
    size_t keys;
    uint64_t *seed; /* (seeds) owned */
    size_t seeds;
};

/* One more key: "lr=0.001,0.002", values apart by semicolons where one has a comma in it
 * ("offsets=1;1,2,4"), or "lr=0.001..0.01*3": so many numbers, each the same factor above the last.
 * Errors: INVAL (no such option, a value out of its range or there twice, ...), TOOBIG, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err sweep_grid_add(struct sweep_grid *g, const char *spec,
                                              struct reason *why);

/* The seeds: "1,2,3". Errors: INVAL, TOOBIG, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err sweep_grid_add_seeds(struct sweep_grid *g, const char *list,
                                                    struct reason *why);

void sweep_grid_done(struct sweep_grid *g); /* fine with a zeroed one */

size_t sweep_grid_points(const struct sweep_grid *g);

/* The index of key k's value at a point, and the value. */
size_t sweep_grid_index(const struct sweep_grid *g, size_t point, size_t k);
const char *sweep_grid_value(const struct sweep_grid *g, size_t point, size_t k);

/* "batch-16_lr-0.001_seed-1": names a folder, and no other run has it. Errors: TOOBIG. */
DIFFUSE_MUST_CHECK diffuse_err sweep_grid_name(const struct sweep_grid *g, size_t point,
                                               size_t seed, char ret_name[SWEEP_NAME],
                                               struct reason *why);

/* "batch 16, lr 0.001", for people. */
void sweep_grid_title(const struct sweep_grid *g, size_t point, char *ret_title, size_t size);

#endif
