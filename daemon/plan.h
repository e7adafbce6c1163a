/* plan.h - the memory plan: every byte that the process may come to touch, by reason. */
#ifndef DAEMON_PLAN_H
#define DAEMON_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"
#include "model/ckpt/model.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define PLAN_ROWS_MAX     16u
#define PLAN_DETAIL_BYTES 160u

struct plan_row {
    const char *name; /* static */
    uint64_t bytes;
    enum conf_key key;              /* that changes it; CONF_KEYS: none does */
    uint64_t unit;                  /* bytes that one step of the key costs */
    uint64_t value;                 /* of the key now */
    char detail[PLAN_DETAIL_BYTES]; /* how the figure comes about */
};

struct plan {
    struct plan_row row[PLAN_ROWS_MAX];
    size_t n;
    uint64_t total;
    uint64_t budget;
    size_t arena_bytes;    /* of what the daemon reserves itself, the model apart */
    uint32_t max_length;   /* tokens of a sample: the key, or what the model was trained on */
    uint32_t batch_tokens; /* tokens of a batch */
    size_t answer_max;     /* bytes of the largest Label */
};

/* What the plan is made from, beside the configuration. */
struct plan_facts {
    const struct model *model; /* loaded */
    size_t model_bytes;        /* that its arena takes */
    uint64_t resident;    /* that the process held before anything was loaded (plan_resident) */
    size_t reply_max;     /* bytes of the largest Reply */
    size_t control_bytes; /* of arena that control takes */
    uint64_t control_hwm; /* requests and replies that wait for each client */
};

void plan_make(struct plan *p, const struct conf *c, const struct plan_facts *facts);

/* Fits the budget? Errors: BUDGET, the reason naming the row, the key and a value that would fit.
 */
DIFFUSE_MUST_CHECK diffuse_err plan_check(const struct plan *p, struct reason *why);

/* Resident bytes of this process now; 0 where the system does not say. */
uint64_t plan_resident(void);

/* "12.5 MiB" and the like, for people. */
void plan_human(uint64_t bytes, char *ret_text, size_t cap);

/* Largest frame that a publisher may send before it is disconnected. */
uint64_t plan_frame_max(const struct conf *c);

#endif
