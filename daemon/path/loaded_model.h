/* loaded_model.h - a loaded model, and everything whose size depends on its shape.
 *
 * One arena holds the weights, a bench for each worker, and the room in which control answers about
 * it; so that a model of another shape can be loaded beside the one that serves without touching
 * anything that is in use.
 *
 * Threads: loaded and cleared by one thread while no other knows it; read by all from then on.
 * in_flight belongs to the loop.
 */
#ifndef DAEMON_PATH_LOADED_MODEL_H
#define DAEMON_PATH_LOADED_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/budget/plan.h"
#include "daemon/conf/conf.h"
#include "daemon/path/path.h"
#include "model/base/arena.h"
#include "model/ckpt/ckpt.h"
#include "proto/diffuse_err.h"
#include "proto/msgmem.h"
#include "proto/reason.h"

#define LOADED_MODEL_PATH_BYTES (LIMIT_PATH_BYTES + 1u)

struct loaded_model {
    struct arena arena; /* owned */
    struct model *model;
    struct engine *engine;    /* the model, made ready for this processor */
    struct path_bench *bench; /* (workers) */
    struct msgmem rows;       /* what a reply about this model points to */
    uint8_t *reply;           /* (reply_cap) encoded */
    size_t reply_cap;
    char path[LOADED_MODEL_PATH_BYTES]; /* that it was read from */
    char root[DIGEST_HEX_BYTES];        /* id of the checkpoint that it was tuned from, over all
                                           promotions; its own, when it was not. The same root
                                           means the same vocabulary */
    struct plan_shape shape;            /* shape.config is the model's */
    struct plan plan;                   /* that it was loaded under */
    bool self_tested;                   /* the file had a self-test, which it passed */
    uint32_t in_flight;                 /* samples accepted with it and not yet answered */
};

/* Bytes of one worker's bench. */
size_t loaded_model_bench_bytes(const struct conf *c, const struct plan_shape *shape);

/* Arena bytes of a slot. */
size_t loaded_model_bytes(const struct conf *c, const struct plan_shape *shape);

/* What the plan has to know of a checkpoint; the configuration is borrowed from it. Errors: those
 * of kernel_find. */
DIFFUSE_MUST_CHECK diffuse_err loaded_model_shape(const struct ckpt *k, const struct conf *c,
                                                  struct plan_shape *ret_shape, struct reason *why);

/* Read k into the slot: weights, benches, self-test, and every page touched by a first batch. What
 * the slot held before is given up; memory of the same size is used again. Errors: as ckpt_load and
 * ckpt_selftest, and NOMEM; the slot is then empty. */
DIFFUSE_MUST_CHECK diffuse_err loaded_model_load(struct loaded_model *s, struct ckpt *k,
                                                 const struct conf *c, const struct plan *plan,
                                                 const char *path, struct reason *why);

/* Give the memory back. Fine when empty (zeroed). */
void loaded_model_clear(struct loaded_model *s);

#endif
