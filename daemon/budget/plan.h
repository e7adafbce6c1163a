/* plan.h - the memory plan: every byte that the process may come to touch, by reason. */
#ifndef DAEMON_BUDGET_PLAN_H
#define DAEMON_BUDGET_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "model/engine/engine.h"
#include "model/net/config.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

#define PLAN_TOKEN_STEP   64u /* in which the bytes of a batch grow with its tokens */
#define PLAN_ROWS_MAX     LIMIT_PLAN_ROWS
#define PLAN_DETAIL_BYTES LIMIT_PLAN_DETAIL

struct plan_row {
    const char *name; /* static */
    uint64_t bytes;
    enum conf_key key;              /* that changes it; CONF_KEYS: none does */
    uint64_t unit;                  /* bytes that one step of the key costs */
    uint64_t value;                 /* of the key now */
    char detail[PLAN_DETAIL_BYTES]; /* how the figure comes about */
};

/* For how many segments the tables are to be laid, and for what. */
struct segments_size {
    size_t segments;    /* 0: none are offered */
    size_t state_bytes; /* of one: segment_bytes */
    size_t window;      /* tokens of a sliding window; 0: none are offered */
    size_t max_length;  /* tokens of a piece */
    size_t rules;       /* policies that the configuration may ever have */
};

/* What the tables that are laid at the start can hold, whatever model comes later. */
struct plan_room {
    uint32_t max_length; /* tokens of a sample */
    uint32_t scores;     /* of a sample; 0: scores are not sent */
    size_t answer_max;   /* bytes of the largest Label */
    struct segments_size running;
};

/* What the plan has to know of a model, loaded or not. */
struct plan_shape {
    const struct net_config *config; /* borrowed */
    struct engine_kind kind;         /* how it is to compute */
    size_t model_bytes;              /* of arena that it takes */
    size_t wide_bytes;               /* of them, of its wide part; 0: it has none */
    size_t engine_bytes;             /* and its matrices, packed */
    size_t label_bytes;              /* of all its label names */
    uint32_t max_length;             /* that it was trained on; 0: not known */
};

struct plan {
    struct plan_row row[PLAN_ROWS_MAX];
    size_t n;
    uint64_t total;
    uint64_t budget;
    size_t arena_bytes;    /* of what the daemon reserves itself, the models apart */
    uint32_t max_length;   /* tokens of a sample: the key, what the model was trained on, or room */
    uint32_t batch_tokens; /* tokens of a batch */
    struct plan_room room;
};

/* What the plan is made from, beside the configuration. */
struct plan_facts {
    const struct plan_shape *serving;
    const struct plan_shape *second; /* that is held beside it; NULL: none is planned for */
    const struct plan_room *room;    /* of tables that are laid; NULL: the plan says how large */
    uint64_t tuning;                 /* bytes that tuning takes; 0: it is off */
    uint64_t resident; /* that the process held before anything was loaded (procmem.h) */
};

/* Whoever knows what every part takes: fills in the whole plan (measure.h). */
typedef void plan_measurer(struct plan *p, const struct conf *c, const struct plan_facts *facts);

/* One row more, and its bytes into the sum. */
__attribute__((format(printf, 7, 8))) void plan_add(struct plan *p, const char *name,
                                                    uint64_t bytes, enum conf_key key,
                                                    uint64_t unit, uint64_t value,
                                                    const char *format, ...);

/* Fits the budget? Errors: BUDGET, the reason naming the row, the key and a value that would fit.
 */
DIFFUSE_MUST_CHECK diffuse_err plan_check(const struct plan *p, struct reason *why);

/* Bytes of a row; 0 when there is none of this name. */
uint64_t plan_bytes(const struct plan *p, const char *name);

/* "12.5 MiB" and the like, for people. */
void plan_human(uint64_t bytes, char *ret_text, size_t cap);

/* To standard output: a line a row, and the sum. */
void plan_print(const struct plan *p);

/* Largest frame that a publisher may send before it is disconnected. */
uint64_t plan_frame_max(const struct conf *c);

#endif
