/* reservoir.h - a bounded sample of labelled rows, balanced over the labels: Class-Balancing
 * Reservoir Sampling (Chrysakis and Moens, "Online continual learning from imbalanced data", 2020).
 *
 * While there is room every row stays. Then a row of a label that was never the largest takes the
 * place of a row of the largest label; a row of any other takes the place of one of its own label,
 * with the chance that keeps those a uniform sample of all that came. Rows lie in fixed memory, two
 * bytes a token where the vocabulary allows. Threads: one at a time.
 */
#ifndef MODEL_TUNE_RESERVOIR_H
#define MODEL_TUNE_RESERVOIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/base/rng.h"

#define RESERVOIR_NONE SIZE_MAX

struct reservoir {
    size_t n, cap;       /* rows that are there, and that fit */
    uint32_t max_length; /* of a row; longer ones are cut */
    uint32_t labels;     /* ids are below */
    bool wide;           /* ids lie as uint32_t, else uint16_t */
    void *ids;           /* (cap,max_length) */
    uint32_t *length;    /* (cap) */
    uint32_t *label;     /* (cap) */
    uint64_t *owner;     /* (cap) whoever gave the row */
    uint64_t *came;      /* (labels) rows that were offered */
    uint32_t *held;      /* (labels) rows that are there */
    bool *full;          /* (labels) was once the largest, when there was no room */
    struct rng rng;
};

/* Arena bytes of reservoir_init. */
size_t reservoir_bytes(size_t cap, uint32_t max_length, uint32_t vocab, uint32_t labels);

/* Room for cap rows, which may be 0. NOMEM: arena full. */
DIFFUSE_MUST_CHECK diffuse_err reservoir_init(struct reservoir *r, struct arena *arena, size_t cap,
                                              uint32_t max_length, uint32_t vocab, uint32_t labels,
                                              uint64_t seed);

/* A row of n ids, 1 or more; its place, or RESERVOIR_NONE: it was not taken. */
size_t reservoir_offer(struct reservoir *r, const uint32_t *ids, uint32_t n, uint32_t label,
                       uint64_t owner);

/* Forget the rows of an owner: how many there were. What came stays counted. */
size_t reservoir_drop(struct reservoir *r, uint64_t owner);
void reservoir_clear(struct reservoir *r); /* all, and the counts */

/* ids(max_length) of row i < n: its length. */
uint32_t reservoir_read(const struct reservoir *r, size_t i, uint32_t *ids);

#endif
