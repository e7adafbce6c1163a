/* models.h - which of the two loaded models answers, and which it can go back to.
 *
 * Weights exist at most twice: the model that serves, and the one before it. A new one is loaded
 * into the place of the latter, once no sample that it accepted waits for its answer any more.
 *
 * Threads: the loop thread. A slot that was lent belongs to the borrower.
 */
#ifndef DAEMON_MODELS_H
#define DAEMON_MODELS_H

#include "daemon/slot.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct models {
    struct slot slot[2];
    struct slot *serving;  /* accepts samples; NULL before the first */
    struct slot *previous; /* where rollback goes; NULL: nowhere */
};

/* The first model is loaded, into slot[0]: it serves. */
void models_begin(struct models *m);

/* The slot that does not serve, to load into: what it held is no longer there to go back to. NULL:
 * samples that it accepted still wait for their answers, try again when one was answered. */
struct slot *models_lend(struct models *m);

/* A lent slot comes back loaded, and serves; the one that served is the previous. */
void models_swap(struct models *m, struct slot *loaded);

/* Serving and previous change places. Errors: NOTFOUND, there is no previous. */
DIFFUSE_MUST_CHECK diffuse_err models_rollback(struct models *m, struct reason *why);

void models_done(struct models *m);

#endif
