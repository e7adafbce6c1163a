/* loaded_pair.h - which of the two loaded models answers, and which it can go back to.
 *
 * Weights exist at most twice: the model that serves, and the one before it. A new one is loaded
 * into the place of the latter, once no sample that it accepted waits for its answer any more.
 *
 * Threads: the loop thread. A slot that was lent belongs to the borrower.
 */
#ifndef DAEMON_PATH_LOADED_PAIR_H
#define DAEMON_PATH_LOADED_PAIR_H

#include "daemon/path/loaded_model.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct loaded_pair {
    struct loaded_model slot[2];
    struct loaded_model *serving;  /* accepts samples; NULL before the first */
    struct loaded_model *previous; /* where rollback goes; NULL: nowhere */
};

/* The first model is loaded, into slot[0]: it serves. */
void loaded_pair_begin(struct loaded_pair *m);

/* The slot that does not serve, to load into: what it held is no longer there to go back to. NULL:
 * samples that it accepted still wait for their answers, try again when one was answered. */
struct loaded_model *loaded_pair_lend(struct loaded_pair *m);

/* A lent slot comes back loaded, and serves; the one that served is the previous. */
void loaded_pair_swap(struct loaded_pair *m, struct loaded_model *loaded);

/* Serving and previous change places. Errors: NOTFOUND, there is no previous. */
DIFFUSE_MUST_CHECK diffuse_err loaded_pair_rollback(struct loaded_pair *m, struct reason *why);

void loaded_pair_done(struct loaded_pair *m);

#endif
