/* reload.h - from a path to a model that is fit to serve: open, fit to the plan, verify, load,
 * self-test, warm up.
 *
 * Everything that can be known without the memory of the model before is known before that is given
 * up. Threads: any one at a time.
 */
#ifndef DAEMON_SWAP_RELOAD_H
#define DAEMON_SWAP_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/budget/plan.h"
#include "daemon/conf/conf.h"
#include "daemon/path/loaded_model.h"
#include "model/ckpt/ckpt.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* What does not change after the start. */
struct reload {
    const struct conf *conf; /* borrowed */
    plan_measurer *measure;  /* what the parts of the daemon take */
    uint64_t resident;       /* bytes of the process before anything was loaded */
    struct reason alone;     /* why no second model is planned, and so no tuning; or "" */
    bool background;         /* reloads are offered: there is memory for a second model */
    uint64_t tuning;         /* bytes that tuning takes; 0: it is off. Of the thread that reloads */
    bool laid;               /* the tables are laid, for room: */
    struct plan_room room;
};

/* At the start: begin *ret_reload and open the configured checkpoint. The plan is made, and held
 * against the budget, before a byte of weights is read; with reload = auto it does without a second
 * model where both do not fit. Errors: as reload_open. */
DIFFUSE_MUST_CHECK diffuse_err reload_open_first(struct reload *ret_reload, const struct conf *c,
                                                 plan_measurer *measure, uint64_t resident,
                                                 struct ckpt **ret_ckpt, struct plan *ret_plan,
                                                 struct reason *why);

struct reload_report {
    uint64_t verify_ns, load_ns;
    char note[256]; /* what the caller should know, or "" */
};

/* Open a checkpoint and make the plan for it beside serving (NULL: it is the first). The plan is
 * filled in also when it does not fit. Errors: as ckpt_open, and BUDGET: the reason names the row.
 */
DIFFUSE_MUST_CHECK diffuse_err reload_open(const struct reload *r, const char *path,
                                           const struct loaded_model *serving,
                                           struct ckpt **ret_ckpt, struct plan *ret_plan,
                                           struct reason *why);

/* A slot to load into, whenever that takes; NULL: the daemon is stopping. */
typedef struct loaded_model *reload_room_asker(void *user);

/* All of it. *ret_slot is the loaded slot; NULL after DIFFUSE_OK: the file holds the checkpoint
 * that serves already, or (unless to_root) that it was tuned from, and nothing was loaded. The
 * asker is called once the file is known to be whole. On failure after that, *ret_slot is the slot
 * that was asked for, empty. Errors: as reload_open, ckpt_verify and loaded_model_load, STOPPING.
 */
DIFFUSE_MUST_CHECK diffuse_err reload_run(const struct reload *r, const char *path,
                                          const struct loaded_model *serving, bool to_root,
                                          reload_room_asker *ask, void *user,
                                          struct loaded_model **ret_slot,
                                          struct reload_report *ret_report, struct reason *why);

#endif
